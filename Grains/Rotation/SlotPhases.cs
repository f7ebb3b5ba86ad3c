namespace Orleans.WireGuard.Grains.Rotation;

/// <summary>Derives where each slot is in its life. Pure.</summary>
internal static class SlotPhases
{
    /// <summary>The slot with the latest key; <see langword="null"/> without any.</summary>
    /// <param name="served">The epoch that each slot's key serves; <see langword="null"/> for a slot without a key.</param>
    public static Slot? Active(IReadOnlyList<Epoch?> served)
    {
        Slot? active = null;
        for (byte index = 0; index < served.Count; index++)
        {
            if (served[index] is { } epoch && (active is not { } best || epoch > served[best.Index]!.Value))
            {
                active = new Slot(index);
            }
        }

        return active;
    }

    /// <summary>The phase of a slot.</summary>
    /// <param name="slot">The slot.</param>
    /// <param name="served">See <see cref="Active"/>.</param>
    /// <param name="paths">Through which slot this node sends to each other node.</param>
    public static SlotPhase Of(Slot slot, IReadOnlyList<Epoch?> served, IEnumerable<PathStatus> paths) =>
        served[slot.Index] is null ? SlotPhase.Idle
        : Active(served) != slot ? SlotPhase.Draining
        : paths.Any(path => path.Slot == slot) ? SlotPhase.Carrying
        : SlotPhase.Keyed;
}
