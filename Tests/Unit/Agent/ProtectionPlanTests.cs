using Orleans.WireGuard.Grains.Nodes;
using Orleans.WireGuard.Linux.Routing;
using Orleans.WireGuard.Linux.Routing.Firewall;
using Orleans.WireGuard.Silo.Agent;
using Orleans.WireGuard.Silo.Findings;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.Unit.Agent;

/// <summary>What is refused and dropped follows from the sources alone; what is unknown stays as it is.</summary>
public sealed class ProtectionPlanTests
{
    [Fact]
    public void Build_Strict_RefusesAndDropsWhatIsOthers()
    {
        var plan = Build(TestMesh.Roster(1, 2, 3), new EncryptionOptions());
        Assert.Equal([Route.Unreachable(TestMesh.PodCIDR(2)), Route.Unreachable(TestMesh.PodCIDR(3))], plan.Refusals);
        Assert.Equal([TestMesh.PodCIDR(1)], plan.Rules);
        var prefixes = new FirewallPrefixes([TestMesh.PodCIDR(2), TestMesh.PodCIDR(3)], [TestMesh.PodCIDR(1)]);
        Assert.Equal(new FirewallPlan(IsWanted: true, prefixes), plan.Firewall);
    }

    [Fact]
    public void Build_Permissive_RefusesAndDropsNothing()
    {
        var plan = Build(TestMesh.Roster(1, 2), new EncryptionOptions { Mode = EncryptionMode.Permissive });
        Assert.Equal([], plan.Refusals);
        Assert.Equal([TestMesh.PodCIDR(1)], plan.Rules);
        Assert.Equal(new FirewallPlan(IsWanted: false, null), plan.Firewall);
    }

    [Fact]
    public void Build_StrictWithoutTheFirewall_RefusesOnly()
    {
        var plan = Build(TestMesh.Roster(1, 2), new EncryptionOptions { DropPlaintext = false });
        Assert.Equal([Route.Unreachable(TestMesh.PodCIDR(2))], plan.Refusals);
        Assert.Equal(new FirewallPlan(IsWanted: false, null), plan.Firewall);
    }

    // Nothing that an earlier process left is taken away for it (invariant I7).
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Build_RosterUnknownOrWithoutThisNode_LeavesWhatIsThere(bool isKnown) => Assert.Equal(
        new ProtectionPlan(null, null, new FirewallPlan(IsWanted: true, null)),
        Build(isKnown ? TestMesh.Roster(2, 3) : null, new EncryptionOptions()));

    private static ProtectionPlan Build(NodeRoster? roster, EncryptionOptions encryption) => ProtectionPlan.Build(
        new MeshView(
            TestMesh.Name(1), [], new Dictionary<string, PeerAnnouncement>(), roster, isSynced: true, isSettled: true), encryption);
}
