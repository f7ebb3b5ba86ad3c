using Orleans.WireGuard.Grains.Agent;
using Orleans.WireGuard.Grains.Clocks;
using Orleans.WireGuard.Grains.Rotation;

namespace Orleans.WireGuard.Tests.Unit.Rotation;

/// <summary>How keys are replaced, kept and destroyed, and who is asked before.</summary>
internal sealed partial class RotationModel
{
    // How it decides is the product's own RotationTurn; what it is told of comes from the state of the model.
    private readonly RotationTurn _turn = new(
        "node-1", Schedule, new RotationTiming(Period, Grace),
        new RotationOptions { MaxKeyAge = TimeSpan.MaxValue, MaxLaggingFraction = 0 });

    private IEnumerable<ModelStep> Replace(ModelState state, int node)
    {
        var isCertain = state.Clock(node) == options.LastEpoch;
        var due = Schedule.KeyEpoch(Schedule.RotationAt(new Epoch(state.Clock(node))));
        var slot = Schedule.SlotOf(due).Index;
        if (state.Key(node, slot) != 0 && state.Serves(node, slot) >= due.Value)
        {
            yield break;
        }

        var asked = new Lazy<ModelState>(() => Ask(state, node));
        foreach (var overdue in (TimeSpan[])[TimeSpan.Zero, Period])
        {
            var command = Decide(TurnStage.Replacing, due, overdue, state, asked, node, options.Broken == Break.RekeyWithoutAsking);
            var next = asked.Value.Copy();
            if (command is TurnCommand.Replace replace)
            {
                PutKey(next, node, replace.Slot.Index, (byte)replace.Epoch.Value);
                Announce(next, node, Sequence(next, node, next.Own(node)));
                yield return new ModelStep(() => $"{Name(node)} replaces its key of slot {slot} for epoch {due}", next, isCertain);
                yield break;
            }

            if (command is TurnCommand.Reckon { Keys: [var kept] })
            {
                next.Serves(node, kept.Slot.Index) = (byte)kept.Serves.Value;
                Announce(next, node, Sequence(next, node, next.Own(node)));
                yield return new ModelStep(() => $"{Name(node)} keeps its key of slot {slot} for epoch {due}", next, isCertain);
            }
        }
    }

    private ModelStep? Retire(ModelState state, int node)
    {
        var asked = new Lazy<ModelState>(() => Ask(state, node));
        var due = new Epoch(state.Clock(node));
        if (Decide(TurnStage.Retiring, due, Period, state, asked, node, options.Broken == Break.RetireWithoutAsking)
            is not TurnCommand.Retire { Slot.Index: var slot })
        {
            return null;
        }

        var next = asked.Value;
        PutKey(next, node, slot, 0);
        (next.Key(node, slot), next.Keys(node)) = (0, state.Keys(node));
        Announce(next, node, Sequence(next, node, next.Own(node)));
        return new ModelStep(() => $"{Name(node)} destroys its key of slot {slot}", next);
    }

    /// <summary>What the product does next in a stage of its turn; the others are asked if it wants that.</summary>
    /// <param name="stage">Where the turn is.</param>
    /// <param name="due">The epoch whose key is due.</param>
    /// <param name="overdue">For how long it has been.</param>
    /// <param name="state">Before the others are asked.</param>
    /// <param name="asked">After that.</param>
    /// <param name="node">Whose turn it is.</param>
    /// <param name="isDeaf">Whether the node does not listen to the answers, as a break of the rules.</param>
    private TurnCommand Decide(
        TurnStage stage, Epoch due, TimeSpan overdue, ModelState state, Lazy<ModelState> asked, int node, bool isDeaf)
    {
        var time = Schedule.RotationAt(due) + overdue;
        var step = _turn.Decide(new RotationState { Due = due }.Enter(stage), Facts(state, node, time));
        if (step.Command is not TurnCommand.Survey { Slot: var slot } || step.State.Stage != stage)
        {
            return step.Command;
        }

        var answer = new SurveyAnswer(slot, ToKey(node, state.Key(node, slot.Index)), isDeaf ? [] : Answers(asked.Value, node, slot.Index));
        return _turn.Decide(step.State with { Survey = answer }, Facts(asked.Value, node, time)).Command;
    }

