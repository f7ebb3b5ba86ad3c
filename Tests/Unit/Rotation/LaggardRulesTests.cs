using Orleans.WireGuard.Grains.Rotation;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.Unit.Rotation;

/// <summary>A peer that may depend on a key is named, and no other.</summary>
public sealed class LaggardRulesTests
{
    private static readonly PublicKey Key = TestMesh.Key(1);

    // It has moved to slot 1 in both directions.
    private static readonly PeerFacts Moved =
        new("node-2", IsLive: true, HasHandshake: true, HasAnswered: true, Through(
            Slot.One, TestMesh.Key(11)), IsPathKnown: true, Slot.One, null, MayMoveHere: false);

    [Fact]
    public void Find_PeerThatMoved_IsNone() => Assert.Null(Reason(Moved));

    [Fact]
    public void Find_PeerThatSendsThroughTheSlot_IsNamed() =>
        Assert.Equal(LaggingReason.Sends, Reason(Moved with { Path = Through(Slot.Zero, Key) }));

    // Without a handshake it could not be cut off from the present key; with one it is about to use it.
    [Fact]
    public void Find_PeerThatSendsToAnotherKeyOfTheSlot_IsNamedAfterAHandshake()
    {
        var late = Moved with { Path = Through(Slot.Zero, TestMesh.Key(9)) };
        Assert.NotNull(Reason(late));
        Assert.Null(Reason(late with { HasHandshake = false }));
    }

    [Fact]
    public void Find_SilentPeer_CountsByWhatItSaidLast()
    {
        var silent = Moved with { HasAnswered = false };
        Assert.Null(Reason(silent));
        Assert.Equal(LaggingReason.SentLast, Reason(silent with { Path = Through(Slot.Zero, Key) }));
        Assert.Equal(LaggingReason.PathUnknown, Reason(silent with { Path = null, IsPathKnown = false }));
    }

    // It moves at its next handshake; a silo that is silent may have moved it already, and its pods may be silent too.
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Find_PeerThatHadShakenHandsOnNoOtherSlot_IsNamed(bool hasAnswered)
    {
        var peer = Moved with { HasAnswered = hasAnswered };
        Assert.Equal(LaggingReason.NoOtherHandshake, Reason(peer with { Path = null }));
        Assert.Equal(
            LaggingReason.NoOtherHandshake, Reason(peer with { Path = Through(Slot.One, TestMesh.Key(11)) with { IsProven = false } }));
    }

    // Between its answer and the end of the key it could shake hands there and move.
    [Fact]
    public void Find_PeerThatMayStillMoveThere_IsNamed()
    {
        var arriving = Moved with { MayMoveHere = true };
        Assert.Equal(LaggingReason.MayMove, Reason(arriving));
        Assert.NotNull(Reason(arriving with { HasHandshake = false }));
        Assert.Null(Reason(arriving, isOnly: true));
        Assert.Null(Reason(arriving with { IsLive = false }));
    }

    [Fact]
    public void Find_DataThatStillComesIn_IsNamed()
    {
        Assert.Equal(LaggingReason.PacketsArrive, Reason(Moved with { LastDataAt = TestMesh.SteadyAt(0) + TimeSpan.FromTicks(1) }));
        Assert.Null(Reason(Moved with { LastDataAt = TestMesh.SteadyAt(0) }));
    }

    [Fact]
    public void Find_PeerThatWeSendToThroughTheSlot_IsNamed() =>
        Assert.Equal(LaggingReason.IsSentTo, Reason(Moved with { OwnSlot = Slot.Zero }));

    [Fact]
    public void Find_PeerThatIsDeadOrNeverShookHands_IsNone()
    {
        var lagging = Moved with { Path = Through(Slot.Zero, Key) };
        Assert.Null(Reason(lagging with { IsLive = false }));
        Assert.Null(Reason(lagging with { HasHandshake = false, Path = Through(Slot.Zero, Key) with { IsProven = false } }));
    }

    // It started the handshake and has moved; until its first packet our device shows none.
    [Fact]
    public void Find_PeerThatHasCompletedTheHandshakeAlone_IsNamed() =>
        Assert.NotNull(Reason(Moved with { Path = Through(Slot.Zero, Key), HasHandshake = false }));

    // There everybody sends through the slot; whoever answers learns the new key.
    [Fact]
    public void Find_OnlySlot_NamesWhoDoesNotAnswer()
    {
        var peer = Moved with { Path = Through(Slot.Zero, Key), OwnSlot = Slot.Zero };
        Assert.Null(Reason(peer, isOnly: true));
        Assert.Equal(LaggingReason.WouldNotLearnKey, Reason(peer with { HasAnswered = false }, isOnly: true));
    }

    [Fact]
    public void Find_Several_AreInOrderOfTheirNames()
    {
        var lagging = Moved with { OwnSlot = Slot.Zero };
        Assert.Equal(
            ["node-2", "node-3"],
            LaggardRules.Find(Slot.Zero, Key, false, [lagging with { NodeName = "node-3" }, lagging], TestMesh.SteadyAt(0))
                .Select(node => node.NodeName));
    }

    private static PathStatus Through(Slot slot, PublicKey key) => new("node-1", slot, key, IsProven: true);

    private static LaggingReason? Reason(PeerFacts peer, bool isOnly = false)
    {
        var lagging = LaggardRules.Find(Slot.Zero, Key, isOnly, [peer], TestMesh.SteadyAt(0)).SingleOrDefault();
        Assert.Equal(Slot.Zero, lagging?.Slot ?? Slot.Zero);
        return lagging?.Reason;
    }
}
