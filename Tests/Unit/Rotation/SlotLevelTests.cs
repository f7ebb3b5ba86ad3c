using Orleans.WireGuard.Grains.Rotation;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.Unit.Rotation;

/// <summary>Which slot a pair belongs on, and whether a peer may come back to one.</summary>
public sealed class SlotLevelTests
{
    // Our key of slot 1 serves epoch 79; the one of slot 0 serves a later one.
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
        Assert.Equal(expected, SlotLevel.MayMove(Slot.One, Serves, Announced(slotZero, slotOne)));

    private static PeerAnnouncement Announced(long? slotZero, long? slotOne)
    {
        var epochs = new[] { slotZero, slotOne };
        var slots = from index in Enumerable.Range(0, Slot.Count)
                    where epochs[index] is not null
                    select new SlotAnnouncement(new Slot((byte)index), TestMesh.Key(index + 1), new Epoch(epochs[index]!.Value), TestMesh.ListenPort);
        return TestMesh.Announce(2) with { Slots = slots.ToEquatableArray() };
    }
}
