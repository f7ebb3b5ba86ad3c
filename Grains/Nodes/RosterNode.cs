using System.Net;

namespace Orleans.WireGuard.Grains.Nodes;

/// <summary>A node of the roster.</summary>
/// <param name="NodeName">Its name, which its silo bears too.</param>
/// <param name="Addresses">Underlay addresses in order of preference.</param>
/// <param name="PodCIDRs">Sorted. Of a divided roster its share: what of its pod CIDRs no other node has.</param>
internal sealed record RosterNode(string NodeName, EquatableArray<IPAddress> Addresses, EquatableArray<IPPrefix> PodCIDRs)
{
    private readonly EquatableArray<IPPrefix>? _listedPodCIDRs;

    /// <summary>The kind of object that tells of the node, such as <c>CiliumNode</c>: people have to find it.</summary>
    public string Kind { get; init; } = "";

    /// <summary>When that object was made; <see langword="null"/> if the source does not say.</summary>
    public DateTimeOffset? CreatedAt { get; init; }

    /// <summary>The pod CIDRs as the source has them, before they were divided. Sorted.</summary>
    public EquatableArray<IPPrefix> ListedPodCIDRs
    {
        get => _listedPodCIDRs ?? PodCIDRs;
        init => _listedPodCIDRs = value;
    }

    /// <summary>
    /// Addresses of the node itself among those of pods, as it has announced them, beyond <see cref="Addresses"/>: nothing refuses them.
    /// Sorted.
    /// </summary>
    public EquatableArray<IPAddress> AnnouncedAddresses { get; init; } = [];

    /// <summary>
    /// Which packets of its data plane, packed before a rule sees what is inside, the node has announced to take the tunnel.
    /// </summary>
    public EquatableArray<Encapsulation> Encapsulations { get; init; } = [];

    /// <summary>
    /// Whether no silo can run there (<c>Nodes:Exempt</c>): its pods are reached in clear, and neither refused nor dropped.
    /// </summary>
    public bool IsExempt { get; init; }

    /// <summary>The object as a message names it: its kind and its name.</summary>
    public string Describe() => Kind.Length == 0 ? $"'{NodeName}'" : $"{Kind} '{NodeName}'";
}
