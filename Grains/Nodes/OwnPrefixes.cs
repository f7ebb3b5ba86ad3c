namespace Orleans.WireGuard.Grains.Nodes;

/// <summary>What this node has for its pods, by the source that knows it: the object that assigns it, or the kernel.</summary>
/// <param name="Prefixes">Sorted, none inside another.</param>
/// <param name="PodRanges">Prefixes that hold pods of the cluster, whichever node has them; merged, empty if nobody tells.</param>
internal sealed record OwnPrefixes(EquatableArray<IPPrefix> Prefixes, EquatableArray<IPPrefix> PodRanges)
{
    /// <summary>The source, as the setting <c>Nodes:Prefixes</c> names it; empty if none tells anything.</summary>
    public string Source { get; init; } = "";

    /// <summary>Why it is that one, for people.</summary>
    public string Because { get; init; } = "";

    /// <summary>
    /// Whether all pods of the cluster lie in <see cref="PodRanges"/>, as whoever configures them says. An object tells of the subnet of its
    /// own node, and another pool of nodes may have another one.
    /// </summary>
    public bool ArePodRangesWhole { get; init; } = true;

    /// <summary>
    /// Whether the objects that list the nodes tell what their pods have too. If not, a node that has announced nothing has nothing, and
    /// what its object says is about something else.
    /// </summary>
    public bool IsRosterBelieved { get; init; } = true;
}

/// <summary>Follows what this node has for its pods.</summary>
internal interface IOwnPrefixSource
{
    /// <summary>Raised when <see cref="Current"/> or a problem has changed. Handlers only note it.</summary>
    event Action? Changed;

    /// <summary>What is known; <see langword="null"/> until a source has answered.</summary>
    OwnPrefixes? Current { get; }

    /// <summary>What an operator has to know of it; empty if nothing is wrong.</summary>
    EquatableArray<NodeProblem> Problems { get; }
}
