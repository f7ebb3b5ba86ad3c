using Microsoft.Extensions.Time.Testing;
using Orleans.WireGuard.Grains.Delivery;
using Orleans.WireGuard.Grains.Nodes;
using Orleans.WireGuard.Keys;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.Unit.Delivery;

/// <summary>
/// Two objects claim the same addresses: who is there with them keeps them, on every node, whatever the other one's age, and comes to
/// announce itself later, or restarts.
/// </summary>
public sealed class DisputedRosterTests : IDisposable
{
    private static readonly IPPrefix Wide = IPPrefix.Parse("10.0.0.0/16");

    private readonly Identity _identity = new();

    // Node 9 has the range of the whole cluster, and an object older than all others.
    private readonly NodeRoster _disputed = NodeRoster.Of(
    [
        .. TestMesh.Roster(1, 2, 3).Nodes.Values.Select(node => node with { CreatedAt = TestMesh.Start }),
        TestMesh.RosterNode(9) with { PodCIDRs = [Wide], CreatedAt = TestMesh.Start.AddDays(-1) },
    ]);

    public void Dispose() => _identity.Dispose();

    [Fact]
    public void Offer_NodeThatIsThereBesideAWideObject_IsTakenAgainAndAgain()
    {
        var store = Store(TestMesh.Roster(1, 2, 3), out var roster, 1, 2, 3);
        Take(store, TestMesh.Announce(2, revision: 1));
        roster.Set(_disputed);
        Take(store, TestMesh.Announce(2, TestMesh.Key(22), 2));
        Take(store, TestMesh.Announce(3, revision: 1));
        Assert.Equal([TestMesh.PodCIDR(2)], store.Roster!.Find("node-2")!.PodCIDRs);
        Assert.DoesNotContain(store.Roster.Find("node-9")!.PodCIDRs, cidr => cidr.Overlaps(TestMesh.PodCIDR(1)));
    }

    // It has a machine after all: it gets what nobody has, and that it announced that does not make it the owner of the rest.
    [Fact]
    public void Offer_WideObjectThatAnnouncesItselfLater_GetsTheRestOnly()
    {
        var store = Store(_disputed, out _, 1, 2, 3, 9);
        store.MarkSynced();
        foreach (var node in (int[])[1, 2, 3])
        {
            Take(store, TestMesh.Announce(node, revision: 1));
        }

        Assert.Equal(AnnouncementVerdict.Taken, store.Offer(_identity.Sign(TestMesh.Announce(9) with { AllowedIPs = [Wide] })));
        var rest = store.Roster!.Find("node-9")!.PodCIDRs;
        Take(store, TestMesh.Announce(9, revision: 1) with { AllowedIPs = rest });
        Assert.Equal(rest, store.Roster.Find("node-9")!.PodCIDRs);
        Assert.All((int[])[1, 2, 3], node => Assert.Equal([TestMesh.PodCIDR(node)], store.Roster.Find(TestMesh.Name(node))!.PodCIDRs));
    }

    // A silo that restarts holds nothing. It must neither lose what is its own nor refuse what the others have had all along, in whichever
    // order it hears.
    [Theory]
    [InlineData(2, 9)]
    [InlineData(9, 2)]
    public void Offer_AfterARestart_EveryoneKeepsWhatItHad(int first, int second)
    {
        var own = new OwnAnnouncement();
        var store = Store(_disputed, own, out _, 1, 2, 3, 9);
        Assert.Equal([TestMesh.PodCIDR(1)], store.Roster!.Find("node-1")!.PodCIDRs);
        EquatableArray<IPPrefix> rest = [IPPrefix.Parse("10.0.128.0/17")];
        foreach (var node in (int[])[first, second])
        {
            Take(store, node == 9 ? TestMesh.Announce(9) with { AllowedIPs = rest } : TestMesh.Announce(node, revision: 1));
        }

        Assert.True(own.NoteFormerSelf(TestMesh.Announce(1, revision: 1), TestMesh.Start.AddHours(1)));
        store.MarkSynced();
        Assert.Equal([TestMesh.PodCIDR(1)], store.Roster!.Find("node-1")!.PodCIDRs);
        Assert.Equal([TestMesh.PodCIDR(2)], store.Roster.Find("node-2")!.PodCIDRs);
        Take(store, TestMesh.Announce(1, revision: 2));
    }

    // Two that began in the same moment, each before it heard of the other: both come to give it to the older object.
    [Fact]
    public void Offer_BothAnnouncedTheSame_TheOlderObjectHasItOnBoth()
    {
        var twin = TestMesh.RosterNode(2) with { PodCIDRs = [TestMesh.PodCIDR(1)], CreatedAt = TestMesh.Start.AddSeconds(1) };
        var roster = NodeRoster.Of([TestMesh.RosterNode(1) with { CreatedAt = TestMesh.Start }, twin]);
        var (older, newer) =
            (_identity.Sign(TestMesh.Announce(1)), _identity.Sign(TestMesh.Announce(2) with { AllowedIPs = [TestMesh.PodCIDR(1)] }));
        var (onOlder, onNewer) = (Store(roster, out _, 1, 2), Store(roster, out _, 2, 1));
        onOlder.MarkSynced();
        onNewer.MarkSynced();
        Take(onOlder, older);
        Take(onNewer, newer);

        Take(onOlder, newer);
        Take(onNewer, older);
        Assert.All([onOlder, onNewer], store => Assert.Empty(store.Roster!.Find("node-2")!.PodCIDRs));
    }

    // While the roster is the same and nothing in it is disputed, it is divided once.
    [Fact]
    public void Roster_NothingDisputed_IsTheSourcesOwn()
    {
        var store = Store(TestMesh.Roster(1, 2), out var roster, 1, 2);
        Take(store, TestMesh.Announce(2));
        Assert.Same(roster.Current, store.Roster);
    }

    private static AnnouncementStore Store(NodeRoster current, out FakeRosterSource roster, params int[] active) =>
        Store(current, new OwnAnnouncement(), out roster, active);

    private static AnnouncementStore Store(NodeRoster current, OwnAnnouncement own, out FakeRosterSource roster, params int[] active)
    {
        roster = new FakeRosterSource(0);
        roster.Set(current);
        return TestMesh.Store(roster, new FakeMembership(active), new FakeTimeProvider(TestMesh.Start), own);
    }

    private void Take(AnnouncementStore store, PeerAnnouncement announcement) =>
        Assert.Equal(AnnouncementVerdict.Taken, store.Offer(_identity.Sign(announcement)));
}
