using Orleans.WireGuard.Grains.Clocks;

namespace Orleans.WireGuard.Grains.Agent;

/// <summary>
/// Traffic to a node that went through one slot until then, and goes through the other one since. A first path is no move.
/// </summary>
internal sealed record PathMove(string NodeName, Slot From, Slot To, SteadyTime At);
