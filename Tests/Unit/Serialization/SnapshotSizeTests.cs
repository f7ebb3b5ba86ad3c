using Microsoft.Extensions.DependencyInjection;
using Orleans.Serialization;
using Orleans.WireGuard.Grains;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.Unit.Serialization;

/// <summary>
/// The largest answers there are, as large as they can become: what the limits of messages and of memory are measured by.
/// </summary>
public sealed class SnapshotSizeTests(ITestOutputHelper output)
{
    private const double KiB = 1024;

    // What silos take of each other.
    private const long MaxMessage = 4 << 20;

    private static readonly ServiceProvider Services = new ServiceCollection().AddSerializer().BuildServiceProvider();

    // Two slots in which everybody has a peer for everybody, everybody a path, a receipt and a clock.
    [Fact]
    public void Answers_LargestThatMayBe_FitAMessage()
    {
        var before = GC.GetAllocatedBytesForCurrentThread();
        var whole = Snapshot(IMeshGrain.MaxNodes);
        var memory = GC.GetAllocatedBytesForCurrentThread() - before;
        var page = Size(whole.Nodes.Take(IMeshGrain.MaxAsked).ToEquatableArray());
        var snapshot = Size(Snapshot(IMeshGrain.MaxSnapshotNodes));
        var one = Size(Status(1, 1_000));
        output.WriteLine($"{IMeshGrain.MaxNodes} nodes: {Size(whole) / KiB:0} KiB on the wire, {memory / KiB:0} KiB allocated; in pages of at most {page / KiB:0} KiB");
        output.WriteLine($"{IMeshGrain.MaxSnapshotNodes} nodes: a snapshot {snapshot / KiB:0} KiB on the wire");
        output.WriteLine($"1,000 nodes: one NodeStatus {one / KiB:0} KiB on the wire");
        Assert.All((long[])[page, snapshot, one], size => Assert.InRange(size, 1, MaxMessage / 2));
        Assert.InRange(memory, 1, 32L << 20);
    }

    // Twice the nodes are four times the cells, and nothing more: neither bytes nor allocations grow faster.
    [Fact]
    public void Build_TwiceTheNodes_AllocatesFourTimesAsMuch()
    {
        var nodes = Snapshot(80).Nodes;
        KeyAgreementMatrix.Build([.. nodes.Take(5)]);
        var (half, whole) = (Allocated([.. nodes.Take(40)]), Allocated([.. nodes]));
        output.WriteLine($"the matrix of 40 nodes allocates {half / KiB:0} KiB, that of 80 {whole / KiB:0} KiB");
        Assert.InRange((double)whole / half, 2, 5);
    }

    private static long Allocated(IReadOnlyList<MeshNode> nodes)
    {
        var before = GC.GetAllocatedBytesForCurrentThread();
        KeyAgreementMatrix.Build(nodes);
        return GC.GetAllocatedBytesForCurrentThread() - before;
    }

    // As long as clouds make them, and each a text of its own, as what comes from different silos is.
    private static string Name(int node) => $"aks-nodepool1-12345678-vmss{node:000000}";

    private static long Size<T>(T value) => Services.GetRequiredService<Serializer>().SerializeToArray(value).LongLength;

    private static MeshSnapshot Snapshot(int count)
    {
        var nodes = Enumerable.Range(1, count).Select(node => new MeshNode(Name(node), Status(node, count), [])).ToList();
        return new MeshSnapshot(TestMesh.Start, nodes.ToEquatableArray(), KeyAgreementMatrix.Build(nodes));
    }

    private static NodeStatus Status(int node, int count)
    {
        var others = Enumerable.Range(1, count).Where(other => other != node).ToList();
        return TestMesh.Status(node) with
        {
            Slots = [.. Both(slot => new SlotStatus(slot, Key(node, slot), new Epoch(14_726_880), TestMesh.Start))],
            Devices = [.. Both(slot => new DeviceStatus(
                slot, $"cilium_wg{slot}", Transport.Netlink, Key(node, slot), TestMesh.ListenPort, 1420, others.Select(other => Peer(other, slot))
                    .ToEquatableArray()))],
            Delivery = new DeliveryStatus(
                new AnnouncementSequence(new Epoch(14_726_880), 1),
                TestMesh.Start,
                others.Select(other => new ReceiverStatus(Name(other), AnnouncementOutcome.Applied, TimeSpan.FromMilliseconds(12), 1, null))
                    .ToEquatableArray()),
            Paths = others.Select(other => new PathStatus(Name(other), Slot.One, Key(other, Slot.One), true)).ToEquatableArray(),
            Rotation = new()
            {
                ClockSkews = others.Select(other =>
                new ClockSkew(Name(other), TimeSpan.FromMilliseconds(other), TestMesh.Start)).ToEquatableArray()
            },
        };
    }

    private static IEnumerable<T> Both<T>(Func<Slot, T> make) => [make(Slot.Zero), make(Slot.One)];

    private static PublicKey Key(int node, Slot slot) => TestMesh.Key(node + (100_000 * (1 + slot.Index)));

    private static PeerStatus Peer(int node, Slot slot) => new(
        Name(node), Key(node, slot), TestMesh.Endpoint(node), [TestMesh.PodCIDR(node)],
        TestMesh.Start, 1_000_000_000, 2_000_000_000, PeerState.Up);
}
