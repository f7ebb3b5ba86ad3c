using System.Net;
using CsCheck;
using Microsoft.Extensions.Logging.Abstractions;
using Orleans.WireGuard.Grains.Nodes;
using Orleans.WireGuard.Linux;
using Orleans.WireGuard.Linux.Routing;
using Orleans.WireGuard.Silo.Agent;
using Orleans.WireGuard.Silo.Findings;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.Unit.Agent;

/// <summary>The routes of node 1: what a packet of its pods meets, before, after and at every step between.</summary>
public sealed class RouteReconcilerTests
{
    private const string Device = "cilium_wg0";
    private static readonly CancellationToken Token = TestContext.Current.CancellationToken;

    private readonly FakeLinkClient _links = new();
    private readonly EncryptionOptions _options = new();
    private readonly RouteReconciler _routes;

    public RouteReconcilerTests()
    {
        _links.AddLink(Device);
        _links.SetUpAsync(Device, Token).GetAwaiter().GetResult();
        _routes = new RouteReconciler(_links);
    }

    [Fact]
    public async Task Protect_Strict_RefusesEveryOtherNodesPodsBeforeTheRuleLeadsThere()
    {
        await _routes.ProtectAsync(Plan([1, 2, 3], []), isResync: true, Token);

        Assert.Equal([Route.Unreachable(TestMesh.PodCIDR(2)), Route.Unreachable(TestMesh.PodCIDR(3))], _links.Routes);
        Assert.Equal([TestMesh.PodCIDR(1)], _links.Rules);
        Assert.Equal(nameof(ILinkClient.AddRuleAsync), _links.Calls[^1].Operation);
    }

    [Fact]
    public async Task Connect_PeerWithATunnel_LiesAboveItsRefusal()
    {
        await PassAsync([1, 2, 3], [2]);

        Assert.Equal(
            [new Route(TestMesh.PodCIDR(2), Device), Route.Unreachable(TestMesh.PodCIDR(2)), Route.Unreachable(TestMesh.PodCIDR(3))],
            _links.Routes);
    }

    [Fact]
    public async Task Connect_PeerGoneFromTheDevice_UncoversTheRefusal()
    {
        await PassAsync([1, 2], [2]);
        await PassAsync([1, 2], []);

        Assert.Equal([Route.Unreachable(TestMesh.PodCIDR(2))], _links.Routes);
        Assert.Equal(1, _links.CountOf(nameof(ILinkClient.DeleteRouteAsync)));
    }

    [Fact]
    public async Task Connect_NothingChanged_WritesNothing()
    {
        await PassAsync([1, 2], [2]);
        var calls = _links.Calls.Count;
        await PassAsync([1, 2], [2]);

        Assert.Equal(calls, _links.Calls.Count);
    }

    [Fact]
    public async Task Connect_Permissive_RemovesTheRefusals()
    {
        await PassAsync([1, 2, 3], [2]);
        _options.Mode = EncryptionMode.Permissive;
        await PassAsync([1, 2, 3], [2]);

        Assert.Equal([new Route(TestMesh.PodCIDR(2), Device)], _links.Routes);
    }

    [Fact]
    public async Task Connect_RosterUnknown_LeavesTheRefusalsOfTheFormerProcess()
    {
        await PassAsync([1, 2, 3], [2]);
        var restarted = new RouteReconciler(_links);
        var plan = ProtectionPlan.Build(View(roster: null, []), _options);
        await restarted.ProtectAsync(plan, isResync: true, Token);
        _ = await restarted.ObserveAsync(Token);
        await restarted.ConnectAsync(plan, [], Token);

        Assert.Equal([Route.Unreachable(TestMesh.PodCIDR(2)), Route.Unreachable(TestMesh.PodCIDR(3))], _links.Routes);
        Assert.Equal([TestMesh.PodCIDR(1)], _links.Rules);
    }

