namespace Orleans.WireGuard.Silo.Agent;

/// <summary>The slots of a node, each of which has a device (<see cref="DeviceNames"/>).</summary>
internal static class SlotDevices
{
    /// <summary>All slots of a node.</summary>
    /// <param name="count">How many it uses: 1 or 2.</param>
    public static IReadOnlyList<Slot> Slots(int count) => count == 1 ? [Slot.Zero] : [Slot.Zero, Slot.One];
}
