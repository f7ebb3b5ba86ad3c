using Orleans.WireGuard.Grains.Agent;
using Orleans.WireGuard.Grains.Clocks;
using Orleans.WireGuard.Grains.Delivery;
using Orleans.WireGuard.Keys;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.Unit.Clocks;

/// <summary>A fault of the clock is told as one.</summary>
public sealed class ClockRemarksTests
{
    private static readonly DateTimeOffset Never = DateTimeOffset.UnixEpoch.AddMinutes(10);

    [Fact]
    public void FindProblem_NobodyCouldBeAsked_NamesTheClock() => Assert.Equal(
        "the clock of this node says 1970-01-01 00:10:00Z, which cannot be, and nobody of the mesh could be asked for the time; set the clock",
        ClockRemarks.FindProblem(Never, []).ToText());

    [Fact]
    public void FindProblem_NoOtherClockIsBetter_NamesThemAll() => Assert.Equal(
        "the clock of this node says 1970-01-01 00:10:00Z, which cannot be, and no other clock of the mesh is any better; set the clocks",
        ClockRemarks.FindProblem(Never, [Never, Never.AddDays(1)]).ToText());

    [Fact]
    public void FindProblem_TheTimeIsKnown_IsNone()
    {
        Assert.Null(ClockRemarks.FindProblem(TestMesh.Start, []));
        Assert.Null(ClockRemarks.FindProblem(TestMesh.Start, [Never]));
        Assert.Null(ClockRemarks.FindProblem(Never, [Never, TestMesh.Start]));
    }

    // The status says it before anything else, and no longer than until somebody has told the time.
    [Fact]
    public async Task GetStatus_ClockCannotBeRight_IsAProblemUntilSomebodyTellsTheTime()
    {
        using var node = new NodeGrainHarness(2);
        var failed = NodeProblem.Of(NodeProblemCode.DevicesFailed, "a device failed");
        node.Snapshot = new AgentSnapshot([], failed, 1);
        node.Time.SetBy = Never - TestMesh.Start;
        await node.TurnAsync();
        var token = TestContext.Current.CancellationToken;
        Assert.Equal([ClockRemarks.FindProblem(Never, [])!, failed], (await node.Grain.GetStatus(token)).Problems);
        Assert.True(node.Clock.Note("node-2", TestMesh.Start, SteadyTime.Now(node.Time)));
        var status = await node.Grain.GetStatus(token);
        Assert.Equal([failed], status.Problems);
        Assert.Equal(TestMesh.Start - Never, status.Rotation.ClockCorrection);
    }

    [Fact]
    public void FindNote_AnnouncementFromTheFuture_NamesBothClocksForAMinute()
    {
        var (time, roster) = (new WaitableTimeProvider(TestMesh.Start), new FakeRosterSource(0));
        roster.Set(TestMesh.Roster(1, 2));
        var clock = new MeshClock(time, TimeSpan.FromSeconds(120));
        var store = new AnnouncementStore(roster, new FakeMembership(1, 2).Members, new OwnAnnouncement(), clock, time);
        using var identity = new Identity();
        Assert.Null(clock.FindNote(store.LastAhead));
        var ahead = identity.Sign(TestMesh.Announce(2) with { Sequence = AnnouncementSequence.At(TestMesh.Start.AddHours(3)) });
        Assert.Equal(AnnouncementOutcome.Malformed, store.Offer(ahead).Outcome);
        const string Note = "announcements of 'node-2' are refused, the last one is of 2026-01-01 03:00:00Z, "
            + "and the clock of this node says 2026-01-01 00:00:00Z; one of these two times is wrong";
        Assert.Equal(Note + ", and nobody of the mesh could be asked for the time", clock.FindNote(store.LastAhead));
        Assert.EndsWith(
            "the clock of its node is ahead, or that of this node behind", store.Refusals.Single().LastDetail, StringComparison.Ordinal);
        Assert.True(clock.Note("node-3", TestMesh.Start, SteadyTime.Now(time)));
        Assert.Equal(Note, clock.FindNote(store.LastAhead));

        // Another fault is none of a clock, and does not hide that.
        Assert.Equal(AnnouncementOutcome.Malformed, store.Offer(identity.Sign(TestMesh.Announce(2) with { Endpoints = [] })).Outcome);
        Assert.NotNull(clock.FindNote(store.LastAhead));

        // Once somebody has set the clock it is not so any more.
        time.SetBy = TimeSpan.FromHours(3);
        Assert.Equal(AnnouncementOutcome.Held, store.Offer(ahead).Outcome);
        clock.Forget(_ => false);
        Assert.Null(clock.FindNote(store.LastAhead));
        time.SetBy = TimeSpan.Zero;
        Assert.NotNull(clock.FindNote(store.LastAhead));
        time.Advance(TimeSpan.FromMinutes(1) + TimeSpan.FromTicks(1));
        Assert.Null(clock.FindNote(store.LastAhead));
    }
}
