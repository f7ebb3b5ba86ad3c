namespace Orleans.WireGuard.Linux.Routing.Witness;

/// <summary>What is to be done about the table.</summary>
public enum WitnessStep
{
    /// <summary>It is what it should be.</summary>
    None,

    /// <summary>Other prefixes belong into it.</summary>
    Change,

    /// <summary>It has to be made anew: it is not there, or its links, ports or rules are others.</summary>
    Create,
}

/// <summary>Compares the table that is there with what it should be. Pure.</summary>
public static class WitnessPlan
{
    /// <summary>What is to be done.</summary>
    public static WitnessStep Decide(WitnessState? state, WitnessSpec spec) =>
        state is null || !IsBuiltAs(state, spec) ? WitnessStep.Create
        : state.Own != spec.Own || state.Remote != spec.Remote ? WitnessStep.Change
        : WitnessStep.None;

    /// <summary>Whether somebody else changed a table that this process left as <paramref name="left"/>.</summary>
    /// <remarks>A link that went away or was renamed took its chain along; the kernel did that, and nobody else.</remarks>
    public static bool IsDrift(WitnessState? state, WitnessSpec left, IReadOnlySet<WitnessLink> present) =>
        left.Links.Concat(left.Devices).All(present.Contains) && Decide(state, left) != WitnessStep.None;

    // What the chains and rules are. Their expressions are not read back: whoever replaces a rule of ours leaves its comment out.
    private static bool IsBuiltAs(WitnessState state, WitnessSpec spec)
    {
        var chains = WitnessRules.BuildChains(spec, state.IsPartial).Select(chain => chain.Key).Order();
        var comments = WitnessRules.Build(spec, state.IsPartial).Select(rule => rule.Comment).Order(StringComparer.Ordinal);
        return state.Own is not null && state.Remote is not null
            && chains.SequenceEqual(state.Chains) && comments.SequenceEqual(state.Comments);
    }
}
