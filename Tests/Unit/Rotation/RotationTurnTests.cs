using Orleans.WireGuard.Grains.Agent;
using Orleans.WireGuard.Grains.Clocks;
using Orleans.WireGuard.Grains.Rotation;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.Unit.Rotation;

/// <summary>What follows from what in a turn, one decision after the other.</summary>
public sealed class RotationTurnTests
{
    private const string Node = "node-1";
    private static readonly RotationOptions Options = new();
    private static readonly RotationTiming Timing = new(Options.Period, Options.GracePeriod);
    private static readonly RotationSchedule Schedule = new(Node, Options.Period, Options.Slots);
    private static readonly RotationTurn Turn = new(Node, Schedule, Timing, Options);
    private static readonly Epoch Due = new(100);
    private static readonly SteadyTime Now = TestMesh.SteadyAt(1000);

    // The key of slot 0 is due; slot 1 has the one of the epoch before.
    private static readonly TurnFacts Facts = new()
    {
        MeshTime = Schedule.RotationAt(Due),
        Now = Now,
        Keys = [Key(0, 98), Key(1, 99)],
        IsSettled = true,
        Agent = new AgentSnapshot([], null, 1),
        Others = [],
        Active = new HashSet<string>(),
        IsAnnouncementDue = false,
        IsSynced = true,
        IsDisputed = false,
        IsFormerSelfKnown = false,
    };

    [Fact]
    public void Decide_NothingSettled_AdoptsBeforeItMakesKeys()
    {
        var facts = Facts with { IsSettled = false, Keys = [] };
        var adopt = Turn.Decide(Begun(), facts);
        Assert.Equal([(Slot.Zero, Due), (Slot.One, new Epoch(99))], Assert.IsType<TurnCommand.Adopt>(adopt.Command).Slots);
        Assert.Equal(
            [Slot.Zero, Slot.One], Assert.IsType<TurnCommand.Settle>(Turn.Decide(adopt.State, facts).Command).Keys.Select(key => key.Slot));

        // Where a device had one, the other slot stays empty.
        var adopted = facts with { Keys = [Key(1, 99)] };
        Assert.Empty(Assert.IsType<TurnCommand.Settle>(Turn.Decide(adopt.State, adopted).Command).Keys);
        Assert.Equal([Slot.Zero], Assert.IsType<TurnCommand.Adopt>(Turn.Decide(Begun(), adopted).Command).Slots.Select(slot => slot.Slot));
    }

    [Fact]
    public void Decide_KeyIsDue_AsksBeforeItReplaces()
    {
        var asking = Turn.Decide(Begun(), Facts);
        Assert.Equal(new TurnCommand.Survey(Slot.Zero), asking.Command);
        Assert.Equal(0, asking.State.Rotations);

        var replacing = Turn.Decide(Answered(asking), Facts);
        Assert.Equal(new TurnCommand.Replace(Slot.Zero, Due), replacing.Command);
        Assert.Equal((1, (SteadyTime?)Now), (replacing.State.Rotations, replacing.State.ReplacedAt));
    }

    [Fact]
    public void Decide_EmptySlotIsDue_FillsItWithoutAsking() =>
        Assert.Equal(new TurnCommand.Replace(Slot.Zero, Due), Turn.Decide(Begun(), Facts with { Keys = [Key(1, 99)] }).Command);

    // Somebody had the key replaced meanwhile, and what peers said of the old one does not tell who uses the new one.
    [Fact]
    public void Decide_AnswerIsAboutAnotherKey_AsksAgain()
    {
        var answered = Answered(Turn.Decide(Begun(), Facts));
        var other = answered with { Survey = answered.Survey! with { PublicKey = TestMesh.Key(9) } };
        Assert.Equal(new TurnCommand.Survey(Slot.Zero), Turn.Decide(other, Facts).Command);
        Assert.IsType<TurnCommand.Replace>(Turn.Decide(answered, Facts).Command);
    }

