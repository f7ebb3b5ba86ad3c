using Microsoft.Extensions.Logging.Abstractions;
using Orleans.WireGuard.Linux;
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
        await ReconcileAsync(roster: null, isResync: true);

        Assert.Equal([TestMesh.PodCIDR(2)], _firewall.State.Prefixes.Remote);
    }

    [Theory]
    [InlineData(EncryptionMode.Permissive, true)]
    [InlineData(EncryptionMode.Strict, false)]
    public async Task Reconcile_NotWantedAnyMore_DeletesTheTable(EncryptionMode mode, bool dropPlaintext)
    {
        await ReconcileAsync([1, 2]);
        (_options.Mode, _options.DropPlaintext) = (mode, dropPlaintext);
        await ReconcileAsync([1, 2]);
        await ReconcileAsync([1, 2]);

        Assert.Null(_firewall.State);
        Assert.Equal(1, _firewall.Calls.Count(call => call == "Delete"));
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

    private static FirewallState State(int node) => new(new([TestMesh.PodCIDR(node)], [TestMesh.PodCIDR(1)]), IsIntact: true);

    private Task ReconcileAsync(int[]? roster, bool isResync = false)
    {
        var view = new MeshView(
            TestMesh.Name(1), [], new Dictionary<string, PeerAnnouncement>(), roster is null ? null : TestMesh.Roster(roster),
            isSynced: true, isSettled: true);
        return _reconciler.ReconcileAsync(FirewallPlan.Build(view, _options), isResync, Token);
    }
}
