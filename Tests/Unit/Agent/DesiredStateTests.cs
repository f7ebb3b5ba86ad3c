using System.Net;
using CsCheck;
using Orleans.WireGuard.Grains.Nodes;
using Orleans.WireGuard.Grains.Rotation;
using Orleans.WireGuard.Keys;
using Orleans.WireGuard.Linux.Devices;
using Orleans.WireGuard.Linux.Routing;
using Orleans.WireGuard.Silo.Agent;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.Unit.Agent;

/// <summary>What the device and the routes should be, and what may go (invariant I4).</summary>
public sealed class DesiredStateTests
{
    private static readonly HashSet<PublicKey> NoStarts = [];

    [Fact]
    public void BuildDevice_Announcements_AreThePeersInOrder()
    {
        var desired = Build(View(TestMesh.Roster(1, 2, 3), true, TestMesh.Announce(3), TestMesh.Announce(1), TestMesh.Announce(2)));
        Assert.Equal(
            [
                new DesiredPeer(TestMesh.Key(2), [TestMesh.Endpoint(2)], [TestMesh.PodCIDR(2)], TimeSpan.Zero),
                new DesiredPeer(TestMesh.Key(3), [TestMesh.Endpoint(3)], [TestMesh.PodCIDR(3)], TimeSpan.Zero),
            ],
            desired.Peers);
        Assert.Equal(("cilium_wg0", TestMesh.ListenPort), (desired.Name, desired.ListenPort));
        Assert.Null(desired.KeyPair);
    }

    [Fact]
    public void BuildDevice_MappedEndpoint_IsIPv4()
    {
        var mapped = TestMesh.Announce(2) with { Endpoints = [TestMesh.Address(2).MapToIPv6()] };
        Assert.Equal([TestMesh.Endpoint(2)], Assert.Single(Build(View(TestMesh.Roster(1, 2), true, mapped)).Peers).Endpoints);
    }

    [Fact]
    public void BuildDevice_KeyOfTheSlot_IsUsed()
    {
        using var zero = KeyPair.Create();
        using var one = KeyPair.Create();
        var view = View(null, false) with
        {
            Keys = [new SlotKey(Slot.Zero, zero, default, TestMesh.Start), new SlotKey(Slot.One, one, default, TestMesh.Start)],
        };
        Assert.Same(zero, Build(view).KeyPair);
        Assert.Same(one, DesiredState.BuildDevice(view, Slot.One, "cilium_wg1", 51872, null, NoStarts).KeyPair);
    }

    [Fact]
    public void BuildDevice_AnotherSlot_HasItsOwnKeysAndPorts()
    {
        var both = TestMesh.Announce(2) with
        {
            Slots = [new SlotAnnouncement(Slot.Zero, TestMesh.Key(2), default, 51871), new SlotAnnouncement(
                Slot.One, TestMesh.Key(22), default, 51872)],
        };
        var desired = DesiredState.BuildDevice(
            View(null, false, both, TestMesh.Announce(3)), Slot.One, "cilium_wg1", 51872, null, NoStarts);
        var peer = Assert.Single(desired.Peers);
        Assert.Equal((TestMesh.Key(22), 51872), (peer.PublicKey, peer.Endpoints[0].Port));
    }

    [Fact]
    public void BuildDevice_StartHandshake_TurnsKeepaliveOnForThatPeer()
    {
        var view = View(TestMesh.Roster(1, 2, 3), true, TestMesh.Announce(2), TestMesh.Announce(3));
        var desired = DesiredState.BuildDevice(
            view, Slot.Zero, "cilium_wg0", TestMesh.ListenPort, null, new HashSet<PublicKey> { TestMesh.Key(3) });
        Assert.Equal([TimeSpan.Zero, HandshakeStarter.StartInterval], desired.Peers.Select(peer => peer.PersistentKeepaliveInterval));
    }

    [Theory]
    [InlineData(false, false)]
    [InlineData(true, false)]
    [InlineData(false, true)]
    public void BuildDevice_BeforeEverySourceAnswered_KeepsEveryPeer(bool hasRoster, bool isSynced)
    {
        var observed = Observed(Peer(2), Peer(9));
        var desired = Build(View(hasRoster ? TestMesh.Roster(1, 2) : null, isSynced), observed);
        Assert.True(DevicePatchBuilder.Build(desired, observed).IsEmpty);
    }

