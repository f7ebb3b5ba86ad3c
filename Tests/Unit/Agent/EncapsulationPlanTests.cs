using System.Net;
using CsCheck;
using Orleans.WireGuard.Grains.Delivery;
using Orleans.WireGuard.Grains.Nodes;
using Orleans.WireGuard.Linux;
using Orleans.WireGuard.Linux.Routing;
using Orleans.WireGuard.Silo.Agent;
using Orleans.WireGuard.Silo.Findings;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.Unit.Agent;

/// <summary>What another data plane of node 1 has packed: who gets it through a tunnel, and what it meets at every step.</summary>
public sealed class EncapsulationPlanTests
{
    private const string Device = "cilium_wg0";
    private static readonly Encapsulation Vxlan = Encapsulation.Udp(8472);
    private static readonly Encapsulation Geneve = Encapsulation.Udp(6081);
    private static readonly CancellationToken Token = TestContext.Current.CancellationToken;
    private static readonly RouteTable Table = RouteTable.Default.OfEncapsulated;

    [Fact]
    public void Build_Program_RefusesAllNodesButThoseThatCanRunNoSilo()
    {
        var roster = Roster((2, [Vxlan]), (3, []));
        roster = NodeRoster.Of([.. roster.Nodes.Values, TestMesh.RosterNode(4) with { IsExempt = true }]);
        var plan = Plan(View(roster, Own([Vxlan], isWhole: true), 2))!;
        Assert.Equal([Route.Unreachable(Host(2)), Route.Unreachable(Host(3))], plan.Refusals);
        Assert.Equal([new PacketRule(Table, OuterPacket.Udp(8472), IsIPv6: false)], plan.Rules);
    }

    // Where pods' packets are led before they are packed, the rest is this node's own, which nobody refuses or drops.
    [Fact]
    public void Build_PlainLink_RefusesAndDropsNothing()
    {
        var view = View(Roster((2, [Vxlan, Geneve]), (3, [Geneve])), Own([Vxlan], isWhole: false), 2, 3);
        var plan = Plan(view)!;
        Assert.Equal((1, 0), (plan.Rules.Count, plan.Refusals.Count));
        Assert.Equal([], EncapsulationPlan.FindNodes(view));
        Assert.Equal([], EncapsulationPlan.FindPackets(view)!.Value);

        // Nor led to where no tunnel is proven.
        Assert.Equal([], EncapsulationPlan.BuildTunnels(view, Paths(2, 3), Names(3), []));
        Assert.Equal([Tunnel(2)], EncapsulationPlan.BuildTunnels(view, Paths(2, 3), Names(2, 3), []));
    }

    // Half of the nodes would be cut off from the other half while releases change.
    [Fact]
    public void Build_SiloOfAFormerRelease_IsNotRefused()
    {
        var roster = Roster((2, []), (3, [Vxlan]));
        var view = View(roster, Own([Vxlan], isWhole: true), [Announce(2, []), Announce(3)]);
        Assert.Equal([Route.Unreachable(Host(3))], Plan(view)!.Refusals);

        // Until a mesh has found out what all speak, keys are announced as former releases did; addresses never were.
        view = new MeshView(TestMesh.Name(1), [], view.Announcements, roster, isSynced: true, isSettled: true, _ => [])
        {
            Encapsulation = view.Encapsulation,
        };
        Assert.Equal([Route.Unreachable(Host(2)), Route.Unreachable(Host(3))], Plan(view)!.Refusals);

        // Before the others were asked nobody knows who is of which.
        view = new MeshView(TestMesh.Name(1), [], view.Announcements, roster, isSynced: false, isSettled: true)
        {
            Encapsulation = view.Encapsulation,
        };
        Assert.Equal([Route.Unreachable(Host(2)), Route.Unreachable(Host(3))], Plan(view)!.Refusals);
    }

    [Fact]
    public void Build_PermissiveOrOff_RefusesNothing()
    {
        var roster = Roster((2, [Vxlan]));
        var permissive = EncapsulationPlan.Build(
            View(roster, Own([Vxlan], isWhole: true), 2), new EncryptionOptions { Mode = EncryptionMode.Permissive }, RouteTable.Default)!;
        Assert.Equal((1, 0), (permissive.Rules.Count, permissive.Refusals.Count));
        var off = Plan(View(roster, Own([], isWhole: false), 2))!;
        Assert.Equal((0, 0), (off.Rules.Count, off.Refusals.Count));
    }

