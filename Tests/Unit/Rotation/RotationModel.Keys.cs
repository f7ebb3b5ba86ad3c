using Orleans.WireGuard.Grains.Rotation;

namespace Orleans.WireGuard.Tests.Unit.Rotation;

/// <summary>How keys are replaced, kept and destroyed, and who is asked before.</summary>
internal sealed partial class RotationModel
{
    private IEnumerable<ModelStep> Replace(ModelState state, int node)
    {
        var isCertain = state.Clock(node) == options.LastEpoch;
        var due = Schedule.KeyEpoch(Schedule.RotationAt(new Epoch(state.Clock(node))));
        var slot = Schedule.SlotOf(due).Index;
        if (state.Key(node, slot) != 0 && state.Serves(node, slot) >= due.Value)
        {
            yield break;
        }

        var asked = Ask(state, node);
        var lagging = options.Broken == Break.RekeyWithoutAsking ? [] : FindLagging(asked, node, slot);
        foreach (var overdue in (TimeSpan[])[TimeSpan.Zero, Period])
        {
            TimeSpan? age = state.Key(node, slot) == 0 ? null : Period;
            var situation = new RotationSituation(age, overdue, IsFrozen: false, lagging, state.Nodes - 1);
            var action = RotationPlan.Decide(situation, Period, TimeSpan.MaxValue, 0).Action;
            var next = asked.Copy();
            if (action == RotationAction.Replace)
            {
                PutKey(next, node, slot, (byte)due.Value);
                Announce(next, node, Sequence(next, node, next.Own(node)));
                yield return new ModelStep(() => $"{Name(node)} replaces its key of slot {slot} for epoch {due}", next, isCertain);
                yield break;
            }

            if (action == RotationAction.Keep)
            {
                next.Serves(node, slot) = (byte)due.Value;
                Announce(next, node, Sequence(next, node, next.Own(node)));
                yield return new ModelStep(() => $"{Name(node)} keeps its key of slot {slot} for epoch {due}", next, isCertain);
            }
        }
    }

    private ModelStep? Retire(ModelState state, int node)
    {
        var keys = Enumerable.Range(0, Slot.Count).Where(slot => state.Key(node, slot) != 0)
            .Select(slot => new SlotEpochs(new Slot((byte)slot), new Epoch(state.Made(node, slot)), new Epoch(state.Serves(node, slot))));
        if (SlotPhases.FindDraining([.. keys])?.Index is not { } slot
            || Enumerable.Range(0, state.Nodes).Any(other => other != node && state.Route(node, other) == slot))
        {
            return null;
        }

        var next = Ask(state, node);
        if (options.Broken != Break.RetireWithoutAsking && FindLagging(next, node, slot).Count > 0)
        {
            return null;
        }

        PutKey(next, node, slot, 0);
        (next.Key(node, slot), next.Keys(node)) = (0, state.Keys(node));
        Announce(next, node, Sequence(next, node, next.Own(node)));
        return new ModelStep(() => $"{Name(node)} destroys its key of slot {slot}", next);
    }

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

    private IReadOnlyList<LaggingNode> FindLagging(ModelState state, int node, int slot) => LaggardRules.Find(
        new Slot((byte)slot),
        ToKey(node, state.Key(node, slot)),
        isOnly: false,
        from other in Enumerable.Range(0, state.Nodes).Where(other => other != node)
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
                || (options.Broken != Break.RekeyUnheard && state.IsProven(node, other, slot) && state.Acked(other, node) == 0))),
        SteadyNow - TimeSpan.FromSeconds(1));

    private bool IsBehind(ModelState state, int node, int other, int slot)
    {
        Epoch? otherServes = options.Broken == Break.IgnoreOwnOtherKey ? new Epoch(options.LastEpoch + 1)
            : state.Key(node, 1 - slot) == 0 ? null
            : new Epoch(state.Serves(node, 1 - slot));
        return state.Held(node, other) is { Exists: true } held
            && SlotLevel.MayMove(new Slot((byte)slot), new Epoch(state.Serves(node, slot)), otherServes, ToAnnouncement(other, held));
    }
}