    [Fact]
    public void BuildDevice_BeforeSyncAnyObserved_RemovesNothing() =>
        Gen.Select(Gen.Bool, Gen.Bool, Gen.Int[2, 6].Array[0, 5], Gen.Int[2, 6].Array[0, 5])
            .Sample((hasRoster, isSynced, held, announced) =>
        {
            var view = View(hasRoster ? TestMesh.Roster(1, 2) : null, isSynced && !hasRoster, [
                .. announced.Distinct().Select(node => TestMesh.Announce(node))]);
            var observed = Observed([.. held.Distinct().Order().Select(Peer)]);
            Assert.DoesNotContain(
                DevicePatchBuilder.Build(Build(view, observed), observed).Peers, change => change.Change == PeerChange.Remove);
        });

    // That node's silo is down; its tunnels are not.
    [Fact]
    public void BuildDevice_RosteredNodeWithoutAnnouncement_KeepsItsPeer()
    {
        var observed = Observed(Peer(2), Peer(3) with { PersistentKeepaliveInterval = TimeSpan.FromSeconds(25) });
        var desired = Build(View(TestMesh.Roster(1, 2, 3), true, TestMesh.Announce(2)), observed);
        Assert.True(DevicePatchBuilder.Build(desired, observed).IsEmpty);
    }

    [Fact]
    public void BuildDevice_NodeThatLeft_LosesItsPeer()
    {
        var observed = Observed(Peer(2), Peer(3));
        Assert.Equal([TestMesh.Key(2)], Keys(Build(View(TestMesh.Roster(1, 2), true, TestMesh.Announce(2)), observed)));
        Assert.Equal(
            [TestMesh.Key(2)], Keys(Build(View(TestMesh.Roster(1, 2), true, TestMesh.Announce(2), TestMesh.Announce(3)), observed)));
    }

    [Fact]
    public void BuildDevice_SupersededKey_LosesItsPeer() => Assert.Equal(
        [TestMesh.Key(22)], Keys(Build(View(TestMesh.Roster(1, 2), true, TestMesh.Announce(2, TestMesh.Key(22))), Observed(Peer(2)))));

    // Before sync the old peer stays, but the prefix goes to the announced one: a prefix has one peer of a device.
    [Fact]
    public void BuildDevice_SupersededKeyBeforeSync_LosesThePrefixOnly()
    {
        var desired = Build(View(null, false, TestMesh.Announce(2, TestMesh.Key(22))), Observed(Peer(2)));
        Assert.Equal([TestMesh.Key(2), TestMesh.Key(22)], Keys(desired));
        Assert.Equal([[], [TestMesh.PodCIDR(2)]], desired.Peers.Select(peer => peer.AllowedIPs));
    }

    [Fact]
    public void BuildDevice_PeerOfNobody_Goes() =>
        Assert.Empty(Build(View(TestMesh.Roster(1, 2), true), Observed(Peer(9))).Peers);

    // What carries this node's own prefix is not another node's.
    [Fact]
    public void BuildDevice_PeerWithOurOwnPrefix_Goes() =>
        Assert.Empty(Build(View(TestMesh.Roster(1, 2), true), Observed(Peer(9) with { AllowedIPs = [TestMesh.PodCIDR(1)] })).Peers);

