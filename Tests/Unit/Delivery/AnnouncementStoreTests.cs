using Microsoft.Extensions.Time.Testing;
using Orleans.WireGuard.Grains.Clocks;
using Orleans.WireGuard.Grains.Delivery;
using Orleans.WireGuard.Grains.Nodes;
using Orleans.WireGuard.Keys;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.Unit.Delivery;

/// <summary>What was held stays in force until something better comes, and refusals are counted.</summary>
public sealed class AnnouncementStoreTests : IDisposable
{
    private static readonly TimeSpan Period = TimeSpan.FromSeconds(120);

    private readonly Identity _identity = new();
    private readonly FakeTimeProvider _time = new(TestMesh.Start);
    private readonly FakeRosterSource _roster = new(0);
    private readonly MeshClock _clock;
    private readonly AnnouncementStore _store;

    public AnnouncementStoreTests()
    {
        _roster.Set(TestMesh.Roster(1, 2, 3));
        _clock = new MeshClock(_time, Period);
        _store = new AnnouncementStore(_roster, new FakeMembership(1).Members, new OwnAnnouncement(), _clock, _time);
        Assert.Equal(AnnouncementOutcome.Held, _store.Offer(Announce(1, revision: 5)).Outcome);
        Assert.Equal(AnnouncementOutcome.Held, _store.Offer(Announce(2, revision: 5)).Outcome);
    }

    public void Dispose() => _identity.Dispose();

    // Once a second the highest sequence that is taken, for ten minutes. The node hears of it and announces above it, and is heard each
    // time.
    [Fact]
    public void Offer_ForgerSendsTheHighestEverySecond_LocksNobodyOut()
    {
        using var forger = new Identity();
        for (var second = 0; second < 600; second++)
        {
            var forged = forger.Sign(TestMesh.Announce(1) with { Sequence = AnnouncementSequence.At(_clock.Horizon) });
            Assert.Equal(AnnouncementOutcome.Held, _store.Offer(forged).Outcome);

            _time.Advance(TimeSpan.FromMilliseconds(5));
            var genuine = TestMesh.Announce(1) with { Sequence = AnnouncementSequence.Next(forged.Sequence, _clock.MeshTime) };
            Assert.Equal(AnnouncementOutcome.Held, _store.Offer(_identity.Sign(genuine)).Outcome);
            _time.Advance(TimeSpan.FromMilliseconds(995));
        }

        // And when it is over, the node is back at the time of its clock as soon as that has come there.
        _time.Advance(SequenceBounds.MaxLead(Period));
        var last = AnnouncementSequence.Next(_store.Announcements[TestMesh.Name(1)].Sequence, _clock.MeshTime);
        Assert.Equal(AnnouncementSequence.At(_clock.MeshTime), last);
    }

    // A day ahead is what was taken before, in seconds; now it is refused, and changes nothing.
    [Theory]
    [InlineData(540, true)]
    [InlineData(541, false)]
    [InlineData(86_400, false)]
    public void Offer_SequenceAhead_IsTakenUpToTwoPeriodsAndFiveMinutes(int seconds, bool isTaken)
    {
        var ahead = _identity.Sign(TestMesh.Announce(1) with { Sequence = AnnouncementSequence.At(TestMesh.Start.AddSeconds(seconds)) });
        Assert.Equal(isTaken ? AnnouncementOutcome.Held : AnnouncementOutcome.Malformed, _store.Offer(ahead).Outcome);
        Assert.Equal(isTaken, _store.Announcements[TestMesh.Name(1)] == ahead);
    }

    [Fact]
    public void Offer_Newer_ReplacesWhatWasHeld()
    {
        var newer = Announce(1, TestMesh.Key(11), 6);
        Assert.Equal(AnnouncementOutcome.Held, _store.Offer(newer).Outcome);
        Assert.Equal(newer, _store.Announcements[TestMesh.Name(1)]);
        Assert.Equal(2, _store.Announcements.Count);
        Assert.Empty(_store.Refusals);
    }

    [Fact]
    public void Offer_Repeated_IsAppliedAndNotCounted()
    {
        Assert.Equal(AnnouncementOutcome.Applied, _store.Offer(_store.Announcements[TestMesh.Name(1)]).Outcome);
        Assert.Empty(_store.Refusals);
    }

