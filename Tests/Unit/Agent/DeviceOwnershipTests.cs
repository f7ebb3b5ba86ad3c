using Orleans.WireGuard.Linux.Devices;
using Orleans.WireGuard.Linux.Routing;
using Orleans.WireGuard.Silo.Agent;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.Unit.Agent;

/// <summary>Our own leftovers are adopted, a device that somebody else configures is refused.</summary>
public sealed class DeviceOwnershipTests
{
    private const string Name = "cilium_wg0";

    private static readonly Dictionary<string, PeerAnnouncement> NoAnnouncements = [];

    [Fact]
    public void Judge_PeersOfTheRoster_IsOurs() => Assert.Equal(DeviceOwner.Ours, Judge(Device([Peer(2), Peer(3)])));

    [Fact]
    public void Judge_NoKeyOrNoPeers_IsOurs()
    {
        Assert.Equal(DeviceOwner.Ours, Judge(Device([])));
        Assert.Equal(DeviceOwner.Ours, Judge(Device([Stranger("10.9.0.0/16")]) with { PublicKey = null }));
    }

    // wg-quick: a whole network, or everything, behind one peer.
    [Theory]
    [InlineData("10.9.0.0/16")]
    [InlineData("0.0.0.0/0")]
    [InlineData("10.0.0.0/16")]
    public void Judge_PeerOfAnotherNetwork_IsSomebodyElses(string allowedIPs) =>
        Assert.Equal(DeviceOwner.SomebodyElse, Judge(Device([Peer(2), Stranger(allowedIPs)])));

    // Cilium's device has our name, and its peers carry pods and nodes one by one.
    [Fact]
    public void Judge_PodAddressesInsideOurPodCIDRs_IsSomebodyElses() =>
        Assert.Equal(DeviceOwner.SomebodyElse, Judge(Device([Stranger("10.0.2.7/32")])));

    // Ours carry nodes beside pods; in its tunnel mode Cilium's carry nodes alone.
    [Fact]
    public void Judge_NodeAddresses_ExplainAPeerBesidePodsOnly()
    {
        var node = IPPrefix.Host(TestMesh.Address(2));
        Assert.Equal(DeviceOwner.Ours, Judge(Device([Peer(2) with { AllowedIPs = [TestMesh.PodCIDR(2), node] }])));
        Assert.Equal(DeviceOwner.SomebodyElse, Judge(Device([Peer(2) with { AllowedIPs = [node] }])));
        Assert.Equal(
            DeviceOwner.Ours, Judge(Device([Peer(2) with { AllowedIPs = [node] }]), routes: [new Route(node, "cilium_wg1")]));
    }

    [Fact]
    public void Judge_FirewallMark_IsSomebodyElses()
    {
        Assert.Equal(DeviceOwner.SomebodyElse, Judge(Device([Peer(2)]) with { FirewallMark = 0xe00 }));
        Assert.Equal(DeviceOwner.SomebodyElse, Judge(Device([]) with { FirewallMark = 0xe00 }));
    }

    // Node 9 left the roster while the silo was down. Nobody else writes routes of our table with our protocol.
    [Fact]
    public void Judge_OurRouteLeadsThroughIt_IsOurs() => Assert.Equal(
        DeviceOwner.Ours, Judge(Device([Peer(9)]), routes: [new Route(TestMesh.PodCIDR(9), Name)]));

    // The same on the slot that carries nothing: the routes lead through the other one.
    [Fact]
    public void Judge_OurRoutesToItsPeersLeadThroughTheOtherSlot_IsOurs() => Assert.Equal(
        DeviceOwner.Ours, Judge(Device([Peer(2), Peer(9)]), routes: [new Route(TestMesh.PodCIDR(9), "cilium_wg1")]));

    [Fact]
    public void Judge_OurRoutesToOtherPeersLeadThroughTheOtherSlot_ProvesNothing() => Assert.Equal(
        DeviceOwner.SomebodyElse, Judge(Device([Peer(2), Peer(9)]), routes: [new Route(TestMesh.PodCIDR(2), "cilium_wg1")]));

