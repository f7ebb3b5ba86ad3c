using Orleans.WireGuard.Grains.Rotation;

namespace Orleans.WireGuard.Tests.Unit.Rotation;

/// <summary>What steps do to a state.</summary>
internal sealed partial class RotationModel
{
    private static void PutKey(ModelState state, int node, int slot, byte serves)
    {
        (state.Key(node, slot), state.Serves(node, slot), state.Made(node, slot)) = (++state.Keys(node), serves, serves);
        foreach (var (_, other) in Pairs(state).Where(pair => pair.Node == node))
        {
            state.SetProven(node, other, slot, false);
            state.AnswersBefore(node, other) |= (byte)(1 << slot);
        }
    }

    private Slot? Choose(ModelState state, int node, int other)
    {
        var current = state.Route(node, other) == ModelState.None ? (Slot?)null : new Slot(state.Route(node, other));
        return PathChooser.Choose(Candidates(state, node, other, options.Broken == Break.MoveOnceApplied), current);
    }

    private static ModelState Join(ModelState state, int node)
    {
        var next = state.Copy();
        next.SetLife(node, Life.Alive);
        for (byte slot = 0; slot < Slot.Count; slot++)
        {
            PutKey(next, node, slot, (byte)Schedule.LatestOf(new Slot(slot), new Epoch(state.Clock(node))).Value);
        }

        Announce(next, node, Sequence(next, node, null));
        return next;
    }

    private ModelState Deliver(ModelState state, int node, int other)
    {
        var next = state.Copy();
        var (before, now) = (state.Held(node, other), state.Own(other));
        next.SetHeld(node, other, now);
        next.Acked(node, other) = (byte)(options.SlowAcks ? 0 : 1);
        for (var slot = 0; slot < Slot.Count; slot++)
        {
            if (before.Key(slot) != now.Key(slot))
            {
                next.SetProven(node, other, slot, false);
            }
        }

        return next;
    }

    private static ModelState Move(ModelState state, int node, int other, Slot slot)
    {
        var next = state.Copy();
        next.Route(node, other) = (byte)slot.Index;
        if (state.IsProven(node, other, slot.Index))
        {
            next.NoteTalk(node, other);
        }

        return next;
    }
}