    [Fact]
    public async Task Protect_ClusterCIDR_ExceptsOurOwnPodsAndRefusesWhatNobodyExplains()
    {
        _options.ClusterCIDRs.Add("10.0.0.0/8");
        await PassAsync([1, 2], [2]);

        Assert.Equal(
            [
                Route.Unreachable(IPPrefix.Parse("10.0.0.0/8")),
                Route.Throw(TestMesh.PodCIDR(1)),
                new Route(TestMesh.PodCIDR(2), Device),
                Route.Unreachable(TestMesh.PodCIDR(2)),
            ],
            _links.Routes);
        Assert.True(Operations(nameof(ILinkClient.ReplaceRouteAsync))
            .First() is Route { IsThrow: true }, "The exception has to be there before the refusal.");

        _options.ClusterCIDRs.Clear();
        await PassAsync([1, 2], [2]);
        Assert.DoesNotContain(_links.Routes, route => route.IsThrow || route.Destination.Length == 8);
        Assert.True(Operations(nameof(ILinkClient.DeleteRouteAsync))
            .Last() is Route { IsThrow: true }, "The exception has to go behind the refusal.");
    }

    [Fact]
    public async Task Protect_ClusterCIDRWithNodeAddresses_ExceptsThem()
    {
        _options.ClusterCIDRs.Add("192.168.0.0/16");
        await PassAsync([1, 2], [2]);

        Assert.Equal(
            [Route.Throw(IPPrefix.Host(TestMesh.Address(1))), Route.Throw(IPPrefix.Host(TestMesh.Address(2)))],
            _links.Routes.Where(route => route.IsThrow));
    }

    [Fact]
    public async Task Protect_ClusterCIDRInsideOurOwn_RefusesNothingOfOurs()
    {
        _options.ClusterCIDRs.Add("10.0.1.0/25");
        await PassAsync([1, 2], []);

        Assert.Equal([Route.Unreachable(TestMesh.PodCIDR(2))], _links.Routes);
    }

    [Fact]
    public async Task Connect_AfterAFailure_ReadsAgainAndFinishes()
    {
        await _routes.ProtectAsync(Plan([1, 2], []), isResync: true, Token);
        _links.FailNextCall();
        await Assert.ThrowsAsync<LinuxException>(() => _routes.ConnectAsync(Plan([1, 2], [2]), Tunnels([2]), Token));
        await PassAsync([1, 2], [2]);

        Assert.Equal([new Route(TestMesh.PodCIDR(2), Device), Route.Unreachable(TestMesh.PodCIDR(2))], _links.Routes);
    }

    [Fact]
    public async Task Protect_RouteOfSomebodyElse_IsRemovedAndToldOf()
    {
        await PassAsync([1, 2], [2]);
        Assert.False(await _routes.HaveChangedAsync(Token));
        _links.ForeignRoutes.Add(new ForeignRoute("default via 192.168.0.9 dev eth0 proto 3", []));
        Assert.True(await _routes.HaveChangedAsync(Token));
        await _routes.ProtectAsync(Plan([1, 2], [2]), isResync: true, Token);

        var drifts = new DriftLog(TimeProvider.System, NullLogger.Instance);
        _routes.NoteDrift(drifts, new HashSet<string>());
        var drift = Assert.Single(drifts.Counts);
        Assert.Equal((DriftKind.RouteAdded, 1L, "default via 192.168.0.9 dev eth0 proto 3"), (drift.Kind, drift.Count, drift.LastSubject));
        Assert.Empty(_links.ForeignRoutes);
        Assert.False(await _routes.HaveChangedAsync(Token));
    }