    // Its caller gave up while the others were asked. The next request asks for itself.
    [Fact]
    public void Decide_AskedForARequestThatIsGone_AsksAgainForTheNext()
    {
        var (gone, next) = (new KeyRequest(1, IsAdvance: true, Now), new KeyRequest(2, IsAdvance: true, Now));
        var facts = Facts with { Keys = [Key(0, 100), Key(1, 99)] };
        var answered = Answered(Turn.Decide(Asked(gone, next), facts)).Without(gone);
        Assert.Equal((next.Number, Slot.One), Turn.Decide(answered, facts).Command is TurnCommand.Survey survey
            ? (survey.Request!.Number, survey.Slot)
            : default);
    }

    // The next epoch's key was brought forward, everybody has moved to it, and the slot of this epoch was destroyed.
    [Fact]
    public void Decide_EmptySlotIsDueAfterAnAdvance_StaysEmptyUntilItsNextTurn()
    {
        var facts = Facts with { Keys = [Key(1, 101)] };
        Assert.IsType<TurnCommand.Rest>(Turn.Decide(Begun(), facts).Command);
        Assert.Equal(
            new TurnCommand.Replace(Slot.Zero, new Epoch(102)), Turn.Decide(new RotationState().Begin(new Epoch(102)), facts).Command);
    }

    [Fact]
    public void Decide_PeerDependsOnTheKey_WaitsThenKeepsIt()
    {
        var facts = Facts with { Agent = Sending(Slot.Zero) };
        var step = Turn.Decide(Answered(Turn.Decide(Begun(), facts), Depends(2)), facts);
        Assert.Equal(new TurnCommand.Rest(Timing.LookInterval), step.Command);
        Assert.True(step.State.IsWaiting);
        Assert.Equal(["node-2"], step.State.Lagging.Select(peer => peer.NodeName));
        Assert.Equal(0, step.State.Deferrals);

        var late = facts with { MeshTime = Facts.MeshTime + Timing.Patience };
        step = Turn.Decide(Answered(Turn.Decide(step.State.Begin(Due), late), Depends(2)), late);
        Assert.Equal([new SlotEpochs(Slot.Zero, new Epoch(98), Due)], Assert.IsType<TurnCommand.Reckon>(step.Command).Keys);
        Assert.Equal((1, false), (step.State.Deferrals, step.State.IsWaiting));
    }

    // While the others were asked, a former self said that the key serves this epoch already, or an operator froze the node.
    [Fact]
    public void Decide_ChangedWhileOthersWereAsked_GoesByWhatIsNow()
    {
        var answered = Answered(Turn.Decide(Begun(), Facts));
        Assert.IsType<TurnCommand.Rest>(Turn.Decide(answered, Facts with { Keys = [Key(0, 98, 100), Key(1, 99)] }).Command);

        var frozen = answered.Freeze(TestMesh.Start, Now + TimeSpan.FromSeconds(1));
        Assert.Equal(
            [new SlotEpochs(Slot.Zero, new Epoch(98), Due)], Assert.IsType<TurnCommand.Reckon>(Turn.Decide(frozen, Facts).Command).Keys);
    }

    [Fact]
    public void Decide_KeyOfTheFuture_IsReckonedAndTheDueOneWaits()
    {
        var facts = Facts with { Keys = [Key(0, 98), Key(1, 105)] };
        var step = Turn.Decide(Begun(), facts);
        Assert.Equal([new SlotEpochs(Slot.One, new Epoch(99), new Epoch(99))], Assert.IsType<TurnCommand.Reckon>(step.Command).Keys);

        step = Turn.Decide(step.State, Facts with { IsAnnouncementDue = true });
        Assert.IsType<TurnCommand.Announce>(step.Command);
        Assert.Equal(new TurnCommand.Rest(Timing.WaitInterval), Turn.Decide(step.State, Facts with { Keys = [Key(1, 99)] }).Command);
    }

