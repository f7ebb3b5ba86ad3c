using Orleans.WireGuard.Grains;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.Unit.Delivery;

/// <summary>Whether every node's device holds the key that every other really uses.</summary>
public sealed class KeyAgreementMatrixTests
{
    [Fact]
    public void Build_EveryPairAgrees_SaysSo()
    {
        var cells = KeyAgreementMatrix.Build([Node(1, 2, 3), Node(2, 1, 3), Node(3, 1, 2)]);
        Assert.Equal(
            ["1>2", "1>3", "2>1", "2>3", "3>1", "3>2"],
            cells.Select(cell => $"{cell.NodeName["node-".Length..]}>{cell.Holder["node-".Length..]}"));
        Assert.All(cells, cell => Assert.Equal((AgreementState.Agrees, cell.UsedKey), (cell.State, cell.HeldKey)));
    }

    [Fact]
    public void Build_HolderHasAnOldKey_Differs() => Assert.Equal(
        new KeyAgreement("node-1", "node-2", Slot.Zero, AgreementState.Differs, TestMesh.Key(1), TestMesh.Key(11), TestMesh.Start),
        Cell([Node(1), NodeWith(2, Peer(1, 11))]));

    [Fact]
    public void Build_HolderHasBothKeys_Agrees() => Assert.Equal(
        new KeyAgreement("node-1", "node-2", Slot.Zero, AgreementState.Agrees, TestMesh.Key(1), TestMesh.Key(1), TestMesh.Start),
        Cell([Node(1), NodeWith(2, Peer(1, 11), Peer(1, 1))]));

    [Fact]
    public void Build_HolderHasNoPeer_IsMissing() =>
        Assert.Equal((AgreementState.Missing, null), Brief(Cell([Node(1), Node(2)])));

    // A peer that no announcement explains is nobody's.
    [Fact]
    public void Build_PeerWithoutName_IsMissing() => Assert.Equal(
        (AgreementState.Missing, null), Brief(Cell([Node(1), NodeWith(2, Peer(1, 1) with { NodeName = null })])));

    [Fact]
    public void Build_NoAnswer_IsUnknown()
    {
        Assert.Equal((AgreementState.Unknown, TestMesh.Key(1)), Brief(Cell([new MeshNode("node-1", null, []), Node(2, 1)])));
        Assert.Equal((AgreementState.Unknown, null), Brief(Cell([Node(1), new MeshNode("node-2", null, [])])));
    }

    [Fact]
    public void Build_DeviceWithoutKey_IsUnknown()
    {
        var node = Node(1);
        var keyless = node with { Status = node.Status! with { Devices = [node.Status.Devices[0] with { PublicKey = null }] } };
        Assert.Equal(AgreementState.Unknown, Cell([keyless, Node(2, 1)]).State);
    }

    [Fact]
    public void Build_SlotIdleOnOneSide_HasNoCell()
    {
        MeshNode[] nodes = [WithSlotOne(Node(1, 2), 101, Peer(2, 102)), WithSlotOne(Node(2, 1), null)];
        Assert.All(KeyAgreementMatrix.Build(nodes), cell => Assert.Equal((Slot.Zero, AgreementState.Agrees), (cell.Slot, cell.State)));
        Assert.Equal(2, KeyAgreementMatrix.Build(nodes).Count);
    }

    [Fact]
    public void Build_BothSlotsKeyed_HasACellForEach()
    {
        var cells = KeyAgreementMatrix.Build([WithSlotOne(Node(1, 2), 101, Peer(2, 102)), WithSlotOne(Node(2, 1), 102, Peer(1, 77))]);
        Assert.Equal(
            ["1/0 Agrees", "1/1 Differs", "2/0 Agrees", "2/1 Agrees"],
            cells.Select(cell => $"{cell.NodeName["node-".Length..]}/{cell.Slot} {cell.State}"));
    }