    // One that had nothing of ours before is somebody's who was there first, as a device may be.
    [Fact]
    public async Task Protect_TableOfSomebodyElse_IsRefusedAndLeftAlone()
    {
        _links.ForeignRoutes.Add(new ForeignRoute("default via 192.168.0.9 dev eth0 proto 3", []));
        var refusal = await Assert.ThrowsAsync<LinuxException>(() => _routes.ProtectAsync(Plan([1, 2], []), isResync: true, Token));
        Assert.Contains("Routing:Table", refusal.Message, StringComparison.Ordinal);
        Assert.Contains("default via 192.168.0.9", refusal.Message, StringComparison.Ordinal);
        Assert.Equal((1, 0, 0), (_links.ForeignRoutes.Count, _links.Routes.Count, _links.Rules.Count));
    }

    // A silo that starts with other numbers: at every step a packet meets a tunnel, in the former table or in the present one, and in the
    // end nothing of the former is left.
    [Theory]
    [InlineData(1000u, 201u)]
    [InlineData(201u, 90u)]
    [InlineData(1000u, 300u)]
    public async Task Pass_OtherTableThanTheFormerSilos_IsMovedWithoutAGap(uint table, uint priority)
    {
        await PassAsync([1, 2], [2]);
        var links = (FakeLinkClient)_links.At(new RouteTable(table, priority));
        var moved = new RouteReconciler(links);
        var steps = 0;
        _links.OnCall = async (call, _) =>
        {
            if (call.Operation != nameof(ILinkClient.FindWaysAsync))
            {
                steps++;
                var question = new WayQuestion(
                    new PodLink("veth0", PodAddress.Of(TestMesh.PodCIDR(1))), PodAddress.Remote(TestMesh.PodCIDR(2)));
                Assert.Equal(Device, Assert.Single(await _links.FindWaysAsync([question], Token)).LinkName);
            }
        };
        await moved.ProtectAsync(Plan([1, 2], [2]), isResync: true, Token);
        _ = await moved.ObserveAsync(Token);
        await moved.ConnectAsync(Plan([1, 2], [2]), Tunnels([2]), Token);
        _links.OnCall = null;

        Assert.True(steps > 5);
        Assert.Equal([new Route(TestMesh.PodCIDR(2), Device), Route.Unreachable(TestMesh.PodCIDR(2))], await links.GetRoutesAsync(Token));
        Assert.Equal([TestMesh.PodCIDR(1)], await links.GetRulesAsync(Token));
        Assert.Empty(await links.GetFormerTablesAsync(Token));
        Assert.Equal(table == 201 ? 2 : 0, _links.Routes.Count);
        Assert.Empty(_links.Rules);
    }

    // The exception has the key of the tunnel, so each takes the place of the other in one step, and neither is written again and again.
    [Fact]
    public async Task Pass_NodeInARange_IsReachedByTheTunnelOrPastIt()
    {
        var node = IPPrefix.Parse("10.0.200.2/32");
        var roster = NodeRoster.Of(
            [TestMesh.RosterNode(1), TestMesh.RosterNode(2) with { AnnouncedAddresses = [node.Address] }]) with
        {
            PodRanges = [IPPrefix.Parse("10.0.0.0/16")],
        };
        var view = new MeshView(
            TestMesh.Name(1), [], new Dictionary<string, PeerAnnouncement> { [TestMesh.Name(2)] = TestMesh.Announce(2) }, roster,
            isSynced: true, isSettled: true)
        {
            CarriesNodes = true,
        };
        var plan = ProtectionPlan.Build(view, _options);
        var tunnels = Tunnels([2]);
        await ConnectAsync(tunnels);
        Assert.Contains(Route.Throw(node), _links.Routes);
        await ConnectAsync([.. tunnels, new Route(node, Device)]);
        Assert.Equal(new Route(node, Device), Assert.Single(_links.Routes, route => route.Destination == node));
        var calls = _links.Calls.Count;
        await ConnectAsync([.. tunnels, new Route(node, Device)]);
        Assert.Equal(calls, _links.Calls.Count);
        await ConnectAsync(tunnels);
        Assert.Equal(Route.Throw(node), Assert.Single(_links.Routes, route => route.Destination == node));
        Assert.Equal(0, _links.CountOf(nameof(ILinkClient.DeleteRouteAsync)));

        async Task ConnectAsync(EquatableArray<Route> routes)
        {
            await _routes.ProtectAsync(plan, isResync: false, Token);
            _ = await _routes.ObserveAsync(Token);
            await _routes.ConnectAsync(plan, routes, Token);
        }
    }

