using CsCheck;
using Orleans.WireGuard.Grains.Delivery;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.Unit.Delivery;

/// <summary>One exchange of digests leaves both sides with the newest that either had.</summary>
public sealed class DigestComparisonTests
{
    private const int MaxNodes = 4;

    // For each node: nothing, or an announcement of one of a few revisions.
    private static readonly Gen<Dictionary<string, PeerAnnouncement>> Held = Gen.Int[-1, 2].Array[MaxNodes].Select(revisions => revisions
        .Select((revision, node) => (revision, node)).Where(entry => entry.revision >= 0)
        .ToDictionary(entry => TestMesh.Name(entry.node), entry => TestMesh.Announce(entry.node, revision: entry.revision)));

    [Fact]
    public void Compare_ThenExchange_BothHoldTheNewest() => Gen.Select(Held, Held).Sample((mine, theirs) =>
    {
        var newest = mine.Values.Concat(theirs.Values).GroupBy(announcement => announcement.NodeName)
            .Select(node => node.MaxBy(announcement => announcement.Sequence)!).ToDictionary(announcement => announcement.NodeName);

        // What PeerService does: the caller takes what is newer and sends what is wanted.
        var reply = DigestComparison.Compare(DigestComparison.ToDigest(mine), theirs);
        Assert.All(reply.Newer, announcement => Assert.True(
            !mine.TryGetValue(announcement.NodeName, out var held) || held.Sequence < announcement.Sequence));
        foreach (var newer in reply.Newer)
        {
            mine[newer.NodeName] = newer;
        }

        foreach (var wanted in reply.Wanted)
        {
            theirs[wanted] = mine[wanted];
        }

        Assert.Equal(newest, mine);
        Assert.Equal(newest, theirs);
    });

    [Fact]
    public void Compare_SameHeld_IsEmpty() => Held.Sample(held =>
        Assert.Equal(Said(new DigestReply([], [])), DigestComparison.Compare(DigestComparison.ToDigest(held), held)));

    [Fact]
    public void ToDigest_Golden_IsSortedByName() => Assert.Equal(
        new MeshDigest(
        [
            new DigestEntry("node-1", new AnnouncementSequence(new Epoch(1), 7)),
            new DigestEntry("node-2", new AnnouncementSequence(new Epoch(1), 0)),
        ])
        { Protocol = OwnProtocol.Range },
        DigestComparison.ToDigest(new Dictionary<string, PeerAnnouncement>
        {
            ["node-2"] = TestMesh.Announce(2),
            ["node-1"] = TestMesh.Announce(1, revision: 7),
        }));

    // What PeerService does until a reply is not full.
    [Fact]
    public void Compare_MoreThanAReplyCarries_ComesInPages()
    {
        const int Nodes = (3 * DigestComparison.MaxNewer) + 7;
        var theirs = Enumerable.Range(0, Nodes).Select(node => TestMesh.Announce(node)).ToDictionary(announcement => announcement.NodeName);
        var mine = new Dictionary<string, PeerAnnouncement>();
        var pages = 0;
        for (var isFull = true; isFull; pages++)
        {
            var reply = DigestComparison.Compare(DigestComparison.ToDigest(mine), theirs);
            Assert.InRange(reply.Newer.Count, 0, DigestComparison.MaxNewer);
            isFull = reply.Newer.Count == DigestComparison.MaxNewer;
            foreach (var newer in reply.Newer)
            {
                mine.Add(newer.NodeName, newer);
            }
        }

        Assert.Equal(4, pages);
        Assert.Equal(theirs, mine);
    }

    // A silo of the release before says nothing, and would take extensions for a bad signature. It can still give what it has.
    [Fact]
    public void Compare_AskedByWhoKnowsNoExtensions_GivesNone()
    {
        var mine = new Dictionary<string, PeerAnnouncement>
        {
            ["node-1"] = TestMesh.Announce(1),
            ["node-2"] = TestMesh.Announce(2) with { Extensions = [0, 9, 0, 1, 42] },
        };
        var theirs = DigestComparison.ToDigest(new Dictionary<string, PeerAnnouncement> { ["node-3"] = TestMesh.Announce(3) });
        Assert.Equal(["node-1", "node-2"], DigestComparison.Compare(theirs, mine).Newer.Select(newer => newer.NodeName));
        var former = DigestComparison.Compare(theirs with { Protocol = null }, mine);
        Assert.Equal(["node-1"], former.Newer.Select(newer => newer.NodeName));
        Assert.Equal(["node-3"], former.Wanted);
    }

    private static DigestReply Said(DigestReply reply) => reply with { Protocol = OwnProtocol.Range, Version = OwnProtocol.Version };
}
