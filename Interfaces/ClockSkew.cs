namespace Orleans.WireGuard;

/// <summary>How another node's clock compares with this one's.</summary>
/// <param name="NodeName">The other node.</param>
/// <param name="Ahead">How far its clock is ahead; negative if it is behind.</param>
/// <param name="MeasuredAt">When, by this node's clock.</param>
[GenerateSerializer, Immutable, Alias("owg.ClockSkew")]
public sealed record ClockSkew(
    [property: Id(0)] string NodeName,
    [property: Id(1)] TimeSpan Ahead,
    [property: Id(2)] DateTimeOffset MeasuredAt);
