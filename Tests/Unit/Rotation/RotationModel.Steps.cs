using Orleans.WireGuard.Grains.Rotation;

namespace Orleans.WireGuard.Tests.Unit.Rotation;

/// <summary>What a node, and a pair of nodes, may do.</summary>
internal sealed partial class RotationModel
{
    private IEnumerable<(string, ModelState)> OfNode(ModelState state, int node)
    {
        if (state.Life(node) == Life.Absent)
        {
            yield return ($"{Name(node)} joins", Join(state, node));
        }

        if (state.Life(node) != Life.Alive)
        {
            yield break;
        }

        if (state.Clock(node) < options.LastEpoch)
        {
            var next = state.Copy();
            next.Clock(node)++;
            yield return ($"clock of {Name(node)} advances to {next.Clock(node)}", next);
        }

        foreach (var step in Replace(state, node))
        {
            yield return step;
        }

        if (options.Retires && Retire(state, node) is { } retired)
        {
            yield return retired;
        }

        if (Enumerable.Range(0, state.Nodes).Count(other => state.Life(other) == Life.Dead) < options.Deaths)
        {
            var next = state.Copy();
            next.SetLife(node, Life.Dead);
            yield return ($"silo of {Name(node)} dies", next);
        }

        if (options.Restarts && state.RestartedIn(node) != state.Clock(node))
        {
            var own = state.Own(node);
            var next = state.Copy();
            next.RestartedIn(node) = state.Clock(node);
            var sequence = Sequence(state, node, options.Broken == Break.SequenceRestarts ? null : own, isRestart: options.Broken == Break.SequenceRestarts);
            Announce(next, node, sequence);
            foreach (var (_, other) in Pairs(state).Where(pair => pair.Node == node))
            {
                // Its devices show the handshakes as before, but nobody has answered it yet.
                next.Answer(node, other) = 0;
            }

            yield return ($"silo of {Name(node)} restarts", next);
        }
    }

    private IEnumerable<(string, ModelState)> OfPair(ModelState state, int node, int other)
    {
        if (state.Life(node) != Life.Alive)
        {
            yield break;
        }

        var own = state.Own(other);
        var held = state.Held(node, other);
        if (own.Exists && ToSequence(own) > ToSequence(held))
        {
            yield return ($"announcement {own.Epoch}.{own.Revision} of {Name(other)} reaches {Name(node)}", Deliver(state, node, other));
        }

        if (options.SlowAcks && own.Exists && own == held && state.Acked(node, other) == 0)
        {
            var next = state.Copy();
            next.Acked(node, other) = 1;
            yield return ($"acknowledgement of {Name(node)} reaches {Name(other)}", next);
        }

        var current = state.Route(node, other) == ModelState.None ? (Slot?)null : new Slot(state.Route(node, other));
        if (Choose(state, node, other) is { } chosen && chosen != current)
        {
            yield return ($"{Name(node)} moves its route to {Name(other)} to slot {chosen}", Move(state, node, other, chosen));
        }

        foreach (var candidate in Candidates(state, node, other))
        {
            var slot = candidate.Slot.Index;
            var canShakeHands = state.Key(other, slot) == held.Key(slot) && state.Held(other, node).Key(slot) == state.Key(node, slot);
            if (canShakeHands && PathChooser.IsWanted(candidate, Candidates(state, node, other), current) && IsStarter(state, node, other, slot))
            {
                var next = state.Copy();
                next.SetProven(node, other, slot, true);
                next.SetProven(other, node, slot, true);
                if (!next.Bytes.AsSpan().SequenceEqual(state.Bytes))
                {
                    yield return ($"{Name(node)} and {Name(other)} shake hands on slot {slot}", next);
                }
            }
        }
    }
}