    // Accepted once, and then the roster changed: what it does not explain is not sent to the peer, and its keys go on.
    [Fact]
    public void BuildDeviceAndRoutes_PrefixThatTheRosterDoesNotExplain_IsNotRouted()
    {
        var announcement = TestMesh.Announce(2) with { AllowedIPs = [IPPrefix.Parse("8.0.0.0/8"), TestMesh.PodCIDR(2)] };
        var view = View(TestMesh.Roster(1, 2), true, announcement);
        Assert.Equal([TestMesh.PodCIDR(2)], Assert.Single(Build(view).Peers).AllowedIPs);
        Assert.Equal([new Route(TestMesh.PodCIDR(2), "cilium_wg0")], Routes(view, new() { [TestMesh.Name(2)] = "cilium_wg0" }, []));

        var shrunk = NodeRoster.Of([TestMesh.RosterNode(1), TestMesh.RosterNode(2) with { PodCIDRs = [IPPrefix.Parse("10.0.2.64/26")] }]);
        Assert.Equal([IPPrefix.Parse("10.0.2.64/26")], Assert.Single(Build(View(shrunk, true, announcement)).Peers).AllowedIPs);
        var bare = NodeRoster.Of([TestMesh.RosterNode(1), TestMesh.RosterNode(2) with { PodCIDRs = [] }]);
        var peer = Assert.Single(Build(View(bare, true, announcement)).Peers);
        Assert.Equal((TestMesh.Key(2), 0), (peer.PublicKey, peer.AllowedIPs.Count));

        // Until the roster is known nothing better is.
        Assert.Equal(announcement.AllowedIPs, Assert.Single(Build(View(null, true, announcement)).Peers).AllowedIPs);
    }

    // Cilium's definition without an object of ours, say: such a list is not that of our mesh.
    [Theory]
    [InlineData()]
    [InlineData(2)]
    [InlineData(9)]
    public void BuildDevice_RosterWithoutThisNode_RemovesNobody(params int[] listed)
    {
        var view = View(TestMesh.Roster(listed), true, TestMesh.Announce(2), TestMesh.Announce(3));
        Assert.False(view.MayRemove);
        Assert.Equal([TestMesh.Key(2), TestMesh.Key(3), TestMesh.Key(4)], Keys(Build(view, Observed(Peer(4)))));
    }

    [Fact]
    public void BuildRoutes_Peers_AreTheirPrefixesInOrder() => Assert.Equal(
        [new Route(TestMesh.PodCIDR(2), "cilium_wg0"), new Route(TestMesh.PodCIDR(3), "cilium_wg0")],
        Routes(View(null, false, TestMesh.Announce(3), TestMesh.Announce(2)), [], []));

    [Fact]
    public void BuildRoutes_PathThroughTheOtherSlot_TakesThePlaceOfTheOldRoute() => Assert.Equal(
        [new Route(TestMesh.PodCIDR(2), "cilium_wg1")],
        Routes(View(null, false, TestMesh.Announce(2)), new() { [TestMesh.Name(2)] = "cilium_wg1" }, [
            new Route(TestMesh.PodCIDR(2), "cilium_wg0")]));

    // After a restart nobody has announced anything yet, and the traffic goes on where it went.
    [Fact]
    public void BuildRoutes_PeerThatNobodyExplains_KeepsItsRoute()
    {
        var view = View(null, false);
        DesiredDevice[] devices = [Build(view, Observed(Peer(2))), Build(view, Observed(Peer(2))) with { Name = "cilium_wg1" }];
        var kept = new Route(TestMesh.PodCIDR(2), "cilium_wg1");
        Assert.Equal([kept], DesiredState.BuildRoutes(view, devices, new Dictionary<string, string>(), [kept]));
    }

    // A former silo used two slots; what is no device of ours was never told to be a tunnel.
    [Fact]
    public void BuildRoutes_DeviceThatIsNotUsedAnyMore_KeepsItsRouteUntilItsNodeAnnouncesItself()
    {
        var leftover = new Route(TestMesh.PodCIDR(2), "cilium_wg1");
        EquatableArray<Route> observed = [leftover, new Route(TestMesh.PodCIDR(3), "eth0"), Route.Unreachable(TestMesh.PodCIDR(3))];
        Assert.Equal([leftover], Routes(View(null, false), [], observed));
        Assert.Equal([leftover], Routes(View(TestMesh.Roster(1, 2), true), [], observed));
        Assert.Empty(Routes(View(TestMesh.Roster(1, 3), true), [], observed));
        Assert.Equal(
            [leftover with { DeviceName = "cilium_wg0" }],
            Routes(View(TestMesh.Roster(1, 2), true, TestMesh.Announce(2)), new() { [TestMesh.Name(2)] = "cilium_wg0" }, observed));
    }

