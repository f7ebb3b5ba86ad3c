using System.Net;

namespace Orleans.WireGuard;

/// <summary>
/// A node's public face: the keys, addresses and prefixes by which every other node configures it as a peer. Signed by its silo.
/// </summary>
[GenerateSerializer, Immutable, Alias("owg.PeerAnnouncement")]
public sealed record PeerAnnouncement
{
    /// <summary>The most endpoint addresses a node may announce: an internal and an external one of each family, twice over.</summary>
    public const int MaxEndpoints = 8;

    /// <summary>The most prefixes a node may announce. Kubernetes gives a node one or two; cloud IPAM gives tens.</summary>
    public const int MaxAllowedIPs = 256;

    /// <summary>The most bytes of extensions an announcement may have.</summary>
    public const int MaxExtensionBytes = 4096;

    /// <summary>The node, which is also the name of its silo.</summary>
    [Id(0)]
    public required string NodeName { get; init; }

    /// <summary>The Ed25519 public key under which <see cref="Signature"/> verifies.</summary>
    [Id(1)]
    public required IdentityKey Identity { get; init; }

    /// <summary>Orders this node's announcements.</summary>
    [Id(2)]
    public required AnnouncementSequence Sequence { get; init; }

    /// <summary>One entry for each slot in use, by slot; one or two.</summary>
    [Id(3)]
    public required EquatableArray<SlotAnnouncement> Slots { get; init; }

    /// <summary>Underlay addresses in order of preference, InternalIP before ExternalIP; 1 to <see cref="MaxEndpoints"/>.</summary>
    [Id(4)]
    public required EquatableArray<IPAddress> Endpoints { get; init; }

    /// <summary>The node's pod CIDRs, sorted; at most <see cref="MaxAllowedIPs"/>.</summary>
    [Id(5)]
    public required EquatableArray<IPPrefix> AllowedIPs { get; init; }

    /// <summary>The sender's clock when it made the announcement. Tells skew; never decides what is newer.</summary>
    [Id(6)]
    public required DateTimeOffset IssuedAt { get; init; }

    /// <summary>64 bytes: the Ed25519 signature over the canonical encoding of everything else.</summary>
    [Id(7)]
    public EquatableArray<byte> Signature { get; init; }

    /// <summary>
    /// Until when an operator has this node keep its keys; <see langword="null"/> if it rotates. Announced, so that it outlives a restart
    /// of the silo.
    /// </summary>
    [Id(8)]
    public DateTimeOffset? FrozenUntil { get; init; }

    /// <summary>
    /// What came after the other members were frozen, as it was signed; at most <see cref="MaxExtensionBytes"/>. Whoever does not know an
    /// entry keeps it and passes it on. Empty as long as a silo of the mesh does not know extensions.
    /// </summary>
    [Id(9)]
    public EquatableArray<byte> Extensions { get; init; } = [];

    /// <summary>The announced slot, or <see langword="null"/> if this node does not use it.</summary>
    public SlotAnnouncement? Find(Slot slot)
    {
        foreach (var candidate in Slots)
        {
            if (candidate.Slot == slot)
            {
                return candidate;
            }
        }

        return null;
    }
}
