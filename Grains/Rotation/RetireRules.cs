using Orleans.WireGuard.Grains.Agent;
using Orleans.WireGuard.Grains.Clocks;

namespace Orleans.WireGuard.Grains.Rotation;

/// <summary>Tells whether it is worth asking the others if a slot's key may go. Pure.</summary>
internal static class RetireRules
{
    /// <summary>Whether nothing that this node can see goes through a slot, and has not for a while.</summary>
    /// <param name="slot">The slot that has had its turn.</param>
    /// <param name="activeSince">When the key that takes over was made.</param>
    /// <param name="agent">What the devices show.</param>
    /// <param name="quietSince">Since when it has to be quiet.</param>
    public static bool IsQuiet(Slot slot, SteadyTime activeSince, AgentSnapshot agent, SteadyTime quietSince) =>
        activeSince <= quietSince
        && !agent.Moves.Any(move => move.From == slot && move.At > quietSince)
        && agent.Paths.All(path => path.Slot != slot)
        && !agent.Receptions.Any(reception => reception.Slot == slot && reception.LastAt > quietSince);
}