    [Fact]
    public void BuildDevice_IdleSlot_HasNeitherKeyNorPeers()
    {
        using var pair = KeyPair.Create();
        var view = View(TestMesh.Roster(1, 2), true, TestMesh.Announce(2)) with
        {
            Keys = [new SlotKey(Slot.One, pair, new Epoch(1), TestMesh.Start)],
            IsSettled = true,
        };
        var device = Build(view, Observed(Peer(2)));
        Assert.True(device.IsKeyless);
        Assert.Empty(device.Peers);

        // Before the keys of the devices are known, none is taken away.
        Assert.False(Build(view with { IsSettled = false }, Observed(Peer(2))).IsKeyless);
    }

    [Fact]
    public void BuildDeviceAndRoutes_NodeAddresses_AreCarriedWhileThePathIsProven()
    {
        var roster = NodeRoster.Of(
        [
            TestMesh.RosterNode(1),
            TestMesh.RosterNode(2) with { AnnouncedAddresses = [IPAddress.Parse("10.0.2.0"), IPAddress.Parse("fd00::2")] },
            TestMesh.RosterNode(3),
        ]);
        var view = View(roster, true, TestMesh.Announce(2)) with { CarriesNodes = true };
        EquatableArray<IPPrefix> carried =
            [TestMesh.PodCIDR(2), IPPrefix.Parse("192.168.0.2/32"), IPPrefix.Parse("fd00::2/128")];
        Assert.Equal(carried, Assert.Single(Build(view).Peers).AllowedIPs);
        Dictionary<string, string> paths = new() { [TestMesh.Name(2)] = "cilium_wg0" };
        var proven = DesiredState.BuildRoutes(view, [Build(view)], paths, [], new HashSet<string> { TestMesh.Name(2) });
        Assert.Equal(carried.Select(prefix => new Route(prefix, "cilium_wg0")), proven);

        // Pods wait for the path, nodes are reached without one.
        Assert.Equal(
            [new Route(TestMesh.PodCIDR(2), "cilium_wg0")],
            DesiredState.BuildRoutes(view, [Build(view)], paths, proven, new HashSet<string>()));
        Assert.Equal(
            [new Route(TestMesh.PodCIDR(2), "cilium_wg0")],
            DesiredState.BuildRoutes(view, [Build(view)], new Dictionary<string, string>(), [], new HashSet<string>()));
        Assert.Equal([TestMesh.PodCIDR(2)], Assert.Single(Build(view with { CarriesNodes = false }).Peers).AllowedIPs);

        // What nodes send to pods in clear would be dropped by a strict source check; what comes from them by the tunnel is taken.
        var strict = view with { LeadsToNodes = false };
        Assert.Equal(carried, Assert.Single(Build(strict).Peers).AllowedIPs);
        Assert.Equal(
            [new Route(TestMesh.PodCIDR(2), "cilium_wg0")],
            DesiredState.BuildRoutes(strict, [Build(strict)], paths, proven, new HashSet<string> { TestMesh.Name(2) }));
    }

    // Two nodes that say they have it, this node's own, and what is a pod of another node by the roster (I10).
    [Theory]
    [InlineData("192.168.0.3")]
    [InlineData("192.168.0.1")]
    [InlineData("10.0.3.7")]
    [InlineData("10.0.1.7")]
    [InlineData("127.0.0.1")]
    [InlineData("169.254.1.1")]
    [InlineData("fe80::2")]
    [InlineData("0.0.0.0")]
    [InlineData("::")]
    [InlineData("224.0.0.1")]
    public void BuildDevice_NodeAddressThatIsAnothers_IsCarriedByNobody(string address)
    {
        var roster = NodeRoster.Of(
        [
            TestMesh.RosterNode(1),
            TestMesh.RosterNode(2) with { AnnouncedAddresses = [IPAddress.Parse(address)] },
            TestMesh.RosterNode(3),
        ]);
        var view = View(roster, true, TestMesh.Announce(2), TestMesh.Announce(3)) with { CarriesNodes = true };
        Assert.DoesNotContain(Build(view).Peers, peer => peer.AllowedIPs.Contains(IPPrefix.Host(IPAddress.Parse(address))));
    }

