using System.Net;
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

    // One refusal, and exceptions from it; in the set what is spared, so that a prefix that comes or goes is one element.
    [Fact]
    public void Build_StrictWithARange_RefusesItButOwnPodsNodesAndExemptOnes()
    {
        var range = IPPrefix.Parse("10.0.0.0/16");
        RosterNode[] nodes =
        [
            TestMesh.RosterNode(1) with { AnnouncedAddresses = [IPAddress.Parse("10.0.1.0")] },
            TestMesh.RosterNode(2) with { AnnouncedAddresses = [IPAddress.Parse("10.0.9.2")] },
            TestMesh.RosterNode(3) with { IsExempt = true },
            TestMesh.RosterNode(4) with { PodCIDRs = [TestMesh.PodCIDR(4), IPPrefix.Parse("172.16.4.0/24")] },
        ];
        var roster = NodeRoster.Of(nodes) with { PodRanges = [range] };
        var plan = Build(roster, new EncryptionOptions());
        Assert.Equal(
            [
                Route.Unreachable(range),
                Route.Throw(TestMesh.PodCIDR(1)),
                Route.Throw(TestMesh.PodCIDR(3)),
                Route.Throw(IPPrefix.Parse("10.0.9.2/32")),
                Route.Unreachable(IPPrefix.Parse("172.16.4.0/24")),
            ],
            plan.Refusals);
        Assert.Equal([range], plan.Rules);
        Assert.Equal([IPPrefix.Parse("10.0.1.0/32")], plan.NodeRules);
        var prefixes = new FirewallPrefixes([range, IPPrefix.Parse("172.16.4.0/24")], [TestMesh.PodCIDR(1)])
        {
            Spared = [TestMesh.PodCIDR(1), TestMesh.PodCIDR(3), IPPrefix.Parse("10.0.9.2/32")],
        };
        Assert.Equal(prefixes, plan.Firewall.Prefixes);
    }

    // To what has a tunnel the exception stands back.
    [Fact]
    public void Build_StrictCarryingNodes_ExceptsThoseWithAnAnnouncementUntilThereIsATunnel()
    {
        var roster = NodeRoster.Of(
        [
            TestMesh.RosterNode(1),
            TestMesh.RosterNode(2) with { AnnouncedAddresses = [IPAddress.Parse("10.9.2.1"), IPAddress.Parse("10.0.2.1")] },
            TestMesh.RosterNode(3) with { AnnouncedAddresses = [IPAddress.Parse("10.9.3.1"), IPAddress.Parse("10.0.3.1")] },
        ]);
        var view = View(roster, TestMesh.Announce(2)) with { CarriesNodes = true };
        var plan = ProtectionPlan.Build(view, new EncryptionOptions { ClusterCIDRs = { "10.9.0.0/16" } });

        // What lies among a node's own pods goes with them.
        Assert.Equal([Route.Throw(IPPrefix.Parse("10.9.2.1/32"))], plan.Fallbacks);
        Assert.Equal([Route.Throw(IPPrefix.Parse("10.9.3.1/32"))], plan.Refusals!.Value.Where(route => route.IsThrow));
        Assert.Equal([], ProtectionPlan.Build(view, new EncryptionOptions { Mode = EncryptionMode.Permissive }).Fallbacks);
    }

    // Nothing that an earlier process left is taken away for it (invariant I7).
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Build_RosterUnknownOrWithoutThisNode_LeavesWhatIsThere(bool isKnown) => Assert.Equal(
        new ProtectionPlan(null, null, new FirewallPlan(IsWanted: true, null)),
        Build(isKnown ? TestMesh.Roster(2, 3) : null, new EncryptionOptions()));

    private static ProtectionPlan Build(NodeRoster? roster, EncryptionOptions encryption) => ProtectionPlan.Build(View(roster), encryption);

    private static MeshView View(NodeRoster? roster, params PeerAnnouncement[] announcements) => new(
        TestMesh.Name(1),
        [],
        announcements.ToDictionary(announcement => announcement.NodeName),
        roster,
        isSynced: true,
        isSettled: true);
}
