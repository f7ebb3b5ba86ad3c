using CsCheck;
using Orleans.WireGuard.Grains.Rotation;
using Orleans.WireGuard.Keys;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.Unit.Rotation;

/// <summary>For which epoch an adopted key counts, and one that a wrong clock made.</summary>
public sealed class KeyEpochsTests : IDisposable
{
    private static readonly RotationSchedule Schedule = new("node-1", TimeSpan.FromSeconds(120), slots: 2);
    private static readonly DateTimeOffset Now = Schedule.RotationAt(new Epoch(12));
    private readonly KeyPair _keyPair = KeyPair.Create();

    [Fact]
    public void Correct_FormerSiloSaysItIsOlder_IsAsOldAsThat()
    {
        var corrected = Correct(Key(12, 12), Former(8, 10), null);
        Assert.Equal((new Epoch(
            8), new Epoch(10), Schedule.RotationAt(new Epoch(8))), (corrected.Epoch, corrected.ServesEpoch, corrected.CreatedAt));
    }

    [Fact]
    public void Correct_FormerSiloHadAClockThatWasAhead_StaysAsItIs() =>
        Assert.Equal(Key(12, 12), Correct(Key(12, 12), Former(14, 14), null));

    // A former silo with a better clock kept it, and peers have moved by what that announced.
    [Fact]
    public void Correct_FormerSiloKeptItForTheNextEpoch_ServesAsLong()
    {
        var corrected = Correct(Key(11, 11), Former(9, 13), null);
        Assert.Equal((new Epoch(
            9), new Epoch(13), Schedule.RotationAt(new Epoch(9))), (corrected.Epoch, corrected.ServesEpoch, corrected.CreatedAt));
    }

    [Fact]
    public void Correct_NobodyKnowsTheKey_StaysAsItIs()
    {
        Assert.Equal(Key(12, 12), Correct(Key(12, 12), null, null));
        Assert.Equal(Key(12, 12), Correct(Key(12, 12), TestMesh.Announce(1), null));
    }

    // Peers that heard of it move to the slot meanwhile.
    [Fact]
    public void Correct_AnnouncedOrKept_IsOlderButServesAsLong()
    {
        var announced = Correct(Key(12, 12), Former(8, 8), Former(12, 12));
        var kept = Correct(Key(10, 12), Former(8, 8), null);
        Assert.Equal((new Epoch(8), new Epoch(12)), (announced.Epoch, announced.ServesEpoch));
        Assert.Equal((new Epoch(8), new Epoch(12)), (kept.Epoch, kept.ServesEpoch));
    }

    // The next epoch's key is what 'owg rotate --all' makes.
    [Fact]
    public void WithoutFuture_NextEpoch_StaysAsItIs() =>
        Assert.Equal(Key(12, 12).Epochs, KeyEpochs.WithoutFuture(Key(12, 12).Epochs, new Epoch(11), Schedule));

    [Theory]
    [InlineData(10, 10)]
    [InlineData(9, 8)]
    public void WithoutFuture_LaterEpoch_IsTheLatestOfItsSlot(long due, long expected) =>
        Assert.Equal(Key(expected, expected).Epochs, KeyEpochs.WithoutFuture(Key(12, 12).Epochs, new Epoch(due), Schedule));

    // And as old as that by the clock that ages are told by, but never younger than this process has had it.
    [Fact]
    public void Correct_FormerSiloSaysItIsOlder_AgesByThat()
    {
        var held = Key(12, 12) with { MadeAt = TestMesh.SteadyAt(5), HeldSince = TestMesh.SteadyAt(5) };
        Assert.Equal(TestMesh.SteadyAt(10 - (4 * 120)), Correct(held, Former(8, 10), null).MadeAt);
        Assert.Equal(TestMesh.SteadyAt(5), Correct(held, Former(12, 13), null).MadeAt);
    }

    // Neither is it due again, nor does it take back what peers have chosen their slots by.
    [Fact]
    public void OfReplacement_AnyKey_IsNotDueAndServesNoLess() =>
        Gen.Select(Gen.Long[0, 20], Gen.Long[0, 20], Gen.Long[0, 20], Gen.Int[0, 1], Gen.Int[1, 2]).Sample(
        (made, serves, now, index, slots) =>
        {
            var schedule = new RotationSchedule("node-1", TimeSpan.FromSeconds(120), slots);
            var (due, slot) = (new Epoch(now), new Slot((byte)(slots == 1 ? 0 : index)));
            var old = Key(Math.Min(made, serves), serves) with { Slot = slot };
            var epoch = KeyEpochs.OfReplacement(old.Epochs, due, schedule);
            var key = new SlotKey(slot, _keyPair, epoch, TestMesh.Start);
            Assert.True(schedule.SlotOf(due) != slot || key.ServesEpoch >= due, $"{epoch} is replaced at once by {due}");
            Assert.True(
                key.ServesEpoch >= old.ServesEpoch || old.ServesEpoch.Value > due.Value + 1, $"{epoch} serves less than {old.ServesEpoch}");
            Assert.Equal(key.Epochs, KeyEpochs.WithoutFuture(key.Epochs, due, schedule));
        });

    public void Dispose() => _keyPair.Dispose();

    private static SlotKey Correct(SlotKey key, PeerAnnouncement? former, PeerAnnouncement? own) =>
        KeyEpochs.Correct(key, former, own, Schedule, Now, TestMesh.SteadyAt(10));

    private SlotKey Key(long made, long serves) =>
        new(Slot.Zero, _keyPair, new Epoch(made), TestMesh.Start) { ServesEpoch = new Epoch(serves) };

    private PeerAnnouncement Former(long made, long serves) => TestMesh.Announce(1) with
    {
        Slots = [
            new SlotAnnouncement(Slot.Zero, _keyPair.PublicKey, new Epoch(made), TestMesh.ListenPort) { ServesEpoch = new Epoch(serves) }],
    };
}