    // Adopted from a former silo: its pods' routes go on, and to its addresses there was one or none.
    [Fact]
    public void BuildRoutes_NodeAddressOfAPeerThatNobodyExplains_IsKeptAndNotMade()
    {
        var node = IPPrefix.Host(TestMesh.Address(2));
        var view = View(TestMesh.Roster(1, 2), true) with { CarriesNodes = true };
        DesiredDevice[] devices = [Build(view, Observed(Peer(2) with { AllowedIPs = [TestMesh.PodCIDR(2), node] }))];
        Route[] pods = [new Route(TestMesh.PodCIDR(2), "cilium_wg0")];
        var none = new Dictionary<string, string>();
        Assert.Equal(pods, DesiredState.BuildRoutes(view, devices, none, []));
        Assert.Equal(
            [.. pods, new Route(node, "cilium_wg0")], DesiredState.BuildRoutes(view, devices, none, [new Route(node, "cilium_wg0")]));
    }

    [Fact]
    public void BuildRules_Ranges_AreTheSourcesHoweverManyPods()
    {
        var self = TestMesh.RosterNode(1) with { PodCIDRs = Many(300), AnnouncedAddresses = [IPAddress.Parse("10.0.1.1")] };
        var roster = NodeRoster.Of([self, TestMesh.RosterNode(2)]) with { PodRanges = [IPPrefix.Parse("10.0.0.0/16")] };
        Assert.Equal([IPPrefix.Parse("10.0.0.0/16")], DesiredState.BuildRules(View(roster, true)));
        Assert.Equal([IPPrefix.Parse("10.0.1.1/32")], DesiredState.BuildNodeRules(View(roster, true)));
        Assert.Null(DesiredState.BuildNodeRules(View(null, true)));
    }

    // Every second address.
    private static EquatableArray<IPPrefix> Many(int count) => Enumerable.Range(0, count)
        .Select(i => IPPrefix.Host(new IPAddress([10, 0, (byte)(100 + (i / 128)), (byte)(2 * (i % 128))]))).ToEquatableArray();

    [Fact]
    public void BuildRules_RosterKnown_AreOurPodCIDRs()
    {
        Assert.Null(DesiredState.BuildRules(View(null, true)));
        Assert.Null(DesiredState.BuildRules(View(TestMesh.Roster(2), true)));
        Assert.Equal([TestMesh.PodCIDR(1)], DesiredState.BuildRules(View(TestMesh.Roster(1, 2), false)));
    }

    // Its keys came before its addresses, while nobody knows what else its pods have: its peer stays as a former process left it.
    [Fact]
    public void BuildDevice_KeysCameBeforeAddresses_LeavesThePeerAsItIs()
    {
        var view = View(null, false, TestMesh.Announce(2) with { AllowedIPs = [] });
        Assert.False(view.IsComplete);
        Assert.Equal([TestMesh.PodCIDR(2)], Assert.Single(Build(view, Observed(Peer(2))).Peers).AllowedIPs);
        Assert.True(View(TestMesh.Roster(1, 2), false, TestMesh.Announce(2) with { AllowedIPs = [] }).IsComplete);
    }

    private static MeshView View(NodeRoster? roster, bool isSynced, params PeerAnnouncement[] announcements) =>
        new(TestMesh.Name(1), [], announcements.ToDictionary(announcement => announcement.NodeName), roster, isSynced, isSettled: false);

    private static EquatableArray<Route> Routes(MeshView view, Dictionary<string, string> paths, EquatableArray<Route> observed) =>
        DesiredState.BuildRoutes(view, [Build(view)], paths, observed);

    private static DesiredDevice Build(MeshView view, Device? observed = null) =>
        DesiredState.BuildDevice(view, Slot.Zero, "cilium_wg0", TestMesh.ListenPort, observed, NoStarts);

    private static IEnumerable<PublicKey> Keys(DesiredDevice device) => device.Peers.Select(peer => peer.PublicKey);

    private static Device Observed(params DevicePeer[] peers) => new("cilium_wg0", null, TestMesh.ListenPort, 0, [.. peers]);

    private static DevicePeer Peer(int node) =>
        new(TestMesh.Key(node), TestMesh.Endpoint(node), [TestMesh.PodCIDR(node)], TimeSpan.Zero, TestMesh.Start, 1, 1);
}
