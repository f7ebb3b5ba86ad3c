namespace Orleans.WireGuard.Grains.Delivery;

/// <summary>The answer of a node that was asked through which slot it sends.</summary>
/// <param name="Path">The path; <see langword="null"/> if it has none.</param>
/// <param name="AnsweredAt">Its clock.</param>
[GenerateSerializer, Immutable, Alias("owg.PathReply")]
internal sealed record PathReply([property: Id(0)] PathStatus? Path, [property: Id(1)] DateTimeOffset AnsweredAt)
{
    /// <inheritdoc cref="MeshDigest.Protocol"/>
    [Id(2)]
    public ProtocolRange? Protocol { get; init; }
}
