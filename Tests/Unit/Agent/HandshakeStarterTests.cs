using CsCheck;
using Orleans.WireGuard.Grains.Clocks;
using Orleans.WireGuard.Linux.Devices;
using Orleans.WireGuard.Silo.Agent;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.Unit.Agent;

/// <summary>One side starts a handshake, and only when both are ready.</summary>
public sealed class HandshakeStarterTests
{
    private static readonly PeerAnnouncement Older = TestMesh.Announce(1, revision: 1);
    private static readonly PeerAnnouncement Newer = TestMesh.Announce(2, revision: 2);

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void ShouldStart_OlderAnnouncement_WhenAcknowledged(bool hasPeerApplied)
    {
        Assert.Equal(hasPeerApplied, HandshakeStarter.ShouldStart(Slot.Zero, Older, Newer, hasPeerApplied));
        Assert.False(HandshakeStarter.ShouldStart(Slot.Zero, Newer, Older, hasPeerApplied));
        Assert.False(HandshakeStarter.ShouldStart(Slot.Zero, null, Newer, hasPeerApplied));
    }

    [Fact]
    public void ShouldStart_SlotThatOneDoesNotUse_IsFalse()
    {
        Assert.False(HandshakeStarter.ShouldStart(Slot.One, Older, Newer, true));
        var both = Newer with { Slots = [.. Newer.Slots, new SlotAnnouncement(Slot.One, TestMesh.Key(22), default, 51872)] };
        Assert.False(HandshakeStarter.ShouldStart(Slot.One, Older, both, true));
        Assert.False(HandshakeStarter.ShouldStart(Slot.One, both with { Sequence = default }, Older, true));
    }

    // Sequences are equal often here; then the keys decide, and two nodes never have the same.
    [Fact]
    public void ShouldStart_AnyPair_IsOneSideOnly() =>
        Gen.Select(MeshGen.Announcement, MeshGen.Announcement).Sample((left, right) => Assert.Equal(
        left.Sequence != right.Sequence || left.Find(Slot.Zero)!.PublicKey != right.Find(Slot.Zero)!.PublicKey,
        HandshakeStarter.ShouldStart(Slot.Zero, left, right, true) != HandshakeStarter.ShouldStart(Slot.Zero, right, left, true)));
}

/// <summary>A handshake that a device shows proves the pair of keys that it has.</summary>
public sealed class KeyPairClockTests
{
    private static readonly PublicKey Local = TestMesh.Key(1);

    private readonly KeyPairClock _clock = new();

    [Fact]
    public void IsProven_AnyHandshakeThatTheDeviceShows_IsTrue()
    {
        Observe(Local, 10, Peer(2));
        Assert.False(_clock.IsProven(Slot.Zero, Peer(2)));
        Assert.False(_clock.IsProven(Slot.Zero, Peer(3, handshake: 11)));
        Assert.True(_clock.IsProven(Slot.Zero, Peer(2, handshake: 11)));

        // A former silo of this node may have seen it, or the clock may have been set.
        Assert.True(_clock.IsProven(Slot.Zero, Peer(2, handshake: 9)));
        Assert.Equal(At(10), _clock.Since(Slot.Zero, TestMesh.Key(2)));
    }

    [Fact]
    public void Observe_SamePairAgain_KeepsTheTime()
    {
        Observe(Local, 10, Peer(2));
        Observe(Local, 20, Peer(2), Peer(3));
        Assert.Equal((At(10), At(20)), (_clock.Since(Slot.Zero, TestMesh.Key(2)), _clock.Since(Slot.Zero, TestMesh.Key(3))));
    }

    [Fact]
    public void Observe_NewLocalKey_StartsOver()
    {
        Observe(Local, 10, Peer(2));
        Observe(TestMesh.Key(9), 20, Peer(2));
        Assert.Equal(At(20), _clock.Since(Slot.Zero, TestMesh.Key(2)));
    }

    [Fact]
    public void Observe_PeerWentAndCameBack_StartsOver()
    {
        Observe(Local, 10, Peer(2));
        Observe(Local, 20);
        Assert.Null(_clock.Since(Slot.Zero, TestMesh.Key(2)));
        Observe(Local, 30, Peer(2));
        Assert.Equal(At(30), _clock.Since(Slot.Zero, TestMesh.Key(2)));
    }

    [Fact]
    public void Observe_OtherSlot_IsAnotherDevice()
    {
        Observe(Local, 10, Peer(2));
        _clock.Observe(Slot.One, NewDevice(Local), At(20), Clock(20));
        Assert.Equal(At(10), _clock.Since(Slot.Zero, TestMesh.Key(2)));
        Assert.Null(_clock.Since(Slot.One, TestMesh.Key(2)));
    }

    [Fact]
    public void Observe_DeviceWithoutKey_ProvesNothing()
    {
        Observe(null, 10, Peer(2));
        Assert.False(_clock.IsProven(Slot.Zero, Peer(2, handshake: 11)));
    }

    private static SteadyTime At(int seconds) => TestMesh.SteadyAt(seconds);

    private static DateTimeOffset Clock(int seconds) => TestMesh.Start.AddSeconds(seconds);

    private static Device NewDevice(PublicKey? local, params DevicePeer[] peers) =>
        new("cilium_wg0", local, TestMesh.ListenPort, 0, [.. peers]);

    private static DevicePeer Peer(int node, int? handshake = null) =>
        new(TestMesh.Key(node), null, [], TimeSpan.Zero, handshake is { } seconds ? Clock(seconds) : null, 0, 0);

    private void Observe(PublicKey? local, int seconds, params DevicePeer[] peers) =>
        _clock.Observe(Slot.Zero, NewDevice(local, peers), At(seconds), Clock(seconds));
}