    // A node's own packets leave by a link among its pods, where the program takes them, or the kernel's VXLAN does.
    [Fact]
    public void BuildDropped_ProgramOrOthersAreTold_SparesThisNodesAddressAmongItsPods()
    {
        var own = IPAddress.Parse("10.0.1.0");
        var roster = NodeRoster.Of([TestMesh.RosterNode(1) with { AnnouncedAddresses = [own] }, TestMesh.RosterNode(2)]);
        var dropped = DesiredState.BuildDropped(View(roster, Own([Vxlan], isWhole: true), 2))!;
        Assert.Equal(8, dropped.Local.Count);
        Assert.False(PrefixSet.Covers(dropped.Local, IPPrefix.Host(own)));
        Assert.True(PrefixSet.Covers(dropped.Local, IPPrefix.Parse("10.0.1.128/25")));
        var kernel = View(roster, Own([Vxlan], isWhole: false), 2);
        Assert.Equal(dropped.Local, DesiredState.BuildDropped(kernel with { CarriesNodes = true })!.Local);
        Assert.Equal([TestMesh.PodCIDR(1)], DesiredState.BuildDropped(kernel)!.Local);
    }

    // Nothing that an earlier process left is taken away before somebody has looked.
    [Fact]
    public void Build_NobodyHasLooked_LeavesWhatIsThere()
    {
        var view = View(Roster((2, [Vxlan])), null, 2);
        Assert.Null(Plan(view));
        Assert.Null(EncapsulationPlan.FindPackets(view));
        Assert.Equal([Host(2)], view.CarriedAddressesOf(TestMesh.Name(2)));
    }

    [Fact]
    public void BuildTunnels_LeadToNodesThatDoTheSame_FromTheAddressThatTheyKnow()
    {
        var view = View(Roster((2, [Vxlan]), (3, [Geneve]), (4, [Vxlan])), Own([Vxlan], isWhole: true), 2, 3, 4);
        Assert.Equal([Tunnel(2)], EncapsulationPlan.BuildTunnels(view, Paths(2, 3), Names(), []));
        view = view with { Encapsulation = view.Encapsulation! with { Sources = [TestMesh.Address(9)] } };
        Assert.Equal([], EncapsulationPlan.BuildTunnels(view, Paths(2, 3), Names(), []));
    }

    // Of two nodes that claim an address nobody knows which one has it.
    [Fact]
    public void BuildTunnels_AddressOfTwoNodes_LeadsNowhereAndIsRefused()
    {
        var roster = NodeRoster.Of(
        [
            TestMesh.RosterNode(1),
            TestMesh.RosterNode(2) with { Encapsulations = [Vxlan] },
            TestMesh.RosterNode(3) with { Addresses = [TestMesh.Address(2)], Encapsulations = [Vxlan] },
        ]);
        var view = View(roster, Own([Vxlan], isWhole: true), 2, 3);
        Assert.Equal([], EncapsulationPlan.BuildTunnels(view, Paths(2, 3), Names(), []));
        Assert.Equal([Route.Unreachable(Host(2))], Plan(view)!.Refusals);
    }

    // Its data plane outlives its silo.
    [Fact]
    public void BuildTunnels_NodeWithoutAnnouncement_KeepsItsRoute()
    {
        var known = new Route(Host(2), "cilium_wg1");
        var view = View(Roster((2, []), (3, [Vxlan])), Own([Vxlan], isWhole: true), 3);
        Assert.Equal([known], EncapsulationPlan.BuildTunnels(view, Paths(), Names(), [known, new Route(Host(3), Device)]));
    }