    [Fact]
    public void Decide_SlotHadItsTurn_RetiresItWhenQuietAndNobodyDependsOnIt()
    {
        var facts = Facts with { Keys = [Key(0, 100), Key(1, 99)] };
        var asking = Turn.Decide(Begun(), facts);
        Assert.Equal(new TurnCommand.Survey(Slot.One), asking.Command);
        Assert.Equal(Now + Timing.Grace, asking.State.AskAgainAt);
        Assert.Equal(new TurnCommand.Retire(Slot.One), Turn.Decide(Answered(asking), facts).Command);

        // Asked again after the grace period, not before.
        var refused = Turn.Decide(Answered(asking, Depends(2, Slot.One)), facts);
        Assert.Equal(new TurnCommand.Rest(Timing.LookInterval), refused.Command);
        Assert.Equal(new TurnCommand.Rest(Timing.LookInterval), Turn.Decide(refused.State.Begin(Due), facts).Command);
        Assert.Equal(
            new TurnCommand.Survey(Slot.One), Turn.Decide(refused.State.Begin(Due), facts with { Now = Now + Timing.Grace }).Command);
    }

    [Fact]
    public void Decide_SlotHadItsTurn_StaysWhatItIsWhile()
    {
        var facts = Facts with { Keys = [Key(0, 100), Key(1, 99)] };
        var asked = Answered(Turn.Decide(Begun(), facts));
        Assert.IsType<TurnCommand.Announce>(Turn.Decide(asked, facts with { IsAnnouncementDue = true }).Command);
        Assert.IsType<TurnCommand.Rest>(Turn.Decide(asked.Freeze(TestMesh.Start, Now + TimeSpan.FromSeconds(1)), facts).Command);
        Assert.IsType<TurnCommand.Rest>(Turn.Decide(asked, facts with { Others = [WithKeyIn(Slot.One)], Active = Peers(2) }).Command);
        Assert.IsType<TurnCommand.Rest>(Turn.Decide(Begun(), facts with { Agent = Sending(Slot.One) }).Command);
    }

    [Fact]
    public void Decide_PeerHasNoSlotOfOurs_GetsAKeyThere()
    {
        var facts = Facts with { Keys = [Key(0, 100)], Others = [WithKeyIn(Slot.One)], Active = Peers(2) };
        Assert.Equal(new TurnCommand.Share(Slot.One, new Epoch(99), "node-2"), Turn.Decide(Begun(), facts).Command);

        // It is looked for, but not made for, a node whose silo is no member yet.
        Assert.Equal(new TurnCommand.Rest(Timing.LookInterval), Turn.Decide(Begun(), facts with { Active = Peers() }).Command);
    }

    [Fact]
    public void Decide_Unheard_AnnouncesNothing()
    {
        var facts = Facts with { Keys = [Key(0, 100)], IsAnnouncementDue = true, IsSynced = false };
        Assert.IsType<TurnCommand.Announce>(Turn.Decide(Begun(), facts).Command);
        Assert.Equal(new TurnCommand.Rest(RotationTiming.SyncInterval), Turn.Decide(Begun(), facts with { IsDisputed = true }).Command);

        var adopted = Begun() with { HasAdopted = true };
        Assert.Equal(new TurnCommand.Rest(RotationTiming.SyncInterval), Turn.Decide(adopted, facts).Command);
        Assert.IsType<TurnCommand.Announce>(Turn.Decide(adopted, facts with { IsFormerSelfKnown = true }).Command);
    }

    [Fact]
    public void Decide_RotateIsAsked_ReplacesTheActiveKeyFirst()
    {
        var request = new KeyRequest(1, IsAdvance: false, Now);
        var facts = Facts with { Keys = [Key(0, 100), Key(1, 99)] };
        var step = Turn.Decide(Asked(request), facts);
        Assert.Equal(new TurnCommand.Replace(Slot.Zero, Due) { Request = request }, step.Command);
        Assert.False(step.State.HasRequests);
    }

