using CsCheck;
using Orleans.WireGuard.Grains.Addresses;
using Orleans.WireGuard.Grains.Nodes;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.Unit.Addresses;

/// <summary>Whose a prefix is, one by one.</summary>
public sealed class AddressBookTests
{
    private static readonly AddressPolicy Anything = new(Nodes(), [], isRosterBelieved: false);
    private static readonly AddressPolicy InRange = new(Nodes(), Parse("10.0.0.0/8"), isRosterBelieved: false);

    private static readonly Gen<Step> Steps = Gen.Select(
        Gen.Int[1, 4], MeshGen.CloseByPrefix.Array[0, 3], Gen.Int[0, 9], (node, prefixes, chance) => new Step(node, prefixes, chance));

    // Whatever happens in whatever order: no address has two holders, everything announced is granted or held back, and nothing is held
    // back by somebody who does not have it.
    [Fact]
    public void Book_AnyHistory_GivesEachAddressOneHolder() => Steps.Array[1, 20].Sample(
        steps =>
        {
            var (book, policy) = (AddressBook.Empty, Anything);
            foreach (var step in steps)
            {
                policy = step.Chance == 9 ? (policy == Anything ? InRange : Anything) : policy;
                book = step.Chance switch
                {
                    8 => book.Without([TestMesh.Name(step.Node)], policy),
                    9 => book.By(policy),
                    _ => book.With(Announce(step.Node, PrefixSet.Merge(step.Prefixes)), policy),
                };
                AssertLaws(book);
            }
        },
        iter: 500);

    [Fact]
    public void With_PrefixOfAnotherNode_IsHeldBackAlone()
    {
        var book = Book((1, "10.244.1.0/24"), (2, "10.244.1.7/32 10.244.2.0/24"));
        Assert.Equal("10.244.2.0/24", Granted(book, "node-2"));
        var heldBack = Assert.Single(book.HeldBack);
        Assert.Equal(
            ("node-2", IPPrefix.Parse("10.244.1.7/32"), HeldBackReason.HeldByAnotherNode, "node-1", IPPrefix.Parse("10.244.1.0/24")),
            (heldBack.NodeName, heldBack.Prefix, heldBack.Reason, heldBack.OtherNode, heldBack.OtherPrefix!.Value));
    }

    // An address that moves from one node to another.
    [Fact]
    public void With_HolderGivesItBack_GoesToWhoWaits()
    {
        var book = Book((1, "10.244.1.7/32"), (2, "10.244.1.7/32"));
        Assert.Empty(book.Granted["node-2"]);

        book = book.With(Announce(1, Parse("10.244.1.8/32")), Anything);
        Assert.Equal("10.244.1.7/32", Granted(book, "node-2"));
        Assert.Empty(book.HeldBack);
    }

    // Its silo is dead, so it gives nothing back.
    [Fact]
    public void Without_HolderLeaves_GoesToWhoWaits()
    {
        var book = Book((1, "10.244.1.7/32"), (2, "10.244.1.7/32")).Without(["node-1"], Anything);
        Assert.Equal("10.244.1.7/32", Granted(book, "node-2"));
        Assert.DoesNotContain("node-1", book.Granted);
    }

    // It was away, and comes back with what it had before.
    [Fact]
    public void With_FormerHolderClaimsItAgain_DoesNotGetItBack()
    {
        var book = Book((1, "10.244.1.7/32"), (2, "10.244.1.7/32")).Without(["node-1"], Anything)
            .With(Announce(1, Parse("10.244.1.7/32")), Anything);
        Assert.Equal("10.244.1.7/32", Granted(book, "node-2"));
        Assert.Equal("node-1", Assert.Single(book.HeldBack).NodeName);
    }

    // What another node holds lies inside of what the list of nodes gives to this one.
    [Fact]
    public void With_ListOfNodesNamesTheClaimant_TakesItFromTheHolder()
    {
        var book = AddressBook.Empty.With(Announce(1, Parse("10.244.2.7/32 10.244.9.0/24")), Anything);
        var named = new AddressPolicy(
            NodeRoster.Of([TestMesh.RosterNode(1) with { PodCIDRs = [] }, TestMesh.RosterNode(2) with { PodCIDRs = Parse("10.244.2.0/24") }]),
            Parse("10.244.0.0/16"), isRosterBelieved: true);
        book = book.By(named).With(Announce(2, Parse("10.244.2.0/24")), named);
        Assert.Equal("10.244.2.0/24", Granted(book, "node-2"));
        Assert.Equal("10.244.9.0/24", Granted(book, "node-1"));
        Assert.Equal(HeldBackReason.InBlockOfAnotherNode, Assert.Single(book.HeldBack).Reason);
    }

