namespace Orleans.WireGuard.Grains.Rotation;

/// <summary>What to do with a key that is due.</summary>
internal enum RotationAction
{
    /// <summary>Make a new key.</summary>
    Replace,

    /// <summary>Look again soon: peers that still depend on the old key may be about to move.</summary>
    Wait,

    /// <summary>Keep the old key for this epoch, and say so.</summary>
    Keep,
}

/// <summary>The decision, and why.</summary>
/// <param name="Action">What to do.</param>
/// <param name="Problem">What operators should know; <see langword="null"/> if nothing.</param>
internal sealed record RotationDecision(RotationAction Action, RotationProblem? Problem = null);

/// <summary>Everything that the decision follows from.</summary>
/// <param name="KeyAge">How old the key is; <see langword="null"/> if the slot has none.</param>
/// <param name="Overdue">How long its replacement has been due.</param>
/// <param name="IsFrozen">Whether an operator has the node keep its keys.</param>
/// <param name="Lagging">The peers that would be cut off.</param>
/// <param name="LivePeers">How many live peers there are.</param>
internal sealed record RotationSituation(
    TimeSpan? KeyAge, TimeSpan Overdue, bool IsFrozen, IReadOnlyList<LaggingNode> Lagging, int LivePeers);

/// <summary>Availability before freshness, with a limit: whether the key of a slot is replaced when its turn has come. Pure.</summary>
/// <remarks>
/// <code>
/// due ──▶ nobody depends on the key ─────────────────────────────▶ replace
///     └─▶ somebody does ─▶ wait a quarter of a period ─▶ keep it for this epoch, the slot's next turn is two epochs later
///                                                    └─▶ older than MaxKeyAge: replace, unless too many would be cut off
/// </code>
/// </remarks>
internal static class RotationPlan
{
    /// <summary>Whether the key is replaced now, later or not in this turn.</summary>
    /// <param name="situation">What that follows from.</param>
    /// <param name="patience">For how long a due rotation waits before it leaves the key as it is.</param>
    /// <param name="maxKeyAge">From which age on a key is replaced at the cost of a few peers.</param>
    /// <param name="maxLaggingFraction">How many of the live peers that may cost.</param>
    public static RotationDecision Decide(RotationSituation situation, TimeSpan patience, TimeSpan maxKeyAge, double maxLaggingFraction)
    {
        // An empty slot has nobody to cut off. A frozen node fills it too, or the others could not go on rotating around it.
        if (situation.KeyAge is not { } age)
        {
            return new RotationDecision(RotationAction.Replace);
        }

        if (situation.IsFrozen)
        {
            return new RotationDecision(RotationAction.Keep);
        }

        if (situation.Lagging.Count == 0)
        {
            return new RotationDecision(RotationAction.Replace);
        }

        if (situation.Overdue < patience)
        {
            return Decision(RotationAction.Wait, RotationProblemCode.Waits);
        }

        if (age < maxKeyAge)
        {
            return Decision(RotationAction.Keep, RotationProblemCode.Kept);
        }

        return situation.Lagging.Count > situation.LivePeers * maxLaggingFraction
            ? Decision(RotationAction.Keep, RotationProblemCode.TooManyLagging)
            : Decision(RotationAction.Replace, RotationProblemCode.Replaced);

        RotationDecision Decision(RotationAction action, RotationProblemCode code) => new(action, new RotationProblem(
            code, situation.Lagging[0], situation.Lagging.Count, situation.LivePeers, maxKeyAge, maxLaggingFraction));
    }
}
