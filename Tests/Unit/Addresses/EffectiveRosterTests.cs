using System.Net;
using Orleans.WireGuard.Grains.Addresses;
using Orleans.WireGuard.Grains.Nodes;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.Unit.Addresses;

/// <summary>What the mesh takes the nodes' pods to have.</summary>
public sealed class EffectiveRosterTests
{
    private static readonly NodeRoster Roster = TestMesh.Roster(1, 2, 3);

    [Fact]
    public void Build_NothingAnnouncedAndListBelieved_IsTheList()
    {
        var own = new OwnPrefixes([TestMesh.PodCIDR(1)], []);
        Assert.True(EffectiveRoster.Build(Roster, AddressBook.Empty, AddressPolicy.Unknown, own, "node-1", null).HasSameNodes(Roster));
    }

    // The list tells of something else there, such as what the controller manager would have assigned.
    [Fact]
    public void Build_ListNotBelieved_CountsWhatIsAnnouncedOnly()
    {
        var own = new OwnPrefixes(Parse("10.244.1.0/26"), Parse("10.244.0.0/16")) { IsRosterBelieved = false };
        var policy = new AddressPolicy(Roster, own.PodRanges, own.IsRosterBelieved);
        var book = AddressBook.Empty.With(Announce(2, Parse("10.244.2.0/26")), policy);
        var effective = EffectiveRoster.Build(Roster, book, policy, own, "node-1", null);
        Assert.Equal(Parse("10.244.1.0/26"), effective.Find("node-1")!.PodCIDRs);
        Assert.Equal(Parse("10.244.2.0/26"), effective.Find("node-2")!.PodCIDRs);
        Assert.Empty(effective.Find("node-3")!.PodCIDRs);
        Assert.Equal(own.PodRanges, effective.PodRanges);
    }

    // Packets for such an address take the node's tunnel, so whoever could announce any would get them.
    [Theory]
    [InlineData("10.244.2.1", true)]
    [InlineData("10.244.7.1", true)]
    [InlineData("10.244.3.1", false)]
    [InlineData("8.8.8.8", false)]
    [InlineData("192.168.0.3", false)]
    public void Build_AnnouncedAddressOfTheNode_CountsWhereItIsNobodyElses(string address, bool counts)
    {
        var own = new OwnPrefixes([], Parse("10.244.0.0/16")) { IsRosterBelieved = false };
        var policy = new AddressPolicy(Roster, own.PodRanges, own.IsRosterBelieved);
        var book = AddressBook.Empty.With(Announce(3, Parse("10.244.3.0/26")), policy)
            .With(Announce(2, Parse("10.244.2.0/26")) with { NodeAddresses = [IPAddress.Parse(address)] }, policy);
        var effective = EffectiveRoster.Build(Roster, book, policy, own, "node-1", null);
        Assert.Equal(counts, effective.Find("node-2")!.AnnouncedAddresses.Count == 1);
    }

    // Our pod has an address that another node had before: packets for it go there, and our pod's own packets are refused and not in clear.
    [Fact]
    public void Build_OwnPrefixThatAnotherNodeHolds_LosesThatPartAndShowsBoth()
    {
        var own = new OwnPrefixes(Parse("10.244.1.0/30"), []) { IsRosterBelieved = false };
        var policy = new AddressPolicy(Roster, [], isRosterBelieved: false);
        var book = AddressBook.Empty.With(Announce(2, Parse("10.244.1.1/32")), policy).With(Announce(1, own.Prefixes), policy);
        var effective = EffectiveRoster.Build(Roster, book, policy, own, "node-1", null);
        Assert.Equal(Parse("10.244.1.0/32 10.244.1.2/31"), effective.Find("node-1")!.PodCIDRs);
        Assert.Equal(Parse("10.244.1.0/30"), effective.Find("node-1")!.ListedPodCIDRs);
        var conflict = Assert.Single(effective.Conflicts);
        Assert.Equal(("node-2", "node-1"), (conflict.Keeper.NodeName, conflict.Loser.NodeName));
    }

    [Fact]
    public void Build_WhatHasNotChanged_IsTheSameObject()
    {
        var own = new OwnPrefixes([], []) { IsRosterBelieved = false };
        var policy = new AddressPolicy(Roster, [], isRosterBelieved: false);
        var book = AddressBook.Empty.With(Announce(2, Parse("10.244.2.0/26")), policy);
        var former = EffectiveRoster.Build(Roster, book, policy, own, "node-1", null);
        var next = EffectiveRoster.Build(Roster, book.With(Announce(3, Parse("10.244.3.0/26")), policy), policy, own, "node-1", former);
        Assert.True(former.Find("node-2")!.PodCIDRs.AsSpan().Overlaps(next.Find("node-2")!.PodCIDRs.AsSpan()));
    }

    private static AddressAnnouncement Announce(int node, EquatableArray<IPPrefix> prefixes) => new()
    {
        NodeName = TestMesh.Name(node),
        Identity = default,
        Sequence = default,
        Prefixes = prefixes,
        NodeAddresses = [IPAddress.Parse("10.0.9.9")],
    };

    private static EquatableArray<IPPrefix> Parse(string list) =>
        list.Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(IPPrefix.Parse).Order().ToEquatableArray();
}
