namespace Orleans.WireGuard.Grains.Delivery;

/// <summary>The answer to a digest.</summary>
/// <param name="Newer">Announcements above the caller's.</param>
/// <param name="Wanted">Nodes of which the caller has a newer announcement.</param>
[GenerateSerializer, Immutable, Alias("owg.DigestReply")]
internal sealed record DigestReply(
    [property: Id(0)] EquatableArray<PeerAnnouncement> Newer,
    [property: Id(1)] EquatableArray<string> Wanted)
{
    /// <inheritdoc cref="MeshDigest.Protocol"/>
    [Id(2)]
    public ProtocolRange? Protocol { get; init; }

    /// <summary>The sender's version, for people.</summary>
    [Id(3)]
    public string? Version { get; init; }

    /// <summary>Announcements of addresses above the caller's; as many as fit.</summary>
    [Id(4)]
    public EquatableArray<AddressAnnouncement> NewerAddresses { get; init; } = [];

    /// <summary>Nodes of which the caller has newer addresses.</summary>
    [Id(5)]
    public EquatableArray<string> WantedAddresses { get; init; } = [];
}
