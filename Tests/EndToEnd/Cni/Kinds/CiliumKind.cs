using System.Net;
using System.Text.Json.Nodes;
using Orleans.WireGuard.LocalMesh.Processes;
using Orleans.WireGuard.LocalMesh.Topology;

namespace Orleans.WireGuard.Tests.EndToEnd.Cni.Kinds;

/// <summary>
/// What clusters with Cilium have in common: a link of the host among the pods, a route to each pod, CIDRs in a CiliumNode.
/// </summary>
internal abstract class CiliumKind : CableKind
{
    /// <summary>The node's link among its pods.</summary>
    protected const string HostLink = "cilium_host";

    // Packets are counted meanwhile: a device that is made anew has no session.
    private static readonly TimeSpan RepairTime = TimeSpan.FromSeconds(3);

    /// <inheritdoc/>
    public override string Addresses => "a CIDR for each node, CiliumNode.spec.ipam.podCIDRs";

    /// <inheritdoc/>
    public override string? Overlay => "cilium";

    /// <inheritdoc/>
    public override IReadOnlyDictionary<string, string> Settings => CniSettings.CiliumDevices;

    /// <inheritdoc/>
    public override IEnumerable<JsonObject> Definitions => [CniObjects.CiliumNodeDefinition];

    /// <inheritdoc/>
    protected override string LinkPrefix => "lxc";

    /// <inheritdoc/>
    public override IEnumerable<(string Collection, JsonObject Body)> Objects(NodePlan node) =>
    [
        (CniObjects.Nodes, CniObjects.Node(node, podCIDR: null)),
        (CniObjects.CiliumNodes, CniObjects.CiliumNode(node)),
    ];

    /// <inheritdoc/>
    public override Task RaiseNodeAsync(CniMachine machine, NodePlan node, CancellationToken token) => CniMachine.IpAsync(
        node.Namespace,
        [
            $"link add {HostLink} mtu {PodMtu} type veth peer name cilium_net",
            $"link set {HostLink} up",
            "link set cilium_net up",
            $"address add {node.PodGateway}/32 dev {HostLink}",
            .. CniPlan.Others(node).SelectMany(other => RoutesTo(node, other)),
        ],
        token);

    /// <summary>As an agent with WireGuard switched off does whenever it starts.</summary>
    public override async Task DisturbAsync(NodePlan node, CancellationToken token)
    {
        await Command.RunAsync("ip", ["-n", node.Namespace, "link", "delete", MeshPlan.DeviceName], token);
        await Task.Delay(RepairTime, TimeProvider.System, token);
    }

    /// <summary>How the stack of a node reaches another node's pods: commands of <c>ip</c>.</summary>
    protected virtual IEnumerable<string> RoutesTo(NodePlan node, NodePlan other) => [$"route add {other.PodCIDR} via {other.Address}"];

    /// <inheritdoc/>
    protected override IPAddress AddressOf(NodePlan node, int slot) => CniPlan.AddressOf(node, slot);

    /// <inheritdoc/>
    protected override IPAddress GatewayOf(NodePlan node) => node.PodGateway;
}