    // Whoever is refused may have given a name of megabytes, and it is kept until the next one comes.
    [Fact]
    public void Offer_RefusedWithALongName_KeepsNoMoreOfItThanANameHas()
    {
        var name = new string('a', 1 << 20);
        Assert.Equal(AnnouncementOutcome.Malformed, _store.Offer(TestMesh.Announce(3) with { NodeName = name }).Outcome);
        var refusal = Assert.Single(_store.Refusals);
        Assert.Equal($"{name[..(NodeNameRule.MaxLength - 1)]}…", refusal.LastNodeName);
        Assert.InRange(refusal.LastDetail.Length, 1, 1_000);
    }

    [Fact]
    public void Offer_Refused_KeepsWhatWasHeldAndCounts()
    {
        var before = _store.Announcements;
        (PeerAnnouncement Announcement, AnnouncementOutcome Outcome)[] refused =
        [
            (Announce(1, TestMesh.Key(11), 4), AnnouncementOutcome.StaleSequence),
            (Announce(1, default(PublicKey), 6), AnnouncementOutcome.ZeroKey),
            (Announce(1, TestMesh.Key(2), 6), AnnouncementOutcome.KeyOfAnotherNode),
            (_identity.Sign(
                TestMesh.Announce(1, revision: 6) with { Endpoints = [TestMesh.Address(2)] }), AnnouncementOutcome.NotInRoster),
            (TestMesh.Announce(1, revision: 6), AnnouncementOutcome.BadSignature),
            (Announce(4), AnnouncementOutcome.UnknownNode),
            (TestMesh.Announce(1, revision: 6) with { Endpoints = [] }, AnnouncementOutcome.Malformed),
        ];
        Assert.All(refused, offer => Assert.Equal(offer.Outcome, _store.Offer(offer.Announcement).Outcome));
        Assert.Same(before, _store.Announcements);
        Assert.Equal(refused.Select(offer => offer.Outcome).Order(), _store.Refusals.Select(refusal => refusal.Outcome));
        Assert.All(_store.Refusals, refusal => Assert.Equal((1, TestMesh.Start), (refusal.Count, refusal.LastAt)));
    }

    [Fact]
    public void Refusals_SameReasonTwice_CountAndTellTheLast()
    {
        _store.Offer(Announce(1, default(PublicKey), 6));
        _time.Advance(TimeSpan.FromSeconds(1));
        _store.Offer(Announce(2, default(PublicKey), 6));
        Assert.Equal(
            [new RefusalCount(AnnouncementOutcome.ZeroKey, 2, TestMesh.Name(2), "the public key of slot 0 is all-zero", _time.GetUtcNow())],
            _store.Refusals);
    }

    [Fact]
    public void ForgetAbsent_NodeLeft_FreesItsKeyAndPrefix()
    {
        _roster.Set(NodeRoster.Of([TestMesh.RosterNode(1), TestMesh.RosterNode(3) with { PodCIDRs = [TestMesh.PodCIDR(2)] }]));
        _store.ForgetAbsent(_roster.Current!);
        Assert.Equal([TestMesh.Name(1)], _store.Announcements.Keys);
        var heir = _identity.Sign(TestMesh.Announce(3, TestMesh.Key(2)) with { AllowedIPs = [TestMesh.PodCIDR(2)] });
        Assert.Equal(AnnouncementOutcome.Held, _store.Offer(heir).Outcome);
    }

    [Fact]
    public void ForgetAbsent_RosterWithoutThisNode_ForgetsNobody()
    {
        _store.ForgetAbsent(TestMesh.Roster(3));
        _store.ForgetAbsent(TestMesh.Roster());
        Assert.Equal(2, _store.Announcements.Count);
    }

    [Fact]
    public void IsSynced_OnlyAfterMarkSynced()
    {
        Assert.False(_store.IsSynced);
        _store.MarkSynced();
        Assert.True(_store.IsSynced);
    }

    private PeerAnnouncement Announce(int node, PublicKey? key = null, long revision = 0) =>
        TestMesh.Announce(_identity, node, key, revision);
}
