using System.Net;

namespace Orleans.WireGuard;

/// <summary>What a node has for its pods, where that comes from, and who knows it.</summary>
[GenerateSerializer, Immutable, Alias("owg.AddressStatus")]
public sealed record AddressStatus
{
    /// <summary>How many entries of each list are told; its count has all of them.</summary>
    public const int MaxListed = 16;

    /// <summary>The source of the prefixes, as <c>Nodes:Prefixes</c> names it; empty while none has answered.</summary>
    [Id(0)]
    public required string Source { get; init; }

    /// <summary>Why it is that one, in a sentence; empty if there is nothing to say.</summary>
    [Id(1)]
    public required string Because { get; init; }

    /// <summary>What is announced; at most <see cref="MaxListed"/> of them.</summary>
    [Id(2)]
    public required EquatableArray<IPPrefix> Prefixes { get; init; }

    /// <summary>How many prefixes are announced.</summary>
    [Id(3)]
    public required int PrefixCount { get; init; }

    /// <summary>How many did not fit: more than <see cref="AddressAnnouncement.MaxPrefixes"/>.</summary>
    [Id(4)]
    public int LeftOut { get; init; }

    /// <summary>Prefixes that hold pods of the cluster, as this node knows them.</summary>
    [Id(5)]
    public EquatableArray<IPPrefix> PodRanges { get; init; } = [];

    /// <summary>Prefixes of any node that do not count here, and why; at most <see cref="MaxListed"/> of them.</summary>
    [Id(6)]
    public EquatableArray<HeldBackPrefix> HeldBack { get; init; } = [];

    /// <summary>How many prefixes do not count.</summary>
    [Id(7)]
    public int HeldBackCount { get; init; }

    /// <summary>Active silos that have not applied the latest announcement yet; at most <see cref="MaxListed"/> of them.</summary>
    [Id(8)]
    public EquatableArray<string> BehindNodes { get; init; } = [];

    /// <summary>How many have not.</summary>
    [Id(9)]
    public int BehindCount { get; init; }

    /// <summary>
    /// Active silos of a version that takes addresses with keys only: they know of this node what its entry in the list of nodes says, and
    /// nothing else. At most <see cref="MaxListed"/> of them.
    /// </summary>
    [Id(10)]
    public EquatableArray<string> OldNodes { get; init; } = [];

    /// <summary>The node's own addresses among those of pods.</summary>
    [Id(11)]
    public EquatableArray<IPAddress> NodeAddresses { get; init; } = [];

    /// <summary>Which packets of another data plane are led through the tunnels as it has packed them.</summary>
    [Id(12)]
    public EquatableArray<Encapsulation> Encapsulations { get; init; } = [];

    /// <summary>
    /// Nodes that can run no silo (<c>Nodes:Exempt</c>): packets between their pods and those of others are in clear. At most
    /// <see cref="MaxListed"/> of them.
    /// </summary>
    [Id(13)]
    public EquatableArray<string> ExemptNodes { get; init; } = [];

    /// <summary>How many can run none.</summary>
    [Id(14)]
    public int ExemptCount { get; init; }
}
