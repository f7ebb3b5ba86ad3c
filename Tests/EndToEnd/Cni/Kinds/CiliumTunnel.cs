using Orleans.WireGuard.LocalMesh.Topology;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.EndToEnd.Cni.Kinds;

/// <summary>
/// Cilium as it comes: a program at each pod's link puts the packet into VXLAN before the stack has seen it, another one takes it from
/// there
/// to the pod.
/// </summary>
internal sealed class CiliumTunnel : CiliumKind
{
    private const string TunnelLink = "cilium_vxlan";

    /// <inheritdoc/>
    public override string Name => "cilium-bpf-tunnel";

    /// <inheritdoc/>
    public override string Way => "programs encapsulate and unpack; a node's own packets to pods go the same way from cilium_host";

    /// <inheritdoc/>
    public override IReadOnlyList<CniFix> Fixes { get; } =
    [
        new(
            "encapsulation", CniSettings.Only(CniSettings.Encapsulation, "Off"),
            CniFault.NotReady, CniFault.InClear),
    ];

    /// <inheritdoc/>
    public override bool IsEncapsulated => true;

    /// <inheritdoc/>
    public override int PodMtu => 1450;

    // Answers to a pod pass the stack by, which would have to give them the ClusterIP as their source; Cilium's own programs do.
    /// <inheritdoc/>
    public override ServiceMasquerade Services => ServiceMasquerade.All;

    /// <inheritdoc/>
    public override async Task RaiseNodeAsync(CniMachine machine, NodePlan node, CancellationToken token)
    {
        await CniMachine.IpAsync(
            node.Namespace,
            [$"link add {TunnelLink} address {Hardware} type vxlan external dstport 8472", $"link set {TunnelLink} up"],
            token);
        await base.RaiseNodeAsync(machine, node, token);
        await machine.AttachAsync(node, TunnelLink, "unpack", () => BpfProgram.Route(IPPrefix.Parse(node.PodCIDR.ToString())), token);
        await EncapsulateAsync(machine, node, HostLink, "egress", token);
    }

    /// <inheritdoc/>
    protected override IEnumerable<string> RoutesTo(NodePlan node, NodePlan other) =>
    [
        $"neigh add {other.PodGateway} lladdr {Hardware} dev {HostLink} nud permanent",
        $"route add {other.PodCIDR} via {other.PodGateway} dev {HostLink} src {node.PodGateway} onlink",
    ];

    /// <inheritdoc/>
    protected override async Task PrepareAsync(CniMachine machine, CniPod pod, Func<Task> raiseAsync, CancellationToken token)
    {
        await EncapsulateAsync(machine, pod.Node, LinkOf(pod), "ingress", token);
        await raiseAsync();
    }

    private static async Task EncapsulateAsync(
        CniMachine machine, NodePlan node, string link, string direction, CancellationToken token)
    {
        var tunnel = await CniMachine.IndexAsync(node, TunnelLink, token);
        foreach (var other in CniPlan.Others(node))
        {
            await machine.AttachAsync(
                node, link, "to-" + other.Name,
                () => BpfProgram.Encapsulate(IPPrefix.Parse(other.PodCIDR.ToString()), other.Address, tunnel), token, direction);
        }
    }
}
