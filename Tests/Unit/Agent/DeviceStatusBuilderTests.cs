using Orleans.WireGuard.Linux.Devices;
using Orleans.WireGuard.Silo.Agent;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.Unit.Agent;

/// <summary>A device as people see it: peers by the names of their nodes.</summary>
public sealed class DeviceStatusBuilderTests
{
    [Fact]
    public void Build_Golden_NamesAndJudgesThePeers()
    {
        var clock = new KeyPairClock();
        var device = new Device(
            "cilium_wg0",
            TestMesh.Key(1),
            TestMesh.ListenPort,
            0,
            [
                new DevicePeer(TestMesh.Key(2), TestMesh.Endpoint(2), [TestMesh.PodCIDR(2)], TimeSpan.Zero, TestMesh.Start, 20, 21),
                new DevicePeer(TestMesh.Key(3), null, [], TimeSpan.Zero, null, 0, 0),
                new DevicePeer(TestMesh.Key(9), null, [], TimeSpan.Zero, null, 0, 0),
            ]);
        clock.Observe(Slot.Zero, device, TestMesh.SteadyAt(0), TestMesh.Start);
        var announcements = new[] { TestMesh.Announce(1), TestMesh.Announce(2), TestMesh.Announce(3), SlotOneOnly(9) }
            .ToDictionary(announcement => announcement.NodeName);
        var status = DeviceStatusBuilder.Build(Slot.Zero, device, Transport.Uapi, 1420, announcements, clock, TestMesh.SteadyAt(100));
        Assert.Equal(
            new DeviceStatus(
                Slot.Zero,
                "cilium_wg0",
                Transport.Uapi,
                TestMesh.Key(1),
                TestMesh.ListenPort,
                1420,
                [
                    new PeerStatus(null, TestMesh.Key(9), null, [], null, 0, 0, PeerState.Unknown),
                    new PeerStatus(
                        "node-2", TestMesh.Key(2), TestMesh.Endpoint(2), [TestMesh.PodCIDR(2)], TestMesh.Start, 20, 21, PeerState.Up),
                    new PeerStatus("node-3", TestMesh.Key(3), null, [], null, 0, 0, PeerState.Unknown),
                ]),
            status);
        Assert.All(
            DeviceStatusBuilder.Build(Slot.Zero, device, Transport.Uapi, 1420, announcements, clock, TestMesh.SteadyAt(0)
                + PeerStateCalculator.DownAfter).Peers,
            peer => Assert.Equal(PeerState.Down, peer.State));
    }

    // Its key of slot 1 says nothing about a peer of slot 0.
    private static PeerAnnouncement SlotOneOnly(int node) => TestMesh.Announce(node) with
    {
        Slots = [new SlotAnnouncement(Slot.One, TestMesh.Key(node), default, 51872)],
    };
}
