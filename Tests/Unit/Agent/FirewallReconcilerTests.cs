using Microsoft.Extensions.Logging.Abstractions;
using Orleans.WireGuard.Grains.Nodes;
using Orleans.WireGuard.Linux;
using Orleans.WireGuard.Linux.Routing;
using Orleans.WireGuard.Linux.Routing.Firewall;
using Orleans.WireGuard.Silo.Agent;
using Orleans.WireGuard.Silo.Findings;
using Orleans.WireGuard.Tests.Support;
using static Orleans.WireGuard.Linux.Errno;

namespace Orleans.WireGuard.Tests.Unit.Agent;

public sealed class FirewallReconcilerTests
{
    private static readonly CancellationToken Token = TestContext.Current.CancellationToken;

    private readonly FakeFirewall _firewall = new();
    private readonly EncryptionOptions _options = new();
    private readonly FirewallReconciler _reconciler;

    public FirewallReconcilerTests() => _reconciler = new FirewallReconciler(_firewall, NullLogger<FirewallReconciler>.Instance);

    [Fact]
    public async Task Reconcile_NodesComeAndGo_SendsOnlyTheDifference()
    {
        await ReconcileAsync([1, 2, 3]);
        await ReconcileAsync([1, 2, 3]);
        await ReconcileAsync([1, 3, 4]);

        Assert.Equal(["TryGet", "Create 10.0.2.0/24 10.0.3.0/24 | 10.0.1.0/24", "Change -[10.0.2.0/24] +[10.0.4.0/24]"], _firewall.Calls);
        Assert.Equal([TestMesh.PodCIDR(3), TestMesh.PodCIDR(4)], _firewall.State!.Prefixes.Remote);
    }

    // Ranges are not cut into pieces for what lies in them.
    [Fact]
    public async Task Reconcile_PodsOfARangeComeAndGo_ChangesNothingOrOneElement()
    {
        EquatableArray<IPPrefix> ranges = [IPPrefix.Parse("10.0.0.0/16")];
        await ReconcileAsync(TestMesh.Roster(1, 2) with { PodRanges = ranges });
        await ReconcileAsync(TestMesh.Roster(1, 2, 3) with { PodRanges = ranges });
        var grown = TestMesh.RosterNode(1) with { PodCIDRs = [TestMesh.PodCIDR(1), IPPrefix.Parse("10.0.77.7/32")] };
        await ReconcileAsync(NodeRoster.Of([grown, TestMesh.RosterNode(2)]) with { PodRanges = ranges });

        Assert.Equal(
            [
                "TryGet",
                "Create 10.0.0.0/16 | 10.0.1.0/24 || 10.0.1.0/24",
                "Change -[] +[ | 10.0.77.7/32 || 10.0.77.7/32]",
            ],
            _firewall.Calls);
    }

    // A look may fail for a while.
    [Fact]
    public async Task Reconcile_NobodyHasLooked_LeavesPackedPacketsAsTheyWere()
    {
        var state = State(2);
        _firewall.State = state with
        {
            Prefixes = state.Prefixes with { Encapsulating = [IPPrefix.Parse("192.168.0.2/32")] },
            Packets = [OuterPacket.Udp(8472)],
            Unpacking = ["cilium_vxlan"],
        };
        await ReconcileAsync([1, 2]);
        Assert.Equal(["TryGet"], _firewall.Calls);
    }

