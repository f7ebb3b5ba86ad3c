using Orleans.WireGuard.Silo.Cli;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.Unit.Cli;

/// <summary>What the verbs about rotation print, and the events that a watch tells.</summary>
public sealed class RotationVerbTests
{
    [Theory]
    [InlineData("90s", 90)]
    [InlineData("10m", 600)]
    [InlineData("2h", 7200)]
    [InlineData("24h", 86400)]
    public void ParseFor_Duration_IsTaken(string text, int seconds) =>
        Assert.Equal(TimeSpan.FromSeconds(seconds), FreezeCommand.Parse(text, out _));

    [Theory]
    [InlineData("")]
    [InlineData("10")]
    [InlineData("m")]
    [InlineData("0s")]
    [InlineData("-5m")]
    [InlineData("1.5h")]
    [InlineData("10d")]
    [InlineData("25h")]
    [InlineData("99999999999s")]
    public void ParseFor_SomethingElse_SaysWhatToGive(string text)
    {
        Assert.Null(FreezeCommand.Parse(text, out var error));
        Assert.Contains("give", error, StringComparison.Ordinal);
    }

    [Fact]
    public void ExitCodeOf_Outcomes_IsTheWorst()
    {
        var (done, failed, absent) = (Outcome(NodeOutcomeKind.Done), Outcome(NodeOutcomeKind.Failed), Outcome(NodeOutcomeKind.NoSilo));
        Assert.Equal(ExitCode.Success, NodeOutcome.ExitCodeOf([done]));
        Assert.Equal(ExitCode.Unhealthy, NodeOutcome.ExitCodeOf([done, absent]));
        Assert.Equal(ExitCode.Failed, NodeOutcome.ExitCodeOf([done, absent, failed]));
        Assert.Equal(ExitCode.Failed, NodeOutcome.ExitCodeOf([]));
        Assert.Equal(ExitCode.Failed, NodeOutcome.ExitCodeOf([done, absent, Outcome(NodeOutcomeKind.Refused)]));
        Assert.Equal("node-1: REFUSED: why", Outcome(NodeOutcomeKind.Refused).ToString());
        Assert.Equal("node-1: NO SILO: why", absent.ToString());
    }

    [Fact]
    public void DescribeInPlace_Receipt_SaysThatItMayCostPackets() => Assert.Contains(
        "may have been lost", RotateCommand.DescribeInPlace(new("node-1", null, TestMesh.Key(1), new(new Epoch(1), 0))),
        StringComparison.Ordinal);

    [Fact]
    public void Row_Node_HasSlotPhaseAndPeersMoved()
    {
        var node = Node(
            1, rotation: new() { ActiveSlot = Slot.Zero, CutOverPeers = 1, Peers = 2, LastDuration = TimeSpan.FromSeconds(1.5) });
        var rows = RotationText.Rows(Mesh(node, Gone(2)) with
        {
            Agreements = [new KeyAgreement("node-1", "node-2", Slot.Zero, AgreementState.Unknown, null, null, null), new KeyAgreement(
                "node-1", "node-3", Slot.Zero, AgreementState.Agrees, null, null, null)],
        }).ToList();
        Assert.Equal(["0", "Carrying", "1/2", "1.5 s"], rows[0].Skip(4).Take(4));
        Assert.Equal(["1/2", "0/0"], rows.Select(row => row[10]));
        Assert.All(rows, row => Assert.Equal(RotationText.Columns.Length, row.Count));
    }

    [Fact]
    public void Notes_AllIsWell_AreNone() => Assert.Empty(RotationText.Notes(Node(1)));

    [Fact]
    public void Notes_Trouble_IsNamed()
    {
        var notes = string.Join('\n', RotationText.Notes(Node(1, rotation: new()
        {
            FrozenUntil = TestMesh.Start.AddMinutes(5),
            Problem = new RotationProblem(
                RotationProblemCode.Kept, new LaggingNode("node-2", LaggingReason.IsSentTo, Slot.Zero), 1, 1, TimeSpan.FromHours(1), 0.25),
            Lagging = [new LaggingNode("node-2", LaggingReason.PacketsArrive, Slot.Zero)],
            Deferrals = 3,
            HandshakeRetries = 4,
            ClockCorrection = TimeSpan.FromSeconds(31),
            ClockSkews =
            [
                new ClockSkew("node-2", TimeSpan.FromSeconds(15), TestMesh.Start),
                new ClockSkew("node-3", TimeSpan.FromSeconds(-16), TestMesh.Start),
            ],
        })));
        string[] expected = [
            "FROZEN until 2026-01-01 00:05:00Z", "kept the key", "waits for node-2: packets of it still come in through slot 0", "3 times",
            "4 times", "does UDP 51871 pass", "node-3 is 16 s behind", "which is 31 s ahead"];
        Assert.All(expected, text => Assert.Contains(text, notes, StringComparison.Ordinal));

        // An eighth of two minutes exactly is not beyond it.
        Assert.DoesNotContain("clock of node-2", notes, StringComparison.Ordinal);
    }

    [Fact]
    public void Compare_Same_IsEmpty() => Assert.Empty(WatchDiff.Compare(Mesh(Node(1), Node(2)), Mesh(Node(1), Node(2))));

