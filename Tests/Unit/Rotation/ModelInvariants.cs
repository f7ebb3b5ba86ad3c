using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.Unit.Rotation;

/// <summary>What must hold in every state of a <see cref="RotationModel"/>.</summary>
internal static class ModelInvariants
{
    /// <summary>Their names, for reports.</summary>
    public const string Names = "I2 proven path, I3 key in use, I6 sequence, one starter, no packet lost";

    /// <summary>What is broken in a state, in a sentence; <see langword="null"/> if nothing.</summary>
    public static string? FindViolation(RotationModel model, ModelState state)
    {
        foreach (var (node, other) in RotationModel.Pairs(state))
        {
            if (FindViolation(model, state, node, other) is { } violation)
            {
                return $"{violation} ({TestMesh.Name(node + 1)} to {TestMesh.Name(other + 1)})";
            }
        }

        return null;
    }

    /// <summary>
    /// What is wrong with a state in which nothing can happen any more: everybody has to be on the slot of the last epoch.
    /// </summary>
    public static string? FindUnfinished(ModelState state, byte lastEpoch) => RotationModel.Pairs(state)
        .Where(pair => state.Life(pair.Node) == Life.Alive && state.Life(pair.Other) == Life.Alive)
        .Where(pair => state.Route(pair.Node, pair.Other) != lastEpoch % Slot.Count
            || !state.IsProven(pair.Node, pair.Other, lastEpoch % Slot.Count))
        .Select(pair =>
            $"liveness: nothing can happen, and {TestMesh.Name(pair.Node + 1)} is not on the last slot to {TestMesh.Name(pair.Other + 1)}")
        .FirstOrDefault();

    private static string? FindViolation(RotationModel model, ModelState state, int node, int other)
    {
        var held = state.Held(node, other);
        if (RotationModel.ToSequence(held) > RotationModel.ToSequence(state.Own(other)))
        {
            return "I6: the node announces below what it announced before";
        }

        for (var slot = 0; slot < Slot.Count && node < other; slot++)
        {
            foreach (var older in model.Orders)
            {
                if (model.IsStarter(state, node, other, slot, older) && model.IsStarter(state, other, node, slot, older))
                {
                    return "one starter: both sides would start the handshake";
                }
            }
        }

        var route = state.Route(node, other);
        if (route == ModelState.None)
        {
            return null;
        }

        if (!state.IsProven(node, other, route) && RotationModel.Candidates(state, node, other).Any(candidate => candidate.IsProven))
        {
            return "I2: the route leads through an unproven slot, and another one is proven";
        }

        if (!state.HasTalked(node, other))
        {
            return null;
        }

        return state.Key(other, route) != held.Key(route) || state.Key(node, route) == 0
            ? $"I3: the key of slot {route} was replaced or destroyed while it was used"
            : state.Held(other, node).Key(route) != state.Key(node, route)
                || !state.IsProven(node, other, route) || !state.IsProven(other, node, route)
                ? $"no packet lost: what is sent through slot {route} has no session at the other end"
            : null;
    }
}
