namespace Orleans.WireGuard.Grains.Delivery;

/// <summary>What a silo holds, without the content.</summary>
/// <param name="Entries">One for each node.</param>
[GenerateSerializer, Immutable, Alias("owg.MeshDigest")]
internal sealed record MeshDigest([property: Id(0)] EquatableArray<DigestEntry> Entries)
{
    /// <summary>What the sender speaks; <see langword="null"/> if it is older than the question.</summary>
    [Id(1)]
    public ProtocolRange? Protocol { get; init; }

    /// <summary>How far the announcements of addresses go; one for each node that has made any.</summary>
    [Id(2)]
    public EquatableArray<DigestEntry> Addresses { get; init; } = [];
}

/// <summary>How far the announcement goes that a silo holds of one node.</summary>
[GenerateSerializer, Immutable, Alias("owg.DigestEntry")]
internal sealed record DigestEntry([property: Id(0)] string NodeName, [property: Id(1)] AnnouncementSequence Sequence);