    [Fact]
    public void Compare_NewKey_IsReKeyedThenAgreedThenMoved()
    {
        var before = Mesh(Node(1), Node(2));
        var announced = Mesh(Node(1, 11), Node(2));
        var held = Mesh(Node(1, 11), Node(2, held: 11));
        var moved = Mesh(Node(1, 11), Node(2, held: 11, path: 11));
        Assert.Equal([(WatchEventKind.ReKeyed, "node-1", TestMesh.Key(11))], Brief(before, announced));
        Assert.Equal([(WatchEventKind.Agreed, "node-1", TestMesh.Key(11))], Brief(announced, held));
        Assert.Equal([(WatchEventKind.Moved, "node-2", TestMesh.Key(11))], Brief(held, moved));
        Assert.Equal(3, WatchDiff.Compare(before, moved).Count);
    }

    [Fact]
    public void Compare_SlotWithoutKey_IsDestroyed()
    {
        var node = Node(1);
        var idle = node with { Status = node.Status! with { Slots = [] } };
        Assert.Equal([(WatchEventKind.Destroyed, "node-1", TestMesh.Key(1))], Brief(Mesh(node), Mesh(idle)));
    }

    [Fact]
    public void Compare_RotationStatus_IsLateFrozenAndUnfrozen()
    {
        var late = Node(1, rotation: new() { Lagging = [new LaggingNode("node-2", LaggingReason.WouldNotLearnKey, Slot.Zero)] });
        var e = Assert.Single(WatchDiff.Compare(Mesh(Node(1)), Mesh(late)));
        Assert.Equal("00:00:00.000Z  node-1 waits, node-2 is late: its silo does not answer, so it would not learn the new key", e.ToString());
        Assert.True(WatchCommand.Concerns(e, "node-2"));
        Assert.False(WatchCommand.Concerns(e, "node-3"));
        var frozen = Node(1, rotation: new() { FrozenUntil = TestMesh.Start.AddMinutes(1) });
        Assert.Equal(WatchEventKind.Frozen, Assert.Single(WatchDiff.Compare(Mesh(Node(1)), Mesh(frozen))).Event);
        Assert.Equal(WatchEventKind.Unfrozen, Assert.Single(WatchDiff.Compare(Mesh(frozen), Mesh(Node(1)))).Event);
    }

    [Fact]
    public void Compare_SiloGoneAndBack_TellsWhatWasMissed()
    {
        var (before, gone, back) = (Mesh(Node(1), Node(2)), Mesh(Gone(1), Node(2)), Mesh(Node(1, 11), Node(2)));
        var known = WatchDiff.Remember(WatchDiff.Remember(new Dictionary<string, NodeStatus>(), before), gone);
        Assert.Equal(WatchEventKind.SiloGone, Assert.Single(WatchDiff.Compare(known, before, gone)).Event);
        Assert.Equal([WatchEventKind.SiloBack, WatchEventKind.ReKeyed], WatchDiff.Compare(known, gone, back).Select(e => e.Event));
    }

    [Fact]
    public void Line_Event_IsOneLineOfJson()
    {
        var line = MeshJson.Line(new WatchEvent(
            TestMesh.Start, WatchEventKind.ReKeyed, "node-1")
        { Slot = Slot.One, Epoch = new Epoch(3), Key = TestMesh.Key(1) });
        Assert.DoesNotContain('\n', line);
        Assert.Contains(
            "\"event\":\"ReKeyed\",\"nodeName\":\"node-1\",\"peer\":null,\"slot\":1,\"epoch\":3", line, StringComparison.Ordinal);
    }

    private static (WatchEventKind, string, PublicKey?)[] Brief(MeshSnapshot before, MeshSnapshot after) =>
        [.. WatchDiff.Compare(before, after).Select(e => (e.Event, e.NodeName, e.Key))];

    private static NodeOutcome Outcome(NodeOutcomeKind kind) => new("node-1", kind, "why");

    private static MeshSnapshot Mesh(params MeshNode[] nodes) => new(TestMesh.Start, [.. nodes], []);

    private static MeshNode Gone(int node) => new(TestMesh.Name(node), null, []);

    // Node 1 and 2 are each other's peers; held and path are the keys of the other that this one's device has and sends to.
    private static MeshNode Node(int node, int? key = null, int? held = null, int? path = null, RotationStatus? rotation = null)
    {
        var other = 3 - node;
        var peer = new PeerStatus(TestMesh.Name(other), TestMesh.Key(held ?? other), null, [], null, 0, 0, PeerState.Up);
        var own = TestMesh.Key(key ?? node);
        return new MeshNode(
            TestMesh.Name(node),
            TestMesh.Status(node) with
            {
                Slots = [new SlotStatus(Slot.Zero, own, new Epoch(1), TestMesh.Start) { Phase = SlotPhase.Carrying }],
                Devices = [new DeviceStatus(Slot.Zero, "cilium_wg0", Transport.Uapi, own, TestMesh.ListenPort, 1420, [peer])],
                Paths = [new PathStatus(TestMesh.Name(other), Slot.Zero, TestMesh.Key(path ?? other), true)],
                Rotation = rotation ?? new(),
            },
            []);
    }
}
