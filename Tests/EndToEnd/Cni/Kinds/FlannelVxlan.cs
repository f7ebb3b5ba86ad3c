using System.Net;
using System.Text.Json.Nodes;
using Orleans.WireGuard.LocalMesh.Topology;

namespace Orleans.WireGuard.Tests.EndToEnd.Cni.Kinds;

/// <summary>
/// k3s as it comes, or kubeadm with flannel: a bridge, and a VXLAN between the nodes whose link has an address out of the pods' range.
/// </summary>
internal sealed class FlannelVxlan : PluginKind
{
    private const string Link = "flannel.1";

    /// <inheritdoc/>
    public override string Name => "flannel-vxlan";

    /// <inheritdoc/>
    public override string Way =>
        "a bridge, node CIDRs by flannel.1; a node's own packets to pods come from flannel.1, pod to node is masqueraded";

    /// <inheritdoc/>
    public override string? Overlay => "k3s";

    /// <inheritdoc/>
    public override IReadOnlyDictionary<string, string> Settings { get; } =
        CniSettings.Only(CniSettings.PodRange, CniPlan.PodRange);

    /// <inheritdoc/>
    public override IReadOnlyList<string> OfEachCluster => [CniSettings.PodRange];

    /// <inheritdoc/>
    public override IReadOnlyList<CniFix> Fixes { get; } =
    [
        new("node-addresses", CniSettings.WithoutNodeAddresses, CniFault.NotReady),

        // Strict mode is withheld where it would cut the node's own packets; whoever accepts that has them cut.
        new(
            "node-addresses-accepted",
            CniSettings.WithoutNodeAddresses.Append(new("OWG_Encryption__Accept__0", "OWG310")).ToDictionary(), CniFault.NodeToPod),
    ];

    /// <inheritdoc/>
    public override bool IsEncapsulated => true;

    /// <inheritdoc/>
    public override int PodMtu => 1450;

    /// <inheritdoc/>
    protected override string Plugin => "bridge";

    /// <inheritdoc/>
    protected override JsonObject Options => HostGateway.BridgeOptions;

    /// <inheritdoc/>
    public override async Task RaiseNodeAsync(CniMachine machine, NodePlan node, CancellationToken token)
    {
        await CniMachine.IpAsync(
            node.Namespace,
            [
                $"link add {Link} address {Hardware(node)} mtu {PodMtu} "
                    + $"type vxlan id 1 local {node.Address} dev eth0 dstport 8472 nolearning",
                $"address add {Network(node)}/32 dev {Link}",
                $"link set {Link} up",
                .. CniPlan.Others(node).SelectMany(other => (string[])[
                    $"neigh add {Network(other)} lladdr {Hardware(other)} dev {Link} nud permanent",
                    $"route add {other.PodCIDR} via {Network(other)} dev {Link} onlink"]),
            ],
            token);
        await CniMachine.BridgeAsync(
            node.Namespace,
            CniPlan.Others(node).Select(other => $"fdb add {Hardware(other)} dev {Link} dst {other.Address} self permanent"),
            token);
        await CniMachine.FilterAsync(node.Namespace, PodMasquerade.Flannel(PodRange, node.PodCIDR.ToString()), token);
    }

    private static IPAddress Network(NodePlan node) => node.PodCIDR.BaseAddress;

    private static string Hardware(NodePlan node) => FormattableString.Invariant($"02:0f:1a:00:00:0{node.Number}");
}
