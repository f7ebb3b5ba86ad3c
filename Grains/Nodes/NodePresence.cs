using System.Net;

namespace Orleans.WireGuard.Grains.Nodes;

/// <summary>What speaks for the node that claims an address, from nothing to most.</summary>
internal enum ClaimRank
{
    /// <summary>An object of this name, and nothing else.</summary>
    Absent,

    /// <summary>A silo runs there.</summary>
    Active,

    /// <summary>Its announcement that is being judged has it.</summary>
    Claimed,

    /// <summary>Its announcement that is held has it.</summary>
    Held,
}

/// <summary>What of its claims a node has announced, and what that is worth.</summary>
internal sealed record AnnouncedClaims(ClaimRank Rank, EquatableArray<IPPrefix> AllowedIPs, EquatableArray<IPAddress> Endpoints);

/// <summary>What speaks for a node.</summary>
/// <param name="Announced">What it has announced, the highest rank first.</param>
/// <param name="Otherwise">The rank of everything else.</param>
internal sealed record NodePresence(EquatableArray<AnnouncedClaims> Announced, ClaimRank Otherwise)
{
    /// <summary>Nobody knows more than the object.</summary>
    public static NodePresence Absent { get; } = new([], ClaimRank.Absent);
}
