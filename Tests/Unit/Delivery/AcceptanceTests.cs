using Orleans.WireGuard.Grains.Delivery;
using Orleans.WireGuard.Grains.Reasons;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.Unit.Delivery;

/// <summary>A silo that the others refuse is not ready, so that a roll-out stops there.</summary>
public sealed class AcceptanceTests
{
    private readonly WaitableTimeProvider _time = new(TestMesh.Start);
    private readonly OwnAnnouncement _own = new();
    private FakeMembership _membership = new(1);

    [Fact]
    public void FindProblem_Alone_IsReady() => Assert.Null(Make(1).FindProblem());

    [Fact]
    public void FindProblem_NobodyHasAnsweredYet_IsNotReadyFromTheFirstMoment()
    {
        var acceptance = Make(1, 2, 3);
        Begin();
        Assert.Contains("2 of 2 active silos have not accepted its announcement", Text(acceptance), StringComparison.Ordinal);
        Answer(2, AnnouncementOutcome.Applied);
        Assert.Contains("node-3: no answer", Text(acceptance), StringComparison.Ordinal);
        Answer(3, AnnouncementOutcome.Held);
        Assert.Null(acceptance.FindProblem());
    }

    // Not ready however long it waits: what this release announces, the others cannot read.
    [Fact]
    public void FindProblem_AllRefuse_IsNeverReadyAndSaysWhyAndWho()
    {
        var acceptance = Make(1, 2, 3);
        Begin();
        Answer(2, AnnouncementOutcome.BadSignature);
        Answer(3, AnnouncementOutcome.BadSignature);
        for (var minute = 0; minute < 3; minute++)
        {
            Assert.Contains("node-2: BadSignature, node-3: BadSignature", Text(acceptance), StringComparison.Ordinal);
            _time.Advance(TimeSpan.FromMinutes(1));
        }
    }

    // One of eleven may be down; two may not.
    [Fact]
    public void FindProblem_NineTenths_AreEnough()
    {
        var acceptance = Make([.. Enumerable.Range(1, 11)]);
        Begin();
        for (var node = 2; node <= 9; node++)
        {
            Answer(node, AnnouncementOutcome.Applied);
        }

        Assert.NotNull(acceptance.FindProblem());
        Answer(10, AnnouncementOutcome.Applied);
        Assert.Null(acceptance.FindProblem());
    }

    // Nobody asks for minutes, and then in the middle of a delivery: what was lacking before has nothing to do with it.
    [Fact]
    public void FindProblem_WasAccepted_HasAWhileForEachChange()
    {
        var acceptance = Accepted(1, 2, 3);
        foreach (var revision in Enumerable.Range(1, 3))
        {
            Begin(revision);
            acceptance.Follow();
            _time.Advance(Acceptance.Grace - TimeSpan.FromTicks(1));
            Assert.Null(acceptance.FindProblem());
            Answer(2, AnnouncementOutcome.Applied, revision);
            Answer(3, AnnouncementOutcome.Applied, revision);
            acceptance.Follow();
            _time.Advance(TimeSpan.FromMinutes(10));
        }

        Begin(revision: 4);
        acceptance.Follow();
        _time.Advance(Acceptance.Grace);
        Assert.Equal(NodeProblemCode.NotAccepted, acceptance.FindProblem()?.Code);
    }

    // Its receipts come too late, but who is asked holds the announcement.
    [Fact]
    public void FindProblem_HeldByTheDigestsOfOthers_IsReady()
    {
        var acceptance = Make(1, 2, 3);
        Begin();
        acceptance.NoteHeld(FakeMembership.Silo(2), TestMesh.Announce(1).Sequence);
        Assert.NotNull(acceptance.FindProblem());
        acceptance.NoteHeld(FakeMembership.Silo(3), TestMesh.Announce(1).Sequence);
        Assert.Null(acceptance.FindProblem());

        // That was of another one.
        Begin(revision: 1);
        Assert.NotNull(acceptance.FindProblem());
    }

    // A DaemonSet replaces the unready pods of the former revision all at once, with the one that is bad.
    [Fact]
    public void FindProblem_OneOfTwoIsBad_StaysReady()
    {
        var acceptance = Accepted(1, 2, 3);
        Begin(revision: 1);
        Answer(2, AnnouncementOutcome.Applied, revision: 1);
        Answer(3, AnnouncementOutcome.BadSignature, revision: 1);
        acceptance.NoteOffer(FakeMembership.Silo(3), AnnouncementOutcome.BadSignature);
        for (var minute = 0; minute < 60; minute++)
        {
            acceptance.Follow();
            _time.Advance(TimeSpan.FromMinutes(1));
            Assert.Null(acceptance.FindProblem());
        }
    }

    [Fact]
    public void FindProblem_RefusesMostOthers_IsNotReadyUntilItTakesThem()
    {
        var acceptance = Accepted(1, 2, 3);
        acceptance.NoteOffer(FakeMembership.Silo(2), AnnouncementOutcome.BadSignature);
        acceptance.NoteOffer(FakeMembership.Silo(3), AnnouncementOutcome.UnsupportedVersion);
        Assert.Null(acceptance.FindProblem());
        _time.Advance(Acceptance.Grace);
        Assert.Contains("it refuses the announcements of 2 of 2 active silos", Text(acceptance), StringComparison.Ordinal);
        Assert.Contains("node-2: BadSignature, node-3: UnsupportedVersion", Text(acceptance), StringComparison.Ordinal);
        acceptance.NoteOffer(FakeMembership.Silo(2), null);
        Assert.Null(acceptance.FindProblem());
    }

    // Being alone is no acceptance: who comes has to accept it first.
    [Fact]
    public void FindProblem_WasAlone_HasToBeAcceptedLikeAnyNewOne()
    {
        var acceptance = Make(1);
        Begin();
        acceptance.Follow();
        _membership.Set(1, 2);
        Assert.Equal(NodeProblemCode.NotAccepted, acceptance.FindProblem()?.Code);
    }

    private static string Text(Acceptance acceptance) =>
        acceptance.FindProblem() is { } problem ? NodeProblemText.Describe(problem) : "";

    private Acceptance Make(params int[] active)
    {
        _membership = new FakeMembership(active);
        var store = TestMesh.Store(new FakeRosterSource(0), _membership, _time, _own);
        return new Acceptance(
            _own, _membership.Members, new MeshProtocol(OwnProtocol.Range, store, _membership.Members, _time), _time);
    }

    private Acceptance Accepted(params int[] active)
    {
        var acceptance = Make(active);
        Begin();
        foreach (var node in active.Skip(1))
        {
            Answer(node, AnnouncementOutcome.Applied);
        }

        acceptance.Follow();
        Assert.Null(acceptance.FindProblem());
        return acceptance;
    }

    private void Begin(int revision = 0) => _own.Begin(TestMesh.Announce(1, revision: revision), TestMesh.Start);

    private void Answer(int node, AnnouncementOutcome outcome, int revision = 0) => _own.Record(
        TestMesh.Announce(1, revision: revision).Sequence, FakeMembership.Silo(node), TestMesh.Name(node), outcome, null, TimeSpan.Zero);
}
