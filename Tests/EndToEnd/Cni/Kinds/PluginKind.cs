using System.Net;
using System.Text.Json.Nodes;
using Orleans.WireGuard.LocalMesh.Topology;

namespace Orleans.WireGuard.Tests.EndToEnd.Cni.Kinds;

/// <summary>A kind whose pods are made by Debian's plugins, with <c>host-local</c> for addresses, from the CIDR of their node.</summary>
internal abstract class PluginKind : CniKind
{
    /// <inheritdoc/>
    public override string Addresses => "a CIDR for each node, Node.spec.podCIDRs";

    /// <inheritdoc/>
    public override IReadOnlyList<CniFix> Fixes { get; } =
    [
        new("prefixes", CniSettings.MadeUp, CniFault.NotReady, CniFault.InClear, CniFault.NotEncrypted),
        new("node-addresses", CniSettings.WithoutNodeAddresses, CniFault.PodToNodePort, CniFault.OutsideToNodePort),
    ];

    /// <inheritdoc/>
    public override async Task<IPAddress> AddAsync(CniMachine machine, NodePlan node, int slot, CancellationToken token)
    {
        var result = await CniMachine.CallAsync("ADD", node, slot, Configuration(machine, node), token);
        return IPNetwork.Parse(Host((string)result["ips"]![0]!["address"]!)).BaseAddress;
    }

    /// <inheritdoc/>
    public override Task RemoveAsync(CniMachine machine, CniPod pod, CancellationToken token) =>
        CniMachine.CallAsync("DEL", pod.Node, pod.Slot, Configuration(machine, pod.Node), token);

    /// <summary>The plugin's name.</summary>
    protected abstract string Plugin { get; }

    /// <summary>What the plugin is told besides its name and where addresses come from.</summary>
    protected virtual JsonObject Options => [];

    // The address of a pod, without the length of its network.
    private static string Host(string address) => address.Split('/')[0] + "/32";

    private JsonObject Configuration(CniMachine machine, NodePlan node)
    {
        var configuration = Options;
        configuration["cniVersion"] = "0.4.0";
        configuration["name"] = "zoo";
        configuration["type"] = Plugin;
        configuration["mtu"] = PodMtu;
        configuration["ipam"] = new JsonObject
        {
            ["type"] = "host-local",
            ["dataDir"] = machine.AllocationFolder(node),
            ["ranges"] = new JsonArray(new JsonArray(new JsonObject { ["subnet"] = node.PodCIDR.ToString() })),
            ["routes"] = new JsonArray(new JsonObject { ["dst"] = "0.0.0.0/0" }),
        };
        return configuration;
    }
}