    private TurnFacts Facts(ModelState state, int node, DateTimeOffset time) => new()
    {
        MeshTime = time,
        Now = SteadyNow,
        Keys = [.. Enumerable.Range(0, Slot.Count).Where(slot => state.Key(node, slot) != 0).Select(slot => new OwnKey(
            ToKey(node, state.Key(node, slot)),
            new SlotEpochs(new Slot((byte)slot), new Epoch(state.Made(node, slot)), new Epoch(state.Serves(node, slot))),
            SteadyNow - Period))],
        IsSettled = true,
        Agent = new AgentSnapshot([], null, 1)
        {
            Paths = Enumerable.Range(0, state.Nodes).Where(other => other != node && state.Route(node, other) != ModelState.None)
                .Select(other => new PathStatus(Name(other), new Slot(state.Route(node, other)), default, IsProven: true))
                .ToEquatableArray(),
        },
        Others = Enumerable.Range(0, state.Nodes).Where(other => other != node && state.Held(node, other).Exists)
            .Select(other => ToAnnouncement(other, state.Held(node, other))),
        Active = Enumerable.Range(0, state.Nodes).Where(other => other != node && state.Life(other) == Life.Alive).Select(Name).ToHashSet(),
        IsAnnouncementDue = false,
        IsSynced = true,
        IsDisputed = false,
        IsFormerSelfKnown = true,
    };

    // Whoever is alive says through which slot it sends; of the dead there is what they said last. Then the asking node looks at its own
    // devices, and its routes follow what is proven there.
    private ModelState Ask(ModelState state, int node)
    {
        var next = state.Copy();
        foreach (var (_, other) in Pairs(state).Where(pair => pair.Node == node && state.Life(pair.Other) == Life.Alive))
        {
            var route = state.Route(other, node);
            next.Answer(node, other) = (byte)(route == ModelState.None ? 1 : 2 + route);
            next.AnswersBefore(node, other) = 0;
            next.AnswerKey(node, other) = route == ModelState.None ? (byte)0 : state.Held(other, node).Key(route);
        }

        foreach (var (_, other) in Pairs(state).Where(pair => pair.Node == node))
        {
            if (Choose(next, node, other) is { } chosen)
            {
                next = Move(next, node, other, chosen);
            }
        }

        return next;
    }

    private List<PeerFacts> Answers(ModelState state, int node, int slot) =>
        [.. from other in Enumerable.Range(0, state.Nodes).Where(other => other != node)
                .Take(options.Broken == Break.AskOneOnly ? 1 : state.Nodes)
            where state.Life(other) != Life.Absent
            let hasAnswered = state.Life(other) == Life.Alive
            let answer = hasAnswered || !state.IsAnswerBefore(node, other, slot) ? state.Answer(node, other) : 0
            let path = answer < 2
                ? null
                : new PathStatus(Name(node), new Slot((byte)(answer - 2)), ToKey(node, state.AnswerKey(node, other)), IsProven: true)
            select new PeerFacts(
                Name(other),
                IsLive: true,
                state.IsProven(node, other, slot),
                hasAnswered,
                path,
                answer != 0,
                state.Route(node, other) == ModelState.None ? null : new Slot(state.Route(node, other)),
                // Pods send all the time, so what is routed through the slot also comes in there.
                state.Route(other, node) == slot ? SteadyNow : null,
                hasAnswered && (IsBehind(state, node, other, slot)
                    || (options.Broken != Break.RekeyUnheard && state.IsProven(node, other, slot) && state.Acked(other, node) == 0)))];

    private bool IsBehind(ModelState state, int node, int other, int slot)
    {
        Epoch? otherServes = options.Broken == Break.IgnoreOwnOtherKey ? new Epoch(options.LastEpoch + 1)
            : state.Key(node, 1 - slot) == 0 ? null
            : new Epoch(state.Serves(node, 1 - slot));
        return state.Held(node, other) is { Exists: true } held
            && SlotLevel.MayMove(new Slot((byte)slot), new Epoch(state.Serves(node, slot)), otherServes, ToAnnouncement(other, held));
    }
}
