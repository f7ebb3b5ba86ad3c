namespace Orleans.WireGuard.Silo.Security;

/// <summary>What is needed of Orleans' own preamble: the other members are skipped.</summary>
/// <remarks>A class, as that one is: of a record the members are written behind those of its constructor, even if that has none.</remarks>
[GenerateSerializer, Immutable, Alias("owg.ClientPreamble")]
internal sealed class ClientPreamble : IEquatable<ClientPreamble>
{
    /// <summary>Who connects, in its own words.</summary>
    [Id(1)]
    public GrainId NodeIdentity { get; init; }

    /// <inheritdoc/>
    public bool Equals(ClientPreamble? other) => NodeIdentity == other?.NodeIdentity;

    /// <inheritdoc/>
    public override bool Equals(object? obj) => Equals(obj as ClientPreamble);

    /// <inheritdoc/>
    public override int GetHashCode() => NodeIdentity.GetHashCode();
}