    [Fact]
    public void Judge_OurRouteLeadsElsewhere_ProvesNothing() => Assert.Equal(
        DeviceOwner.SomebodyElse, Judge(
            Device([Peer(9)]), routes: [new Route(TestMesh.PodCIDR(9), "eth0"), Route.Unreachable(TestMesh.PodCIDR(9))]));

    // Of two devices one carries nothing, and without the roster only the other one's routes tell whose its peers are.
    [Fact]
    public void Judge_OurRoutesLeadThroughTheOtherDevice_ExplainItsPeers()
    {
        EquatableArray<Route> routes = [new Route(TestMesh.PodCIDR(9), "cilium_wg1")];
        Assert.Equal(DeviceOwner.Ours, Judge(Device([Peer(9)]), routes: routes, isRosterKnown: false));
        Assert.Equal(DeviceOwner.Unknown, Judge(Device([Peer(8), Peer(9)]), routes: routes, isRosterKnown: false));
        Assert.Equal(DeviceOwner.SomebodyElse, Judge(Device([Peer(9), Stranger("10.9.0.0/16")]), routes: routes));
    }

    [Fact]
    public void Judge_KeyThatThisNodeAnnounced_IsOurs() => Assert.Equal(DeviceOwner.Ours, DeviceOwnership.Judge(
        Device([Peer(9)]), TestMesh.Name(1), TestMesh.Roster(1, 2), Announcements(TestMesh.Announce(1, TestMesh.Key(1))), []));

    [Fact]
    public void Judge_KeyThatAnotherNodeAnnounced_ProvesNothing() => Assert.Equal(DeviceOwner.SomebodyElse, DeviceOwnership.Judge(
        Device([Peer(9)]), TestMesh.Name(1), TestMesh.Roster(1, 2), Announcements(TestMesh.Announce(2, TestMesh.Key(1))), []));

    [Fact]
    public void Judge_PeersThatAnnouncementsExplain_IsOurs() => Assert.Equal(DeviceOwner.Ours, DeviceOwnership.Judge(
        Device([Peer(9)]), TestMesh.Name(1), TestMesh.Roster(1, 2), Announcements(TestMesh.Announce(9)), []));

    [Fact]
    public void Judge_RosterUnknown_Waits()
    {
        Assert.Equal(DeviceOwner.Unknown, DeviceOwnership.Judge(Device([Peer(2)]), TestMesh.Name(1), null, NoAnnouncements, []));
        Assert.Equal(DeviceOwner.Ours, DeviceOwnership.Judge(Device([]), TestMesh.Name(1), null, NoAnnouncements, []));
    }

    [Fact]
    public void Describe_Stranger_NamesWhatWasSeenAndThreeWaysOut()
    {
        var text = DeviceOwnership.Describe(
            Device([Stranger("10.9.0.0/16")]) with { FirewallMark = 0xe00 }, TestMesh.Roster(1, 2), NoAnnouncements, []);
        foreach (var part in (string[])[Name, TestMesh.Key(1).ToShortString(), TestMesh.Key(99)
            .ToShortString(), "10.9.0.0/16", "0xe00", "wg-quick", "ip link delete", "Device:TakeOver"])
        {
            Assert.Contains(part, text, StringComparison.Ordinal);
        }

        Assert.DoesNotContain('\n', text);
    }

    private static DeviceOwner Judge(Device device, EquatableArray<Route> routes = default, bool isRosterKnown = true) =>
        DeviceOwnership.Judge(device, TestMesh.Name(1), isRosterKnown ? TestMesh.Roster(1, 2, 3) : null, NoAnnouncements, routes);

    private static Dictionary<string, PeerAnnouncement> Announcements(PeerAnnouncement announcement) =>
        new() { [announcement.NodeName] = announcement };

    private static Device Device(EquatableArray<DevicePeer> peers) => new(Name, TestMesh.Key(1), TestMesh.ListenPort, 0, peers);

    private static DevicePeer Peer(int node) =>
        new(TestMesh.Key(node), TestMesh.Endpoint(node), [TestMesh.PodCIDR(node)], TimeSpan.Zero, null, 0, 0);

    private static DevicePeer Stranger(string allowedIPs) =>
        new(TestMesh.Key(99), TestMesh.Endpoint(99), [IPPrefix.Parse(allowedIPs)], TimeSpan.Zero, null, 0, 0);
}
