namespace Orleans.WireGuard.Silo.Nodes.Prefixes;

/// <summary>Which source tells what this node has for its pods.</summary>
/// <param name="Chosen">Its answer; <see langword="null"/> if no source can be believed.</param>
/// <param name="Because">Why, for people.</param>
internal sealed record PrefixDecision(PrefixAnswer? Chosen, string Because)
{
    /// <summary>The source without whose answer it cannot be said; <see langword="null"/> if it can.</summary>
    public PrefixSource? WaitsFor { get; init; }

    /// <summary>Those that have something to tell and are not believed, because the kernel shows something else.</summary>
    public EquatableArray<PrefixSource> Contradicted { get; init; } = [];
}
