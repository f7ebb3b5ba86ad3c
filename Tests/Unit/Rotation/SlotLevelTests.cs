using Orleans.WireGuard.Grains.Rotation;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.Unit.Rotation;

/// <summary>Which slot a pair belongs on, and whether a peer may come back to one.</summary>
public sealed class SlotLevelTests
{
    // Of our key of slot 1.
    private static readonly Epoch Serves = new(79);

    [Theory]
    [InlineData(80L, 79L, false)]
    [InlineData(82L, 81L, false)]
    [InlineData(78L, 79L, true)]
    [InlineData(79L, 79L, true)]
    [InlineData(78L, 77L, true)]
    [InlineData(null, 81L, true)]
    [InlineData(80L, null, false)]
    public void MayMove_PeerWithKeys_TellsWhetherTheOtherOneIsBehind(long? slotZero, long? slotOne, bool expected) =>
        Assert.Equal(expected, SlotLevel.MayMove(Slot.One, Serves, otherServes: new Epoch(80), Announced(slotZero, slotOne)));

    // A silo that was away for a while finds its other key behind, and the pair's level there is no higher than that.
    [Theory]
    [InlineData(80L, false)]
    [InlineData(79L, true)]
    [InlineData(78L, true)]
    [InlineData(null, true)]
    public void MayMove_OwnOtherKey_CountsAsWell(long? otherServes, bool expected) =>
        Assert.Equal(expected, SlotLevel.MayMove(Slot.One, Serves, otherServes is { } epoch ? new Epoch(epoch) : null, Announced(80, 79)));

    private static PeerAnnouncement Announced(long? slotZero, long? slotOne)
    {
        var epochs = new[] { slotZero, slotOne };
        var slots = from index in Enumerable.Range(0, Slot.Count)
                    where epochs[index] is not null
                    select new SlotAnnouncement(
                        new Slot((byte)index), TestMesh.Key(index + 1), new Epoch(epochs[index]!.Value), TestMesh.ListenPort);
        return TestMesh.Announce(2) with { Slots = slots.ToEquatableArray() };
    }
}
