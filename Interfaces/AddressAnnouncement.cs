using System.Net;

namespace Orleans.WireGuard;

/// <summary>
/// Which addresses a node has for its pods, and which of its own lie among those of pods. Apart from <see cref="PeerAnnouncement"/>, so
/// that no address can hold up a key. Signed by the node's silo; always complete.
/// </summary>
[GenerateSerializer, Immutable, Alias("owg.AddressAnnouncement")]
public sealed record AddressAnnouncement
{
    /// <summary>The most prefixes a node may announce: one for each of its pods, on the largest nodes there are, many times over.</summary>
    public const int MaxPrefixes = 4096;

    /// <summary>The most addresses of the node itself among those of pods: those of its bridges and of its tunnels' ends.</summary>
    public const int MaxNodeAddresses = 16;

    /// <summary>The most encapsulations: VXLAN, Geneve and IP in IP, and one to spare.</summary>
    public const int MaxEncapsulations = 4;

    /// <summary>The node, which is also the name of its silo.</summary>
    [Id(0)]
    public required string NodeName { get; init; }

    /// <summary>The Ed25519 public key under which <see cref="Signature"/> verifies.</summary>
    [Id(1)]
    public required IdentityKey Identity { get; init; }

    /// <summary>Orders this node's announcements of addresses; apart from the sequence of those of its keys.</summary>
    [Id(2)]
    public required AnnouncementSequence Sequence { get; init; }

    /// <summary>What the node has for its pods. Sorted, none inside another; at most <see cref="MaxPrefixes"/>.</summary>
    [Id(3)]
    public EquatableArray<IPPrefix> Prefixes { get; init; } = [];

    /// <summary>
    /// The node's own addresses among those of pods, such as those of a bridge: what they send is the node's and no pod's. Sorted by their
    /// text; at most <see cref="MaxNodeAddresses"/>.
    /// </summary>
    [Id(4)]
    public EquatableArray<IPAddress> NodeAddresses { get; init; } = [];

    /// <summary>
    /// Which packets the node leads through its tunnels as another data plane has packed them. At most <see cref="MaxEncapsulations"/>.
    /// </summary>
    [Id(5)]
    public EquatableArray<Encapsulation> Encapsulations { get; init; } = [];

    /// <summary>64 bytes: the Ed25519 signature over the canonical encoding of everything else.</summary>
    [Id(6)]
    public EquatableArray<byte> Signature { get; init; }
}