    [Fact]
    public async Task Reconcile_TableOfAFormerProcess_IsTakenOver()
    {
        _firewall.State = State(2) with { DroppedPackets = 7, DroppedOutgoingPackets = 3 };
        await ReconcileAsync([1, 2]);

        Assert.Equal(["TryGet"], _firewall.Calls);
        Assert.Equal((7, 3), (_reconciler.DroppedPackets, _reconciler.DroppedOutgoingPackets));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Reconcile_FlushedOrChangedByOthers_IsMadeAnewAtTheResync(bool isFlushed)
    {
        await ReconcileAsync([1, 2]);
        _firewall.State = isFlushed ? null : _firewall.State! with { IsIntact = false };
        await ReconcileAsync([1, 2]);
        Assert.Equal(2, _firewall.Calls.Count);
        await ReconcileAsync([1, 2], isResync: true);

        Assert.Equal(State(2), _firewall.State);
    }

    [Fact]
    public async Task Reconcile_RosterUnknown_LeavesTheTable()
    {
        _firewall.State = State(2);
        await ReconcileAsync((int[]?)null, isResync: true);

        Assert.Equal([TestMesh.PodCIDR(2)], _firewall.State.Prefixes.Remote);
    }

    [Theory]
    [InlineData(EncryptionMode.Permissive, true)]
    [InlineData(EncryptionMode.Strict, false)]
    public async Task Reconcile_NotWantedAnyMore_EmptiesTheTable(EncryptionMode mode, bool dropPlaintext)
    {
        await ReconcileAsync([1, 2]);
        (_options.Mode, _options.DropPlaintext) = (mode, dropPlaintext);
        await ReconcileAsync([1, 2]);
        await ReconcileAsync([1, 2]);

        Assert.True(_firewall.State!.Prefixes.IsEmpty);
        Assert.Equal(1, _firewall.Calls.Count(call => call.StartsWith("Change", StringComparison.Ordinal)));
    }

    // As a former version made it: nobody knows what its rules are.
    [Fact]
    public async Task Reconcile_NotWantedAndNotIntact_DeletesTheTable()
    {
        _firewall.State = State(2) with { IsIntact = false };
        _options.Mode = EncryptionMode.Permissive;
        await ReconcileAsync([1, 2]);
        Assert.Null(_firewall.State);
    }

    [Fact]
    public async Task LimitSegments_NothingIsDropped_MakesATableThatDropsNothing()
    {
        _options.Mode = EncryptionMode.Permissive;
        await ReconcileAsync([1, 2]);
        await _reconciler.LimitSegmentsAsync(Limits(1440), isResync: false, Token);
        await ReconcileAsync([1, 2], isResync: true);
        await _reconciler.LimitSegmentsAsync(Limits(1440), isResync: true, Token);
        await _reconciler.LimitSegmentsAsync(Limits(1380), isResync: false, Token);

        Assert.Equal(
            ["TryGet", "Create ", "Limit cilium_wg0=1440", "TryGet", "Limit cilium_wg0=1380"], _firewall.Calls);
        Assert.False(await _reconciler.HasChangedAsync(Token));
        _firewall.State = _firewall.State! with { Limits = [] };
        Assert.True(await _reconciler.HasChangedAsync(Token));
    }

    // What else is in the table stays, its counters too.
    [Fact]
    public async Task LimitSegments_StrictTable_ChangesTheLimitsAlone()
    {
        _firewall.State = State(2) with { DroppedPackets = 7 };
        await ReconcileAsync([1, 2]);
        await _reconciler.LimitSegmentsAsync(Limits(1440), isResync: false, Token);
        Assert.Equal(State(2) with { DroppedPackets = 7, Limits = Limits(1440) }, _firewall.State);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task LimitSegments_NoNfTables_IsNoFaultAndTriedAgainAtTheResync(bool isStrict)
    {
        _options.Mode = isStrict ? EncryptionMode.Strict : EncryptionMode.Permissive;
        await ReconcileAsync([1, 2]);
        _firewall.FailNextCall(EOPNOTSUPP);
        await _reconciler.LimitSegmentsAsync(Limits(1440), isResync: false, Token);
        await ReconcileAsync([1, 2]);
        var calls = _firewall.Calls.Count;
        await _reconciler.LimitSegmentsAsync(Limits(1440), isResync: false, Token);
        Assert.Equal(calls, _firewall.Calls.Count);
        await _reconciler.LimitSegmentsAsync(Limits(1440), isResync: true, Token);
        Assert.Equal(Limits(1440), _firewall.State!.Limits);
    }

    // Until the roster is known, what an earlier process left stays in force.
    [Fact]
    public async Task LimitSegments_TableThatIsNotKnownYet_StaysAsItIs()
    {
        _firewall.State = State(2) with { IsIntact = false };
        await ReconcileAsync((int[]?)null);
        await _reconciler.LimitSegmentsAsync(Limits(1440), isResync: true, Token);
        Assert.Equal(State(2) with { IsIntact = false }, _firewall.State);
    }

    [Fact]
    public async Task Reconcile_NoNfTables_MattersOnlyWhereItIsWanted()
    {
        _firewall.FailNextCall(EOPNOTSUPP);
        await Assert.ThrowsAsync<LinuxException>(() => ReconcileAsync([1, 2]));

        _options.DropPlaintext = false;
        _firewall.FailNextCall(EOPNOTSUPP);
        await ReconcileAsync([1, 2]);
        Assert.Null(_firewall.State);
    }

    [Fact]
    public async Task Reconcile_AfterAFailedWrite_ReadsAgain()
    {
        await ReconcileAsync([1, 2]);
        _firewall.FailNextCall(EOPNOTSUPP);
        await Assert.ThrowsAsync<LinuxException>(() => ReconcileAsync([1, 2, 3]));
        await ReconcileAsync([1, 2, 3]);

        Assert.Equal([TestMesh.PodCIDR(2), TestMesh.PodCIDR(3)], _firewall.State!.Prefixes.Remote);
        Assert.Equal(2, _firewall.Calls.Count(call => call == "TryGet"));
    }

    // Own pods talk to each other without a device of ours, so they are never among those whose packets are dropped.
    [Fact]
    public async Task Reconcile_Local_IsWhatOurRuleLeadsIntoTheTable()
    {
        await ReconcileAsync([1, 2, 3]);
        Assert.Equal([TestMesh.PodCIDR(1)], _firewall.State!.Prefixes.Local);
        Assert.DoesNotContain(_firewall.State.Prefixes.Remote, prefix => prefix.Overlaps(TestMesh.PodCIDR(1)));
    }

    private static EquatableArray<SegmentLimit> Limits(int mtu) => [new("cilium_wg0", mtu)];

    private static FirewallState State(int node) => new(new([TestMesh.PodCIDR(node)], [TestMesh.PodCIDR(1)]), IsIntact: true);

    private Task ReconcileAsync(int[]? roster, bool isResync = false) =>
        ReconcileAsync(roster is null ? null : TestMesh.Roster(roster), isResync);

    private Task ReconcileAsync(NodeRoster? roster, bool isResync = false)
    {
        var view = new MeshView(
            TestMesh.Name(1), [], new Dictionary<string, PeerAnnouncement>(), roster, isSynced: true, isSettled: true);
        return _reconciler.ReconcileAsync(FirewallPlan.Build(view, _options), isResync, Token);
    }
}
