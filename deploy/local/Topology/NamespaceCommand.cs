using Orleans.WireGuard.LocalMesh.Processes;

namespace Orleans.WireGuard.LocalMesh.Topology;

/// <summary>Command lines that run a program inside a node or a pod.</summary>
internal static class NamespaceCommand
{
    /// <summary>Inside a node: its network, and its own view of <c>/sys</c> and of the userspace sockets.</summary>
    public static IReadOnlyList<string> InNode(MeshState state, NodePlan node, params IEnumerable<string> command) =>
        ["nsenter", "--net=" + NetworkNamespace.HandleOf(node.Namespace), "--mount=" + state.MountNamespace(node), .. command];

    /// <summary>What the silo and <c>owg</c> find in their environment inside a node.</summary>
    public static IReadOnlyDictionary<string, string?> NodeEnvironment(MeshState state, NodePlan node) => new Dictionary<string, string?>
    {
        ["NODE_NAME"] = node.Name,
        ["OWG_CONFIG"] = state.SiloConfiguration(node),

        // Whatever the silo writes to temporary files is then searched for private keys, and removed.
        ["TMPDIR"] = state.NodeDirectory(node),
        ["PATH"] = state.BinDirectory + ":/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",

        // The harness may itself run under a build or test host; its runtime settings are not the silo's.
        ["DOTNET_ENVIRONMENT"] = null,
        ["ASPNETCORE_ENVIRONMENT"] = null,
        ["ASPNETCORE_URLS"] = null,
        ["MSBuildSDKsPath"] = null,
    };
}
