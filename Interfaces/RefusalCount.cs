namespace Orleans.WireGuard;

/// <summary>How often a node refused announcements for one reason.</summary>
/// <param name="Outcome">The reason.</param>
/// <param name="Count">How often; 1 or more.</param>
/// <param name="LastNodeName">The node named by the last one refused.</param>
/// <param name="LastDetail">What was wrong with it, for people: what a program can branch on is <paramref name="Outcome"/>.</param>
/// <param name="LastAt">When.</param>
[GenerateSerializer, Immutable, Alias("owg.RefusalCount")]
public sealed record RefusalCount(
    [property: Id(0)] AnnouncementOutcome Outcome,
    [property: Id(1)] long Count,
    [property: Id(2)] string LastNodeName,
    [property: Id(3)] string LastDetail,
    [property: Id(4)] DateTimeOffset LastAt);
