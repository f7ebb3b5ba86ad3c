namespace Orleans.WireGuard;

/// <summary>Why a prefix that a node announced does not count. Numbers are on the wire: new ones go to the end.</summary>
public enum HeldBackReason
{
    /// <summary>A silo of another version says something that this one does not know.</summary>
    Unknown,

    /// <summary>Another node has it, or a part of it, and has not given it back.</summary>
    HeldByAnotherNode,

    /// <summary>It lies in what the list of nodes gives to another one.</summary>
    InBlockOfAnotherNode,

    /// <summary>It is, or holds, the address of a node itself.</summary>
    AddressOfNode,

    /// <summary>It lies outside of the pod ranges.</summary>
    OutsidePodRanges,

    /// <summary>The list of nodes tells what their pods have, and does not give it to this node.</summary>
    NotInRoster,

    /// <summary>It is shorter than /8, for IPv6 /32: no node has that many pods.</summary>
    TooWide,
}

/// <summary>A prefix that a node announced and that others do not send to it.</summary>
/// <param name="NodeName">The node that announced it.</param>
/// <param name="Prefix">The prefix.</param>
/// <param name="Reason">Why it does not count.</param>
[GenerateSerializer, Immutable, Alias("owg.HeldBackPrefix")]
public sealed record HeldBackPrefix(
    [property: Id(0)] string NodeName, [property: Id(1)] IPPrefix Prefix, [property: Id(2)] HeldBackReason Reason)
{
    /// <summary>The node that has it; <see langword="null"/> if none is the reason.</summary>
    [Id(3)]
    public string? OtherNode { get; init; }

    /// <summary>What that node has of it; <see langword="null"/> if no node is the reason.</summary>
    [Id(4)]
    public IPPrefix? OtherPrefix { get; init; }
}
