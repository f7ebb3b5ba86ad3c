using Orleans.WireGuard.Grains.Rotation;

namespace Orleans.WireGuard.Tests.Unit.Rotation;

/// <summary>What a node, and a pair of nodes, may do.</summary>
internal sealed partial class RotationModel
{
    private IEnumerable<ModelStep> OfNode(ModelState state, int node)
    {
        if (state.Life(node) == Life.Absent)
        {
            yield return new ModelStep(() => $"{Name(node)} joins", Join(state, node));
        }

        if (state.Life(node) != Life.Alive)
        {
            yield break;
        }

        foreach (var step in OfClock(state, node))
        {
            yield return step;
        }

        // That a clock advances shows in the next step only that reads the clock, and in the reduced model it is part of that step.
        for (var clock = state.Clock(node) + 1; clock <= options.LastEpoch; clock++)
        {
            var next = state.Copy();
            next.Clock(node) = (byte)clock;
            if (!options.Reduced)
            {
                yield return new ModelStep(() => $"clock of {Name(node)} advances to {next.Clock(node)}", next);
                break;
            }

            foreach (var step in OfClock(next, node))
            {
                yield return step;
            }
        }

        if (options.Retires && Retire(state, node) is { } retired)
        {
            yield return retired;
        }

        if (Enumerable.Range(0, state.Nodes).Count(other => state.Life(other) == Life.Dead) < options.Deaths)
        {
            var next = state.Copy();
            next.SetLife(node, Life.Dead);
            yield return new ModelStep(() => $"silo of {Name(node)} dies", next);
        }
    }

    private IEnumerable<ModelStep> OfClock(ModelState state, int node)
    {
        foreach (var step in Replace(state, node))
        {
            yield return step;
        }

        if (options.Restarts && state.RestartedIn(node) != state.Clock(node))
        {
            yield return Restart(state, node);
        }
    }

    private ModelStep Restart(ModelState state, int node)
    {
        var own = state.Own(node);
        var next = state.Copy();
        next.RestartedIn(node) = state.Clock(node);
        var sequence = Sequence(
            state, node, options.Broken == Break.SequenceRestarts ? null : own, isRestart: options.Broken == Break.SequenceRestarts);
        Announce(next, node, sequence);
        foreach (var (_, other) in Pairs(state).Where(pair => pair.Node == node))
        {
            // Its devices show the handshakes as before, but nobody has answered it yet.
            next.Answer(node, other) = 0;
        }

        return new ModelStep(() => $"silo of {Name(node)} restarts", next, IsCertain: state.Clock(node) == options.LastEpoch);
    }

    private IEnumerable<ModelStep> OfPair(ModelState state, int node, int other)
    {
        for (var slot = 0; slot < Slot.Count && node < other; slot++)
        {
            var next = state.Copy();
            next.SetProven(node, other, slot, true);
            next.SetProven(other, node, slot, true);
            var orders = Orders.Count(older => Starts(state, node, other, slot, older) || Starts(state, other, node, slot, older));
            if (orders > 0 && !next.Bytes.AsSpan().SequenceEqual(state.Bytes))
            {
                var shaken = slot;
                yield return new ModelStep(
                    () => $"{Name(node)} and {Name(other)} shake hands on slot {shaken}", next, IsCertain: orders == Orders.Count);
            }
        }

        if (state.Life(node) != Life.Alive)
        {
            yield break;
        }

        var own = state.Own(other);
        var held = state.Held(node, other);
        if (own.Exists && ToSequence(own) > ToSequence(held))
        {
            yield return new ModelStep(
                () => $"announcement {own.Epoch}.{own.Revision} of {Name(other)} reaches {Name(node)}", Deliver(state, node, other));
        }

        if (options.SlowAcks && own.Exists && own == held && state.Acked(node, other) == 0)
        {
            var next = state.Copy();
            next.Acked(node, other) = 1;
            yield return new ModelStep(() => $"acknowledgement of {Name(node)} reaches {Name(other)}", next);
        }

        var current = state.Route(node, other) == ModelState.None ? (Slot?)null : new Slot(state.Route(node, other));
        if (Choose(state, node, other) is { } chosen && chosen != current)
        {
            yield return new ModelStep(
                () => $"{Name(node)} moves its route to {Name(other)} to slot {chosen}", Move(state, node, other, chosen));
        }
    }

    private bool Starts(ModelState state, int node, int other, int slot, Older older)
    {
        if (state.Life(node) != Life.Alive || state.Key(other, slot) != state.Held(node, other).Key(slot)
            || state.Held(other, node).Key(slot) != state.Key(node, slot))
        {
            return false;
        }

        var current = state.Route(node, other) == ModelState.None ? (Slot?)null : new Slot(state.Route(node, other));
        var candidates = Candidates(state, node, other);
        return candidates.Find(candidate => candidate.Slot.Index == slot) is { } wanted
            && PathChooser.IsWanted(wanted, candidates, current)
            && IsStarter(state, node, other, slot, older);
    }
}
