namespace Orleans.WireGuard.Silo.Nodes.Prefixes;

/// <summary>What a source tells of this node's pods.</summary>
/// <param name="Source">Which source it is.</param>
internal sealed record PrefixAnswer(PrefixSource Source)
{
    /// <summary>Whether it has not been asked, because nobody needed it yet.</summary>
    public bool IsUnasked { get; init; }

    /// <summary>Whether it was asked and may answer any moment.</summary>
    public bool IsPending { get; init; }

    /// <summary>Why it has nothing to tell, in a clause; <see langword="null"/> if it has something.</summary>
    public string? Absence { get; init; }

    /// <summary>What this node has for its pods. Sorted, none inside another.</summary>
    public EquatableArray<IPPrefix> Prefixes { get; init; } = [];

    /// <summary>Which prefixes hold pods of the cluster, whichever node has them. Merged; empty if it does not say.</summary>
    public EquatableArray<IPPrefix> PodRanges { get; init; } = [];

    /// <summary>What could not be read of its object, each in words that follow the object's name.</summary>
    public EquatableArray<string> Faults { get; init; } = [];

    /// <summary>Whether it tells something that can be used.</summary>
    public bool IsTold => !IsUnasked && !IsPending && Absence is null;

    /// <summary>One that has nothing to tell.</summary>
    public static PrefixAnswer Without(PrefixSource source, string why) => new(source) { Absence = why };

    /// <summary>One that has not answered yet.</summary>
    public static PrefixAnswer Pending(PrefixSource source) => new(source) { IsPending = true };
}