    // Whoever the roster has, whatever it announced: what a program packs has no other way.
    [Fact]
    public void FindPackets_Program_AreThoseOfThisNodeFromAndToAll()
    {
        var view = View(Roster((2, [Vxlan]), (3, [Geneve])), Own([Encapsulation.IPInIP, Vxlan], isWhole: true), 2, 3);
        Assert.Equal([OuterPacket.IPInIP, OuterPacket.Udp(8472)], EncapsulationPlan.FindPackets(view)!.Value);
        Assert.Equal([Host(2), Host(3)], EncapsulationPlan.FindNodes(view));

        // The tunnel carries nodes before both ends know that they lead packets to each other.
        Assert.Equal([Host(3)], view.CarriedAddressesOf(TestMesh.Name(3)));
        Assert.Equal([], view.LedAddressesOf(TestMesh.Name(2)));
        Assert.Equal([], (view with { Encapsulation = Own([], isWhole: false) }).CarriedAddressesOf(TestMesh.Name(3)));
    }

    // Invariant I7 for packed packets: whatever comes and goes, and wherever a pass fails, once a rule leads there, a packet to a node that
    // was and stays in the roster meets a tunnel or a refusal.
    [Fact]
    public void Pass_AnyChange_LeavesNoMomentInClear() => Gen.Select(
        Gen.Int[2, 5].Array[0, 4], Gen.Int[2, 5].Array[0, 4], Gen.Bool, Gen.Int[0, 10]).Array[1, 6].Sample(steps =>
    {
        var links = new FakeLinkClient();
        links.AddLink(Device);
        links.SetUpAsync(Device, Token).GetAwaiter().GetResult();
        var (routes, packed) = (new RouteReconciler(links), links.At(Table));
        HashSet<int> before = [];
        HashSet<int> after = [];
        void Check()
        {
            foreach (var node in before.Intersect(after))
            {
                Assert.Contains(Fake(packed).Routes, route => route.Destination == Host(node) && !route.IsThrow);
            }
        }

        links.OnCall = (_, _) =>
        {
            Check();
            return Task.CompletedTask;
        };
        foreach (var (nodes, peers, isGeneve, failure) in steps)
        {
            after = [.. nodes, .. peers];
            if (failure > 0)
            {
                links.FailCall(links.Calls.Count + failure);
            }

            try
            {
                var roster = Roster([.. after.Select(node => (node, (Encapsulation[])[Vxlan]))]);
                var view = View(roster, Own(isGeneve ? [Geneve, Vxlan] : [Vxlan], isWhole: true), peers);
                var plan = ProtectionPlan.Build(view, new EncryptionOptions());
                routes.ProtectAsync(plan, isResync: false, Token).GetAwaiter().GetResult();
                routes.ConnectAsync(plan, [], Token).GetAwaiter().GetResult();
                routes.ConnectEncapsulatedAsync(plan, view, Paths(peers), Names(), Token).GetAwaiter().GetResult();
                Assert.All(peers, node => Assert.Contains(Fake(packed).Routes, route => route.Destination == Host(node)
                    && route.DeviceName == Device));
                Assert.Equal(isGeneve ? 2 : 1, packed.GetPacketRulesAsync(Token).GetAwaiter().GetResult().Count);
                before = after;
            }
            catch (LinuxException)
            {
                before = [.. before.Intersect(after)];
            }

            Check();
        }
    });

    // A second pass writes nothing, and what others change is told once.
    [Fact]
    public async Task Pass_RepeatedAndTampered_WritesWhatDiffersAndCountsIt()
    {
        var links = new FakeLinkClient();
        links.AddLink(Device);
        await links.SetUpAsync(Device, Token);
        var (routes, packed) = (new RouteReconciler(links), links.At(Table));
        var view = View(Roster((2, [Vxlan])), Own([Vxlan], isWhole: true), 2);
        await PassAsync();
        var calls = links.Calls.Count;
        await PassAsync();
        Assert.DoesNotContain(links.Calls.Skip(calls), call => !call.Operation.StartsWith("Get", StringComparison.Ordinal));
        Assert.False(await routes.HaveChangedAsync(Token));

        var rule = Assert.Single(await packed.GetPacketRulesAsync(Token));
        await packed.DeletePacketRuleAsync(rule, Token);
        Assert.True(await routes.HaveChangedAsync(Token));
        await PassAsync();
        Assert.Equal([rule], await packed.GetPacketRulesAsync(Token));

        // Of another configuration.
        var former = links.At(new RouteTable(1000, 90));
        await former.ReplaceRouteAsync(Route.Unreachable(Host(2)), Token);
        await former.AddPacketRuleAsync(rule with { Table = former.Table }, Token);
        await PassAsync();
        Assert.Equal([rule], await packed.GetPacketRulesAsync(Token));
        Assert.Empty(await former.GetRoutesAsync(Token));

        // Off, and all of it is gone.
        view = view with { Encapsulation = Own([], isWhole: false) };
        await PassAsync();
        Assert.Empty(await packed.GetPacketRulesAsync(Token));
        Assert.Empty(await packed.GetRoutesAsync(Token));

        async Task PassAsync()
        {
            var plan = ProtectionPlan.Build(view, new EncryptionOptions());
            await routes.ProtectAsync(plan, isResync: true, Token);
            await routes.ConnectAsync(plan, [], Token);
            await routes.ConnectEncapsulatedAsync(plan, view, Paths(2), Names(), Token);
        }
    }