    [Fact]
    public void Decide_AdvanceIsAsked_AsksReplacesOrWaitsForTheNextTurn()
    {
        var request = new KeyRequest(1, IsAdvance: true, Now);
        var facts = Facts with { Keys = [Key(0, 100), Key(1, 99)] };
        var asking = Turn.Decide(Asked(request), facts);
        Assert.Equal(new TurnCommand.Survey(Slot.One) { Request = request with { Epoch = new Epoch(101) } }, asking.Command);

        var replacing = Turn.Decide(Answered(asking), facts);
        Assert.Equal(
            new TurnCommand.Replace(Slot.One, new Epoch(101)) { Request = request with { Epoch = new Epoch(101) } }, replacing.Command);
        Assert.False(replacing.State.HasRequests);

        // Looked at again in the next turn, which comes soon, for the same epoch although that is due by then.
        var waiting = Turn.Decide(Answered(asking, Depends(2, Slot.One)), facts);
        while (waiting.Command is not TurnCommand.Rest)
        {
            waiting = Turn.Decide(Answered(waiting, Depends(2, Slot.One)), facts);
        }

        Assert.Equal(new TurnCommand.Rest(Timing.LookInterval), waiting.Command);
        asking = Turn.Decide(waiting.State.Begin(new Epoch(101)), facts);
        Assert.Equal(new Epoch(101), asking.Command.Request!.Epoch);

        var late = facts with { Now = Now + RotationTiming.AdvancePatience + TimeSpan.FromTicks(1) };
        var refusal = Turn.Decide(Answered(asking, Depends(2, Slot.One)), late);
        Assert.Equal(RotationRefusalCode.PeersDepend, Assert.IsType<TurnCommand.Refuse>(refusal.Command).Refusal.Code);
        Assert.False(refusal.State.HasRequests);
    }

    [Fact]
    public void Decide_AdvanceMeetsAnObstacle_IsRefusedAlsoAfterTheOthersWereAsked()
    {
        var request = new KeyRequest(1, IsAdvance: true, Now);
        var facts = Facts with { Keys = [Key(0, 100), Key(1, 101)] };
        Assert.Equal(
            RotationRefusalCode.HasKey, Assert.IsType<TurnCommand.Refuse>(Turn.Decide(Asked(request), facts).Command).Refusal.Code);

        var asked = Answered(Turn.Decide(Asked(request), Facts with { Keys = [Key(0, 100), Key(1, 99)] }));
        var frozen = asked.Freeze(TestMesh.Start, Now + TimeSpan.FromSeconds(1));
        Assert.Equal(RotationRefusalCode.Frozen, Assert.IsType<TurnCommand.Refuse>(Turn.Decide(frozen, facts).Command).Refusal.Code);
    }

    // A turn that fails leaves requests that were not looked at.
    [Fact]
    public void Begin_AfterAFailedTurn_LooksAtEveryRequestAgain()
    {
        var (first, second) = (new KeyRequest(1, IsAdvance: false, Now), new KeyRequest(2, IsAdvance: false, Now));
        var step = Turn.Decide(Asked(first, second), Facts);
        Assert.Equal(first, step.Command.Request);
        Assert.Equal(second, Turn.Decide(step.State.Begin(Due), Facts).Command.Request);
        Assert.False(step.State.Without(second).HasRequests);
    }

    private static RotationState Begun() => new RotationState().Begin(Due);

    private static RotationState Asked(params KeyRequest[] requests) => (new RotationState() with { Postponed = [.. requests] }).Begin(Due);

    private static RotationState Answered(TurnStep asking, params PeerFacts[] peers) => asking.State with
    {
        Survey = new SurveyAnswer(Assert.IsType<TurnCommand.Survey>(asking.Command).Slot, TestMesh.Key(1), peers),
    };

    private static AgentSnapshot Sending(Slot slot) =>
        Facts.Agent with { Paths = [new PathStatus("node-2", slot, TestMesh.Key(2), IsProven: true)] };

    // It sends through the slot, and has said so.
    private static PeerFacts Depends(int node, Slot? slot = null) => new(
        TestMesh.Name(node), true, true, true, new PathStatus(Node, slot ?? Slot.Zero, TestMesh.Key(1), true), true, slot, Now, false);

    private static PeerAnnouncement WithKeyIn(Slot slot) => TestMesh.Announce(2) with
    {
        Slots = [new SlotAnnouncement(slot, TestMesh.Key(2), Due, TestMesh.ListenPort)],
    };

    private static HashSet<string> Peers(params int[] nodes) => [.. nodes.Select(TestMesh.Name)];

    private static OwnKey Key(byte slot, long epoch, long? serves = null) => new(
        TestMesh.Key(1), new SlotEpochs(new Slot(slot), new Epoch(epoch), new Epoch(serves ?? epoch)), Now - Options.Period);
}
