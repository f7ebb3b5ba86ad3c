namespace Orleans.WireGuard.Tests.Unit.Rotation.Simulation;

/// <summary>What a simulation found.</summary>
/// <param name="Violation">What was broken, the plan, and the latest steps; <see langword="null"/> if nothing.</param>
/// <param name="Elapsed">How long it was in virtual time.</param>
/// <param name="SettledAfter">How long after the last fault every pair was on keys made after it.</param>
/// <param name="Checks">How often all pairs were checked.</param>
/// <param name="Handshakes">How many handshakes were completed.</param>
/// <param name="LatestSteps">A hash of the latest steps: the same in every process.</param>
internal sealed record SimulationReport(
    string? Violation, TimeSpan Elapsed, TimeSpan SettledAfter, long Checks, long Handshakes, string LatestSteps);
