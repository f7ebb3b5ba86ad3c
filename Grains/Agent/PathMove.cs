using Orleans.WireGuard.Grains.Clocks;

namespace Orleans.WireGuard.Grains.Agent;

/// <summary>
/// Traffic to a node that went through one slot until then, and goes through the other one since. A first path is no move.
/// </summary>
/// <param name="NodeName">To which node.</param>
/// <param name="From">The slot that it left.</param>
/// <param name="To">The slot that it moved to.</param>
/// <param name="At">When.</param>
internal sealed record PathMove(string NodeName, Slot From, Slot To, SteadyTime At);