    // Whoever packs nothing does not mind what others have in that table, and whoever does leaves it alone and goes on with the rest.
    [Fact]
    public async Task Protect_TableOfSomebodyElse_IsLeftAloneAndTold()
    {
        var links = new FakeLinkClient();
        var routes = new RouteReconciler(links);
        var strangers = Fake(links.At(Table)).ForeignRoutes;
        strangers.Add(new ForeignRoute("10.0.0.0/8 dev eth1", []));
        var view = View(Roster((2, [Vxlan])), Own([], isWhole: false), 2);
        await ProtectAsync();
        Assert.Null(routes.EncapsulationFault);

        // A link comes between two resyncs.
        view = view with { Encapsulation = Own([Vxlan], isWhole: true) };
        await ProtectAsync();
        Assert.Contains("10.0.0.0/8 dev eth1", routes.EncapsulationFault, StringComparison.Ordinal);
        Assert.Equal([TestMesh.PodCIDR(1)], links.Rules);
        Assert.Empty(await links.GetPacketRulesAsync(Token));
        Assert.Single(strangers);

        strangers.Clear();
        await ProtectAsync();
        Assert.Null(routes.EncapsulationFault);
        Assert.Single(await links.GetPacketRulesAsync(Token));

        Task ProtectAsync() => routes.ProtectAsync(ProtectionPlan.Build(view, new EncryptionOptions()), isResync: false, Token);
    }

    private static FakeLinkClient Fake(ILinkClient links) => (FakeLinkClient)links;

    private static EncapsulationPlan? Plan(MeshView view) => EncapsulationPlan.Build(view, new EncryptionOptions(), RouteTable.Default);

    private static Route Tunnel(int node) => new(Host(node), Device) { Source = TestMesh.Address(1) };

    private static HashSet<string> Names(params IEnumerable<int> nodes) => [.. nodes.Select(TestMesh.Name)];

    private static PeerAnnouncement Announce(int node, EquatableArray<byte>? extensions = null) =>
        TestMesh.Announce(node) with { Extensions = extensions ?? OwnProtocol.BuildExtensions(OwnProtocol.WithAddresses) };

    private static IPPrefix Host(int node) => IPPrefix.Host(TestMesh.Address(node));

    private static OwnEncapsulation Own(EquatableArray<Encapsulation> packets, bool isWhole) =>
        new(packets, isWhole, [TestMesh.Address(1)]);

    private static Dictionary<string, string> Paths(params IEnumerable<int> nodes) =>
        nodes.Distinct().ToDictionary(TestMesh.Name, _ => Device);

    private static NodeRoster Roster(params (int Node, Encapsulation[] Packets)[] others) => NodeRoster.Of(
    [
        TestMesh.RosterNode(1),
        .. others.Select(other => TestMesh.RosterNode(other.Node) with { Encapsulations = [.. other.Packets] }),
    ]);

    private static MeshView View(NodeRoster roster, OwnEncapsulation? own, params IEnumerable<int> announced) =>
        View(roster, own, [.. announced.Distinct().Select(node => Announce(node))]);

    private static MeshView View(NodeRoster roster, OwnEncapsulation? own, PeerAnnouncement[] announcements) => new(
        TestMesh.Name(1),
        [],
        announcements.ToDictionary(announcement => announcement.NodeName),
        roster,
        isSynced: true,
        isSettled: true)
    {
        Encapsulation = own,
    };
}