    [Theory]
    [InlineData("0.0.0.0/0", HeldBackReason.TooWide)]
    [InlineData("10.0.0.0/7", HeldBackReason.TooWide)]
    [InlineData("fd00::/31", HeldBackReason.TooWide)]
    [InlineData("192.168.0.3/32", HeldBackReason.AddressOfNode)]
    [InlineData("192.168.0.0/16", HeldBackReason.AddressOfNode)]
    [InlineData("8.8.8.8/32", HeldBackReason.OutsidePodRanges)]
    public void With_WhatNoPodCanHave_IsHeldBack(string prefix, HeldBackReason reason)
    {
        var book = AddressBook.Empty.With(Announce(1, Parse(prefix)), InRange);
        Assert.Equal(reason, Assert.Single(book.HeldBack).Reason);
        Assert.Empty(book.Granted["node-1"]);
    }

    // Where the list of nodes tells what pods have, and nothing else says where pods can be, nobody takes more than it gives.
    [Fact]
    public void With_ListOfNodesIsBelieved_GivesNothingBeyondIt()
    {
        var policy = new AddressPolicy(TestMesh.Roster(1, 2, 3), [], isRosterBelieved: true);
        var book = AddressBook.Empty.With(Announce(2, Parse("10.0.2.0/25 10.0.3.7/32 10.9.9.0/24")), policy);
        Assert.Equal("10.0.2.0/25", Granted(book, "node-2"));
        Assert.Equal(
            [HeldBackReason.InBlockOfAnotherNode, HeldBackReason.NotInRoster],
            book.HeldBack.OrderBy(heldBack => heldBack.Prefix).Select(heldBack => heldBack.Reason));
    }

    // One changed prefix among many must not cost what all of them do.
    [Fact]
    public void With_OneOfManyPrefixesChanges_KeepsWhatIsNotTouched()
    {
        var many = PrefixSet.Merge(Enumerable.Range(0, 4000).Select(i => new IPPrefix(new([10, 7, (byte)(i >> 8), (byte)i]), 32)));
        var book = AddressBook.Empty.With(Announce(1, many), Anything).With(Announce(2, Parse("10.8.0.1/32")), Anything);
        var next = book.With(Announce(2, Parse("10.8.0.2/32")), Anything);
        Assert.Same(book.Granted["node-1"], next.Granted["node-1"]);
        Assert.Equal("10.8.0.2/32", Granted(next, "node-2"));
    }

    private static void AssertLaws(AddressBook book)
    {
        var granted = book.Granted.SelectMany(node => node.Value.Select(prefix => (Prefix: prefix, Node: node.Key))).ToList();
        foreach (var (prefix, node) in granted)
        {
            Assert.DoesNotContain(granted, other => other.Node != node && other.Prefix.Overlaps(prefix));
        }

        var settled = granted.Select(entry => (entry.Node, entry.Prefix))
            .Concat(book.HeldBack.Select(heldBack => (heldBack.NodeName, heldBack.Prefix))).ToList();
        Assert.Equal(settled.Count, settled.Distinct().Count());
        Assert.Equal(
            book.Announcements.Values.SelectMany(announcement => announcement.Prefixes.Select(prefix => (announcement.NodeName, prefix)))
                .ToHashSet(),
            settled.ToHashSet());
        Assert.All(
            book.HeldBack.Where(heldBack => heldBack.Reason == HeldBackReason.HeldByAnotherNode),
            heldBack => Assert.Contains(granted, entry => entry.Node != heldBack.NodeName && entry.Prefix.Overlaps(heldBack.Prefix)));
    }

    private static string Granted(AddressBook book, string nodeName) => string.Join(' ', book.Granted[nodeName]);

    private static AddressBook Book(params (int Node, string Prefixes)[] announced) => announced.Aggregate(
        AddressBook.Empty, (book, next) => book.With(Announce(next.Node, Parse(next.Prefixes)), Anything));

    private static NodeRoster Nodes() => NodeRoster.Of(
        Enumerable.Range(1, 4).Select(node => TestMesh.RosterNode(node) with { PodCIDRs = [] }));

    private static AddressAnnouncement Announce(int node, EquatableArray<IPPrefix> prefixes) => new()
    {
        NodeName = TestMesh.Name(node),
        Identity = default,
        Sequence = default,
        Prefixes = prefixes,
    };

    private static EquatableArray<IPPrefix> Parse(string list) =>
        list.Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(IPPrefix.Parse).Order().ToEquatableArray();

    private sealed record Step(int Node, IPPrefix[] Prefixes, int Chance);
}
