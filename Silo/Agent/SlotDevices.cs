namespace Orleans.WireGuard.Silo.Agent;

/// <summary>The names of our devices.</summary>
internal static class SlotDevices
{
    /// <summary>The name of a slot's device: <c>cilium_wg0</c>, which operators of Cilium know, and <c>cilium_wg1</c>.</summary>
    public static string Name(Slot slot) => slot == Slot.Zero ? "cilium_wg0" : "cilium_wg1";

    /// <summary>The names of all of them.</summary>
    public static IReadOnlyList<string> Names { get; } = [.. Slots(Slot.Count).Select(Name)];

    /// <summary>Whether a link has the name of one of our devices.</summary>
    public static bool IsName(string name) => Names.Contains(name);

    /// <summary>All slots of a node.</summary>
    /// <param name="count">How many it uses: 1 or 2.</param>
    public static IReadOnlyList<Slot> Slots(int count) => count == 1 ? [Slot.Zero] : [Slot.Zero, Slot.One];
}
