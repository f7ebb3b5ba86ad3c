using Orleans.WireGuard.Grains.Clocks;

namespace Orleans.WireGuard.Grains.Agent;

/// <summary>Data that came in through a slot: packets of pods, not handshakes and keepalives.</summary>
/// <param name="NodeName">From which node.</param>
/// <param name="Slot">The slot.</param>
/// <param name="LastAt">When it was last seen.</param>
internal sealed record Reception(string NodeName, Slot Slot, SteadyTime LastAt);
