using Orleans.WireGuard.Grains.Keys;
using Orleans.WireGuard.Grains.Rotation;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.Unit.Rotation;

/// <summary>For which epoch an adopted key counts, and one that a wrong clock made.</summary>
public sealed class KeyEpochsTests : IDisposable
{
    private static readonly RotationSchedule Schedule = new("node-1", TimeSpan.FromSeconds(120), slots: 2);
    private static readonly Epoch Due = new(12);
    private readonly KeyPair _keyPair = KeyPair.Create();

    [Fact]
    public void Correct_FormerSiloSaysItIsOlder_IsAsOldAsThat()
    {
        var corrected = KeyEpochs.Correct(Key(12, 12), Former(8, 10), null, Due, Schedule);
        Assert.Equal((new Epoch(8), new Epoch(10), Schedule.RotationAt(new Epoch(8))), (corrected.Epoch, corrected.ServesEpoch, corrected.CreatedAt));
    }

    [Fact]
    public void Correct_FormerSiloHadAClockThatWasAhead_StaysAsItIs() => Assert.Equal(Key(12, 12), KeyEpochs.Correct(Key(12, 12), Former(14, 14), null, Due, Schedule));

    // A former silo with a better clock kept it, and peers have moved by what that announced.
    [Fact]
    public void Correct_FormerSiloKeptItForTheNextEpoch_ServesAsLong()
    {
        var corrected = KeyEpochs.Correct(Key(11, 11), Former(9, 13), null, Due, Schedule);
        Assert.Equal((new Epoch(9), new Epoch(13), Schedule.RotationAt(new Epoch(9))), (corrected.Epoch, corrected.ServesEpoch, corrected.CreatedAt));
    }

    [Fact]
    public void Correct_NobodyKnowsTheKey_StaysAsItIs()
    {
        Assert.Equal(Key(12, 12), KeyEpochs.Correct(Key(12, 12), null, null, Due, Schedule));
        Assert.Equal(Key(12, 12), KeyEpochs.Correct(Key(12, 12), TestMesh.Announce(1), null, Due, Schedule));
    }

    // Peers that heard of it move to the slot meanwhile.
    [Fact]
    public void Correct_AnnouncedOrKept_IsOlderButServesAsLong()
    {
        var announced = KeyEpochs.Correct(Key(12, 12), Former(8, 8), Former(12, 12), Due, Schedule);
        var kept = KeyEpochs.Correct(Key(10, 12), Former(8, 8), null, Due, Schedule);
        Assert.Equal((new Epoch(8), new Epoch(12)), (announced.Epoch, announced.ServesEpoch));
        Assert.Equal((new Epoch(8), new Epoch(12)), (kept.Epoch, kept.ServesEpoch));
    }

    // The next epoch's key is what 'owg rotate --all' makes.
    [Fact]
    public void WithoutFuture_NextEpoch_StaysAsItIs() => Assert.Equal(Key(12, 12), KeyEpochs.WithoutFuture(Key(12, 12), new Epoch(11), Schedule));

    [Theory]
    [InlineData(10, 10)]
    [InlineData(9, 8)]
    public void WithoutFuture_LaterEpoch_IsTheLatestOfItsSlot(long due, long expected) =>
        Assert.Equal(Key(expected, expected), KeyEpochs.WithoutFuture(Key(12, 12), new Epoch(due), Schedule));

    public void Dispose() => _keyPair.Dispose();

    private SlotKey Key(long made, long serves) => new(Slot.Zero, _keyPair, new Epoch(made), TestMesh.Start) { ServesEpoch = new Epoch(serves) };

    private PeerAnnouncement Former(long made, long serves) => TestMesh.Announce(1) with
    {
        Slots = [new SlotAnnouncement(Slot.Zero, _keyPair.PublicKey, new Epoch(made), TestMesh.ListenPort) { ServesEpoch = new Epoch(serves) }],
    };
}
