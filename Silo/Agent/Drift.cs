namespace Orleans.WireGuard.Silo.Agent;

/// <summary>One thing that somebody else changed.</summary>
/// <param name="Kind">What was done.</param>
/// <param name="Subject">Which one, such as a peer's short key or a route's destination.</param>
internal sealed record Drift(DriftKind Kind, string Subject);