    // WireGuard's own packets have such a source.
    [Fact]
    public async Task Pass_OwnAddressInARange_IsExceptedBeforeTheRuleIsThere()
    {
        var own = IPPrefix.Parse("10.0.200.1/32");
        var roster = NodeRoster.Of([TestMesh.RosterNode(1) with { AnnouncedAddresses = [own.Address] }, TestMesh.RosterNode(2)]) with
        {
            PodRanges = [IPPrefix.Parse("10.0.0.0/16")],
        };
        var plan = ProtectionPlan.Build(
            new MeshView(TestMesh.Name(1), [], new Dictionary<string, PeerAnnouncement>(), roster, isSynced: true, isSettled: true),
            _options);
        await _routes.ProtectAsync(plan, isResync: true, Token);
        Assert.Equal([own, IPPrefix.Parse("10.0.0.0/16")], Operations(nameof(ILinkClient.AddRuleAsync)));
        var ofNode = _links.At(_links.Table.OfNode);
        Assert.Equal([own], await ofNode.GetRulesAsync(Token));
        Assert.Empty(await _links.GetFormerTablesAsync(Token));

        // It went: first the rule for all, then the exception.
        await ofNode.DeleteRuleAsync(own, Token);
        Assert.True(await _routes.HaveChangedAsync(Token));
        await _routes.ProtectAsync(plan, isResync: true, Token);
        Assert.Equal([own], await ofNode.GetRulesAsync(Token));
        await _routes.ConnectAsync(Plan([1, 2], []), [], Token);
        Assert.Equal([IPPrefix.Parse("10.0.0.0/16"), own], Operations(nameof(ILinkClient.DeleteRuleAsync)).Skip(1));
    }

    // Invariant I7: whatever comes and goes, and wherever a pass fails, at every step a packet of a pod of ours for a pod of a node that
    // was and stays in the roster meets a tunnel or a refusal, from the moment when our rule is there.
    [Fact]
    public void Pass_AnyChange_LeavesNoMomentInClear() => Gen.Select(
        Gen.Int[2, 6].Array[0, 5], Gen.Int[2, 6].Array[0, 5], Gen.Bool, Gen.Bool, Gen.Int[0, 12]).Array[1, 6].Sample(steps =>
    {
        var links = new FakeLinkClient();
        links.AddLink(Device);
        links.SetUpAsync(Device, Token).GetAwaiter().GetResult();
        var options = new EncryptionOptions();
        var routes = new RouteReconciler(links);
        HashSet<int> before = [];
        HashSet<int> after = [];
        void Check()
        {
            foreach (var node in before.Intersect(after).Where(_ => links.Rules.Any(rule => rule.Contains(TestMesh.PodCIDR(1)))))
            {
                // The longest decides, and a node of the range is no pod.
                var way = links.Routes.Where(route => route.Destination.Contains(TestMesh.PodCIDR(node)))
                    .MaxBy(route => (route.Destination.Length, !route.IsUnreachable));
                Assert.True(way is { IsThrow: false });
            }

            Assert.DoesNotContain(links.Routes, route => route.IsUnreachable && route.Destination.Length is 8 or 16
                && !links.Routes.Contains(Route.Throw(TestMesh.PodCIDR(1))));
        }

        links.OnCall = (_, _) =>
        {
            Check();
            return Task.CompletedTask;
        };
        foreach (var (roster, peers, hasClusterCIDR, hasRange, failure) in steps)
        {
            after = [.. roster, .. peers];
            options.ClusterCIDRs.Clear();
            if (hasClusterCIDR)
            {
                options.ClusterCIDRs.Add("10.0.0.0/8");
            }

            if (failure > 0)
            {
                links.FailCall(links.Calls.Count + failure);
            }

            try
            {
                var view = View([1, .. after], peers, hasRange ? [IPPrefix.Parse("10.0.0.0/16")] : []) with { CarriesNodes = true };
                var plan = ProtectionPlan.Build(view, options);
                routes.ProtectAsync(plan, isResync: false, Token).GetAwaiter().GetResult();
                _ = routes.ObserveAsync(Token).GetAwaiter().GetResult();
                routes.ConnectAsync(plan, Tunnels(peers), Token).GetAwaiter().GetResult();
                Assert.All(after, node => Assert.True(Reaches(links, Address(node))));
                before = after;
            }
            catch (LinuxException)
            {
                before = [.. before.Intersect(after)];
            }

            Check();
        }
    });

