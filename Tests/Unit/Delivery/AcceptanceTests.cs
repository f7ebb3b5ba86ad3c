using Orleans.WireGuard.Grains.Delivery;
using Orleans.WireGuard.Grains.Reasons;
using Orleans.WireGuard.Keys;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.Unit.Delivery;

/// <summary>A silo that the others refuse is not ready, so that a roll-out stops there.</summary>
public sealed class AcceptanceTests : IDisposable
{
    private readonly WaitableTimeProvider _time = new(TestMesh.Start);
    private readonly Identity _identity = new();
    private readonly OwnAnnouncement _own = new();

    [Fact]
    public void FindProblem_Alone_IsReady() => Assert.Null(Make(out _, 1).FindProblem());

    [Fact]
    public void FindProblem_NobodyHasAnsweredYet_IsNotReadyFromTheFirstMoment()
    {
        var acceptance = Make(out _, 1, 2, 3);
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
        var acceptance = Make(out _, 1, 2, 3);
        Begin();
        Answer(2, AnnouncementOutcome.BadSignature);
        Answer(3, AnnouncementOutcome.BadSignature);
        for (var minute = 0; minute < 3; minute++)
        {
            Assert.Contains("node-2: BadSignature, node-3: BadSignature", Text(acceptance), StringComparison.Ordinal);
            _time.Advance(TimeSpan.FromMinutes(1));
        }
    }

    [Fact]
    public void FindProblem_WasAccepted_HasAWhileForEachChange()
    {
        var acceptance = Accepted(out _);
        Begin(revision: 1);
        Assert.Null(acceptance.FindProblem());
        _time.Advance(Acceptance.Grace - TimeSpan.FromTicks(1));
        Assert.Null(acceptance.FindProblem());
        _time.Advance(TimeSpan.FromTicks(1));
        Assert.Equal(NodeProblemCode.NotAccepted, acceptance.FindProblem()?.Code);

        Answer(2, AnnouncementOutcome.Applied, revision: 1);
        Answer(3, AnnouncementOutcome.Applied, revision: 1);
        Assert.Null(acceptance.FindProblem());
        Begin(revision: 2);
        Assert.Null(acceptance.FindProblem());
    }

    // One of eleven may be down; two may not.
    [Fact]
    public void FindProblem_NineTenths_AreEnough()
    {
        var acceptance = Make(out _, [.. Enumerable.Range(1, 11)]);
        Begin();
        for (var node = 2; node <= 9; node++)
        {
            Answer(node, AnnouncementOutcome.Applied);
        }

        Assert.NotNull(acceptance.FindProblem());
        Answer(10, AnnouncementOutcome.Applied);
        Assert.Null(acceptance.FindProblem());
    }

    [Fact]
    public void FindProblem_RefusesWhatOthersAnnounce_IsNotReadyUntilItTakesThem()
    {
        var acceptance = Accepted(out var store);
        var genuine = _identity.Sign(TestMesh.Announce(2));
        Assert.False(store.Offer(genuine with { IssuedAt = TestMesh.Start.AddSeconds(1) }).IsAccepted);
        Assert.Null(acceptance.FindProblem());
        _time.Advance(Acceptance.Grace);
        Assert.Contains(
            "it refuses the announcements of 1 of 2 active silos", Text(acceptance), StringComparison.Ordinal);
        Assert.Contains("node-2: BadSignature", Text(acceptance), StringComparison.Ordinal);

        Assert.True(store.Offer(genuine).IsTaken);
        Assert.Null(acceptance.FindProblem());
    }

    public void Dispose() => _identity.Dispose();

    private static string Text(Acceptance acceptance) =>
        acceptance.FindProblem() is { } problem ? NodeProblemText.Describe(problem) : "";

    private Acceptance Make(out AnnouncementStore store, params int[] active)
    {
        var membership = new FakeMembership(active);
        var roster = new FakeRosterSource(0);
        roster.Set(TestMesh.Roster(active));
        store = TestMesh.Store(roster, membership, _time, _own);
        return new Acceptance(
            _own, store, membership.Members, new MeshProtocol(OwnProtocol.Range, store, membership.Members, _time), _time);
    }

    private Acceptance Accepted(out AnnouncementStore store)
    {
        var acceptance = Make(out store, 1, 2, 3);
        Begin();
        Answer(2, AnnouncementOutcome.Applied);
        Answer(3, AnnouncementOutcome.Applied);
        Assert.Null(acceptance.FindProblem());
        return acceptance;
    }

    private void Begin(int revision = 0) => _own.Begin(TestMesh.Announce(1, revision: revision), TestMesh.Start);

    private void Answer(int node, AnnouncementOutcome outcome, int revision = 0) => _own.Record(
        TestMesh.Announce(1, revision: revision).Sequence, FakeMembership.Silo(node), TestMesh.Name(node), outcome, null, TimeSpan.Zero);
}
