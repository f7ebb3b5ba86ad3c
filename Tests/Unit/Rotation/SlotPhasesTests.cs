using CsCheck;
using Orleans.WireGuard.Grains.Rotation;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.Unit.Rotation;

/// <summary>The life of a slot.</summary>
public sealed class SlotPhasesTests
{
    private static readonly PathStatus ThroughOne = new("node-2", Slot.One, TestMesh.Key(2), IsProven: true);

    [Fact]
    public void Active_TwoKeys_IsTheLatest()
    {
        Assert.Equal(Slot.One, SlotPhases.Active([new Epoch(10), new Epoch(11)]));
        Assert.Equal(Slot.Zero, SlotPhases.Active([new Epoch(12), new Epoch(11)]));
        Assert.Equal(Slot.One, SlotPhases.Active([null, new Epoch(0)]));
        Assert.Null(SlotPhases.Active([null, null]));
    }

    // Whatever was made when and kept how long: the key that is shown as the node's is the one that a pair of such nodes sends with.
    [Fact]
    public void ActiveKey_AnyTwoKeys_IsThatOfThePathsAndOfTheStatus() =>
        Gen.Select(Gen.Long[0, 5], Gen.Long[0, 5], Gen.Long[0, 5], Gen.Long[0, 5]).Sample((made, kept, otherMade, otherKept) =>
    {
        SlotAnnouncement[] slots = [Announced(Slot.Zero, made, kept), Announced(Slot.One, otherMade, otherKept)];
        if (slots[0].ServesEpoch == slots[1].ServesEpoch)
        {
            return;
        }

        var active = SlotPhases.ActiveKey(TestMesh.Announce(1) with { Slots = [.. slots] });
        var candidates = slots.Select(slot =>
            new PathCandidate(slot.Slot, SlotLevel.Of(slot.ServesEpoch, slot.ServesEpoch), IsProven: true, IsFresh: true)).ToList();
        Assert.Equal(PathChooser.Choose(candidates, current: null), active!.Slot);
        Assert.Equal(SlotPhases.Active([slots[0].ServesEpoch, slots[1].ServesEpoch]), active.Slot);
        Assert.NotEqual(
            active.Slot, SlotPhases.FindDraining([.. slots.Select(slot => new SlotEpochs(slot.Slot, slot.KeyEpoch, slot.ServesEpoch))]));

        static SlotAnnouncement Announced(Slot slot, long made, long kept) =>
            new(slot, TestMesh.Key(1 + slot.Index), new Epoch(made), TestMesh.ListenPort) { ServesEpoch = new Epoch(made + kept) };
    });

    [Fact]
    public void Of_Slot_FollowsItsKeyAndTheTraffic()
    {
        Assert.Equal(SlotPhase.Idle, SlotPhases.Of(Slot.Zero, [null, new Epoch(11)], [ThroughOne]));
        Assert.Equal(SlotPhase.Draining, SlotPhases.Of(Slot.Zero, [new Epoch(10), new Epoch(11)], [ThroughOne]));
        Assert.Equal(SlotPhase.Carrying, SlotPhases.Of(Slot.One, [new Epoch(10), new Epoch(11)], [ThroughOne]));
        Assert.Equal(SlotPhase.Keyed, SlotPhases.Of(Slot.Zero, [new Epoch(12), new Epoch(11)], [ThroughOne]));
    }

    [Fact]
    public void FindDraining_TwoKeys_IsTheOneThatHadItsTurn()
    {
        Assert.Equal(Slot.Zero, SlotPhases.FindDraining([Key(Slot.Zero, 10, 10), Key(Slot.One, 11, 11)]));
        Assert.Equal(Slot.One, SlotPhases.FindDraining([Key(Slot.Zero, 12, 12), Key(Slot.One, 11, 11)]));
    }

    // Whoever has not heard that the key of 10 was kept may still move to the key of 11.
    [Fact]
    public void FindDraining_LatestWasOnlyKept_IsNone() =>
        Assert.Null(SlotPhases.FindDraining([Key(Slot.Zero, 10, 12), Key(Slot.One, 11, 11)]));

    [Fact]
    public void FindDraining_OneKey_IsNone() => Assert.Null(SlotPhases.FindDraining([Key(Slot.One, 11, 11)]));

    private static SlotEpochs Key(Slot slot, long made, long serves) => new(slot, new Epoch(made), new Epoch(serves));
}