    [Fact]
    public void Build_AppliedToTheObserved_GivesTheDesired() => Gen.Select(Routes, Routes).Sample((desired, observed) =>
    {
        var patch = RoutePatch.Build(desired, observed, null, []);
        Assert.Equal(desired.OrderBy(route => (route.Destination, route.IsUnreachable)), patch.ApplyTo(observed));
        Assert.Equal(new RoutePatch([], [], [], []), RoutePatch.Build(desired, patch.ApplyTo(observed), null, []));
    });

    // One route for each key, as the kernel keeps them.
    private static Gen<EquatableArray<Route>> Routes { get; } = Gen.Select(Gen.Int[1, 4], Gen.Int[0, 3])
        .Select((node, kind) => kind switch
        {
            0 => Route.Unreachable(TestMesh.PodCIDR(node)),
            1 => Route.Throw(TestMesh.PodCIDR(node)),
            2 => new Route(TestMesh.PodCIDR(node), "cilium_wg0"),
            _ => new Route(TestMesh.PodCIDR(node), "cilium_wg1"),
        })
        .Array[0, 8].Select(routes => routes.DistinctBy(route => route.Key).ToEquatableArray());

    // Of node 2, say, 10.0.202.1: in the range and in no node's prefix.
    private static IPAddress Address(int node) => new([10, 0, (byte)(200 + node), 1]);

    private static bool Reaches(FakeLinkClient links, IPAddress address) => links.Routes
        .Where(route => route.Destination.Contains(address))
        .MaxBy(route => (route.Destination.Length, !route.IsUnreachable)) is not { IsUnreachable: true };

    private static MeshView View(IEnumerable<int>? roster, IEnumerable<int> announced, EquatableArray<IPPrefix>? ranges = null) => new(
        TestMesh.Name(1),
        [],
        announced.Distinct().ToDictionary(TestMesh.Name, node => TestMesh.Announce(node)),
        roster is null ? null : NodeRoster.Of(roster.Distinct().Select(
            node => TestMesh.RosterNode(node) with { AnnouncedAddresses = node == 1 || ranges is null ? [] : [Address(node)] })) with
        {
            PodRanges = ranges ?? [],
        },
        isSynced: true,
        isSettled: true);

    private static EquatableArray<Route> Tunnels(IEnumerable<int> peers) =>
        peers.Distinct().Order().Select(node => new Route(TestMesh.PodCIDR(node), Device)).ToEquatableArray();

    private ProtectionPlan Plan(int[] roster, int[] announced) => ProtectionPlan.Build(View(roster, announced), _options);

    private async Task PassAsync(int[] roster, int[] peers)
    {
        await _routes.ProtectAsync(Plan(roster, peers), isResync: false, Token);
        _ = await _routes.ObserveAsync(Token);
        await _routes.ConnectAsync(Plan(roster, peers), Tunnels(peers), Token);
    }

    private IEnumerable<object?> Operations(string name) => _links.Calls.Where(call => call.Operation == name).Select(call => call.Subject);
}
