using Orleans.WireGuard.Grains;

namespace Orleans.WireGuard.Silo.Agent;

/// <summary>The outcome of a pass that succeeded.</summary>
/// <param name="Snapshot">
/// What it found and left; its problem is why the node is not ready although the devices are as they should be. Passes are counted by the
/// agent.
/// </param>
/// <param name="LookAgainAfter">When to look again before the next resync; <see langword="null"/> if there is no need.</param>
/// <param name="IsApplied">
/// Whether the devices now are what they should be; false while there is no key, or nobody can tell whose they are.
/// </param>
internal sealed record PassResult(AgentSnapshot Snapshot, TimeSpan? LookAgainAfter, bool IsApplied);
