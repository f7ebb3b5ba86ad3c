using Orleans.WireGuard.Grains.Clocks;

namespace Orleans.WireGuard.Grains.Agent;

/// <summary>Data that came in through a slot: packets of pods, not handshakes and keepalives.</summary>
internal sealed record Reception(string NodeName, Slot Slot, SteadyTime LastAt);
