using Orleans.Services;

namespace Orleans.WireGuard.Grains.Delivery;

/// <summary>The receiving end of announcements: exactly one for each silo, addressed by silo.</summary>
[Alias("owg.IPeerService")]
internal interface IPeerService : IGrainService
{
    /// <summary>Takes an announcement and answers when the local device holds it. Repeating it is harmless.</summary>
    [Alias("Receive")]
    Task<AnnouncementReceipt> Receive(PeerAnnouncement announcement);

    /// <summary>Compares what both silos hold.</summary>
    /// <param name="digest">What the caller holds.</param>
    /// <returns>What the caller lacks, and what it should send.</returns>
    [Alias("Exchange")]
    Task<DigestReply> Exchange(MeshDigest digest);

    /// <summary>Says through which slot this node sends to another one.</summary>
    /// <param name="nodeName">The other one, which asks before it replaces a key.</param>
    [Alias("GetPath")]
    Task<PathReply> GetPath(string nodeName);
}

/// <summary>The answer of a node that was asked through which slot it sends.</summary>
/// <param name="Path">The path; <see langword="null"/> if it has none.</param>
/// <param name="AnsweredAt">Its clock.</param>
[GenerateSerializer, Immutable, Alias("owg.PathReply")]
internal sealed record PathReply([property: Id(0)] PathStatus? Path, [property: Id(1)] DateTimeOffset AnsweredAt);

/// <summary>What a silo holds, without the content.</summary>
/// <param name="Entries">One for each node.</param>
[GenerateSerializer, Immutable, Alias("owg.MeshDigest")]
internal sealed record MeshDigest([property: Id(0)] EquatableArray<DigestEntry> Entries);

/// <summary>How far the announcement goes that a silo holds of one node.</summary>
[GenerateSerializer, Immutable, Alias("owg.DigestEntry")]
internal sealed record DigestEntry([property: Id(0)] string NodeName, [property: Id(1)] AnnouncementSequence Sequence);

/// <summary>The answer to a digest.</summary>
/// <param name="Newer">Announcements above the caller's.</param>
/// <param name="Wanted">Nodes of which the caller has a newer announcement.</param>
[GenerateSerializer, Immutable, Alias("owg.DigestReply")]
internal sealed record DigestReply(
    [property: Id(0)] EquatableArray<PeerAnnouncement> Newer,
    [property: Id(1)] EquatableArray<string> Wanted);
