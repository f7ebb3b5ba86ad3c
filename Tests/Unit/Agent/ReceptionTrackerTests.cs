using Orleans.WireGuard.Grains.Agent;
using Orleans.WireGuard.Grains.Clocks;
using Orleans.WireGuard.Linux.Devices;
using Orleans.WireGuard.Silo.Agent;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.Unit.Agent;

/// <summary>Data of a peer is told from its handshakes and keepalives.</summary>
public sealed class ReceptionTrackerTests
{
    private static readonly Dictionary<PublicKey, string> Names = new() { [TestMesh.Key(2)] = "node-2", [TestMesh.Key(3)] = "node-3" };

    private readonly ReceptionTracker _tracker = new();

    [Fact]
    public void Note_Data_IsOfThePeerWhoseBytesGrew()
    {
        Note(1, packets: 1, (2, 64), (3, 0));
        Assert.Equal([new Reception("node-2", Slot.Zero, At(1))], _tracker.Receptions);
    }

    // An initiation has 148 bytes, a response 92; the link counts neither.
    [Theory]
    [InlineData(148)]
    [InlineData(92)]
    [InlineData(148 + 32)]
    public void Note_HandshakeOfAQuietPeer_IsNoData(long bytes)
    {
        Note(1, packets: 0, (2, bytes));
        Assert.Empty(_tracker.Receptions);
    }

    [Fact]
    public void Note_KeepaliveBesideDataOfAnother_IsNoData()
    {
        Note(1, packets: 1, (2, 32), (3, 64));
        Assert.Equal([new Reception("node-3", Slot.Zero, At(1))], _tracker.Receptions);
    }

    [Fact]
    public void Note_NothingSinceTheLastLook_KeepsTheTime()
    {
        Note(1, packets: 1, (2, 64));
        Note(2, packets: 1, (2, 64));
        Assert.Equal(At(1), Assert.Single(_tracker.Receptions).LastAt);
        Note(3, packets: 2, (2, 128));
        Assert.Equal(At(3), Assert.Single(_tracker.Receptions).LastAt);
    }

    [Fact]
    public void Note_PeerBeganAfresh_CountsFromZero()
    {
        Note(1, packets: 1, (2, 6400));
        Note(2, packets: 1);
        Note(3, packets: 2, (2, 64));
        Assert.Equal(At(3), Assert.Single(_tracker.Receptions).LastAt);
    }

    [Fact]
    public void Note_KeyOfNobody_IsLeftOut()
    {
        Note(1, packets: 1, (4, 64));
        Assert.Empty(_tracker.Receptions);
    }

    private static SteadyTime At(int seconds) => TestMesh.SteadyAt(seconds);

    private void Note(int seconds, long packets, params (int Node, long Bytes)[] peers) => _tracker.Note(
        Slot.Zero,
        new Device(
            "cilium_wg0",
            TestMesh.Key(1),
            TestMesh.ListenPort,
            0,
            [.. peers.Select(peer => new DevicePeer(TestMesh.Key(peer.Node), null, [], TimeSpan.Zero, null, peer.Bytes, 0))]),
        packets,
        Names,
        At(seconds));
}
