using System.Net;
using Orleans.WireGuard.LocalMesh.Topology;

namespace Orleans.WireGuard.Tests.EndToEnd.Cni.Kinds;

/// <summary>
/// kubeadm with Calico without encapsulation: blocks of 64 addresses that lie where they like, such as in the podCIDR of another node,
/// which
/// Calico does not use; and a pod with an address out of another node's block.
/// </summary>
internal sealed class Calico : CableKind
{
    // Where it runs, and of whose block its address is.
    private const int BorrowingNode = 3;
    private const int LendingNode = 1;
    private const int BorrowedSlot = 5;

    /// <inheritdoc/>
    public override string Name => "calico";

    /// <inheritdoc/>
    public override string Addresses => "blocks of 64 and one borrowed address; Node.spec.podCIDR is unrelated";

    /// <inheritdoc/>
    public override string Way => "host routes, blackholes, blocks via the nodes; pod to node and every Service masqueraded";

    /// <inheritdoc/>
    public override string? Overlay => "calico";

    /// <inheritdoc/>
    public override IReadOnlyDictionary<string, string> Settings { get; } =
        new Dictionary<string, string> { [CniSettings.Prefixes] = "Kernel", [CniSettings.PodRange] = CniPlan.PodRange };

    /// <inheritdoc/>
    public override IReadOnlyList<string> OfEachCluster => [CniSettings.PodRange];

    /// <inheritdoc/>
    public override IReadOnlyList<CniFix> Fixes { get; } =
    [
        new("prefixes", CniSettings.Only(CniSettings.Prefixes, "Node"), CniFault.NotReady, CniFault.Lost, CniFault.PodToPod),
        new("node-addresses", CniSettings.WithoutNodeAddresses, CniFault.PodToService)
        {
            Needs = [CniSettings.Prefixes],
        },
    ];

    /// <inheritdoc/>
    public override ServiceMasquerade Services => ServiceMasquerade.All;

    /// <inheritdoc/>
    protected override string LinkPrefix => "cali";

    /// <inheritdoc/>
    protected override bool AnswersForGateway => true;

    /// <inheritdoc/>
    public override async Task RaiseNodeAsync(CniMachine machine, NodePlan node, CancellationToken token)
    {
        await CniMachine.IpAsync(
            node.Namespace,
            [
                $"route add blackhole {BlockOf(node.Number)} proto 80",
                .. CniPlan.Others(node).Select(other => $"route add {BlockOf(other.Number)} via {other.Address} proto 80"),
                .. CniPlan.Others(node).Where(other => other.Number == BorrowingNode)
                    .Select(other => $"route add {AddressOf(other, BorrowedSlot)}/32 via {other.Address} proto 80"),
            ],
            token);
        await CniMachine.FilterAsync(node.Namespace, PodMasquerade.TowardsAllButPods(PodRange), token);
    }

    /// <inheritdoc/>
    protected override IPAddress AddressOf(NodePlan node, int slot)
    {
        var isBorrowed = node.Number == BorrowingNode && slot == BorrowedSlot;
        var bytes = BlockOf(isBorrowed ? LendingNode : node.Number).BaseAddress.GetAddressBytes();
        bytes[3] += (byte)(2 + (isBorrowed ? 50 : slot));
        return new IPAddress(bytes);
    }

    // In the podCIDR of the node after it.
    private static IPNetwork BlockOf(int number) =>
        new(CniPlan.Mesh.Nodes[number % CniPlan.Mesh.Nodes.Count].PodCIDR.BaseAddress, 26);
}