    // Both have a key, but no slot in common: they cannot talk, and nothing may hide that.
    [Fact]
    public void Build_NoSlotInCommon_IsUnknown()
    {
        var other = WithSlotOne(Node(2), 102);
        other = other with
        {
            Status = other.Status! with
            {
                Devices = [
            other.Status.Devices[0] with { PublicKey = null }, other.Status.Devices[1]]
            }
        };
        Assert.All(KeyAgreementMatrix.Build([Node(1), other]), cell => Assert.Equal(AgreementState.Unknown, cell.State));
        Assert.Equal(4, KeyAgreementMatrix.Build([Node(1), other]).Count);
    }

    [Fact]
    public void Build_NoAnswerWithTwoSlots_IsUnknownForThoseInUse()
    {
        var gone = new MeshNode("node-9", null, []);
        Assert.Equal([Slot.Zero], SlotsOf(KeyAgreementMatrix.Build([WithSlotOne(Node(1), null), gone])));
        Assert.Equal([Slot.Zero, Slot.One], SlotsOf(KeyAgreementMatrix.Build([WithSlotOne(Node(1), 101), gone])));
    }

    [Fact]
    public void Build_NobodyAnswered_IsEmpty() =>
        Assert.Empty(KeyAgreementMatrix.Build([new MeshNode("node-1", null, []), new MeshNode("node-2", null, [])]));

    // It was cubic: a cell searched all peers of its holder, and 300 nodes took five seconds.
    [Theory]
    [InlineData(10)]
    [InlineData(40)]
    [InlineData(80)]
    public void Build_Work_IsInProportionToItsOutput(int count)
    {
        var names = new CountingComparer();
        var nodes = Enumerable.Range(1, count)
            .Select(node => Node(node, [.. Enumerable.Range(1, count).Where(other => other != node)])).ToList();
        var cells = KeyAgreementMatrix.Build(nodes, names);
        Assert.Equal(count * (count - 1), cells.Count);
        Assert.All(cells, cell => Assert.Equal(AgreementState.Agrees, cell.State));

        // Each peer is entered once, each cell looked up once; a look-up is a hash and a comparison.
        Assert.InRange(names.Calls, cells.Count, 8 * cells.Count);
    }

    private static IEnumerable<Slot> SlotsOf(IEnumerable<KeyAgreement> cells) =>
        cells.Where(cell => cell.NodeName == "node-9" && cell.State == AgreementState.Unknown).Select(cell => cell.Slot);

    private static MeshNode WithSlotOne(MeshNode node, int? key, params PeerStatus[] peers)
    {
        var device = new DeviceStatus(
            Slot.One, "cilium_wg1", Transport.Uapi, key is { } number ? TestMesh.Key(number) : null, 51872, 1420, [.. peers]);
        return node with { Status = node.Status! with { Devices = [.. node.Status.Devices, device] } };
    }

    private static (AgreementState, PublicKey?) Brief(KeyAgreement cell) => (cell.State, cell.HeldKey);

    // The one cell of node 1 as node 2 holds it.
    private static KeyAgreement Cell(MeshNode[] nodes) => KeyAgreementMatrix.Build(nodes).Single(cell => cell.NodeName == "node-1");

    private static MeshNode Node(int node, params int[] peers) => NodeWith(node, [.. peers.Select(peer => Peer(peer, peer))]);

    private static MeshNode NodeWith(int node, params PeerStatus[] peers) => new(
        TestMesh.Name(node),
        TestMesh.Status(node) with
        {
            Devices = [
                new DeviceStatus(Slot.Zero, "cilium_wg0", Transport.Uapi, TestMesh.Key(node), TestMesh.ListenPort, 1420, [.. peers])],
        },
        []);

    private static PeerStatus Peer(int node, int key) =>
        new(TestMesh.Name(node), TestMesh.Key(key), TestMesh.Endpoint(node), [TestMesh.PodCIDR(node)], TestMesh.Start, 0, 0, PeerState.Up);

    private sealed class CountingComparer : IEqualityComparer<string>
    {
        public int Calls { get; private set; }

        public bool Equals(string? x, string? y)
        {
            Calls++;
            return x == y;
        }

        public int GetHashCode(string name)
        {
            Calls++;
            return name.GetHashCode(StringComparison.Ordinal);
        }
    }
}
