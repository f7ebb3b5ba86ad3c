namespace Orleans.WireGuard.LocalMesh.Topology;

/// <summary>Where a mesh keeps its files: configurations, logs, process ids, captures, mount namespaces.</summary>
internal sealed class MeshState(string directory)
{
    /// <summary>Overrides the directory of the demo.</summary>
    public const string DirectoryVariable = "OWG_LOCAL_STATE";

    /// <summary>Everything below it belongs to the mesh and is removed with it.</summary>
    public string Directory { get; } = Path.GetFullPath(directory);

    /// <summary>Process id and start time of the harness that owns the mesh; written first, so it marks the directory as ours.</summary>
    public string OwnerFile => Path.Combine(Directory, "owner");

    /// <summary>One line for each process started outside the namespaces.</summary>
    public string ProcessFile => Path.Combine(Directory, "processes");

    /// <summary>Exists if the harness made the host's directory of userspace sockets, so that it is removed again.</summary>
    public string SocketDirectoryMark => Path.Combine(Directory, "made-socket-directory");

    /// <summary>Holds a link to the <c>owg</c> binary, first in the PATH of <c>deploy/local/exec</c>.</summary>
    public string BinDirectory => Path.Combine(Directory, "bin");

    /// <summary>A private tmpfs with one persistent mount namespace for each node.</summary>
    public string MountDirectory => Path.Combine(Directory, "mounts");

    /// <summary>Packet captures.</summary>
    public string CaptureDirectory => Path.Combine(Directory, "captures");

    /// <summary>Configuration, log and data of the membership store.</summary>
    public string RedisDirectory => Path.Combine(Directory, "redis");

    /// <summary>Log of the membership store.</summary>
    public string RedisLog => Path.Combine(RedisDirectory, "redis.log");

    /// <summary>How to reach the API server as its administrator, from the host and from every node; exists while it runs.</summary>
    public string KubeConfig => Path.Combine(Directory, "kubeconfig");

    /// <summary>Log of the API server.</summary>
    public string ApiServerLog => Path.Combine(Directory, "api-server.log");

    /// <summary>The silos' bearer token, as the kubelet would mount one.</summary>
    public string ApiToken => Path.Combine(Directory, "token");

    /// <summary>Who signed the API server's certificate.</summary>
    public string ApiAuthority => Path.Combine(Directory, "ca.crt");

    /// <summary>The state of a plan's mesh: the environment's choice for the demo, or <c>/run/PREFIX-local</c>.</summary>
    public static MeshState For(MeshPlan plan, string? overriddenDirectory = null) =>
        new(string.IsNullOrEmpty(overriddenDirectory) ? $"/run/{plan.Prefix}-local" : overriddenDirectory);

    /// <summary>The lock that stops two meshes of one prefix; outside the state, which is removed while it is held.</summary>
    /// <remarks>Its name follows the prefix, not the directory: the names of links and namespaces are what would collide.</remarks>
    public static string LockFile(MeshPlan plan) => $"/run/{plan.Prefix}-local.lock";

    /// <summary>The mount namespace of a node.</summary>
    public string MountNamespace(NodePlan node) => Path.Combine(MountDirectory, node.Name);

    /// <summary>Configuration and log of a node.</summary>
    public string NodeDirectory(NodePlan node) => Path.Combine(Directory, "nodes", node.Name);

    /// <summary>The silo's configuration.</summary>
    public string SiloConfiguration(NodePlan node) => Path.Combine(NodeDirectory(node), "silo.json");

    /// <summary>The node's object, for <c>kubectl create -f</c>.</summary>
    public string NodeObject(NodePlan node) => Path.Combine(NodeDirectory(node), "node.json");

    /// <summary>Standard output and error of the silo.</summary>
    public string SiloLog(NodePlan node) => Path.Combine(NodeDirectory(node), "silo.log");
}
