namespace Orleans.WireGuard.Grains.Rotation;

/// <summary>The epochs of a slot's key.</summary>
/// <param name="Slot">The slot.</param>
/// <param name="Made">The epoch that the key was made for.</param>
/// <param name="Serves">The epoch that it serves: a later one if it was kept.</param>
internal readonly record struct SlotEpochs(Slot Slot, Epoch Made, Epoch Serves);

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

    /// <summary>The slot whose key has had its turn, while another one has the latest; <see langword="null"/> if there is none.</summary>
    /// <param name="keys">The keys.</param>
    /// <remarks>
    /// Not if the latest one is older and was only kept: a peer that has not heard of it yet may still move to the newer key.
    /// </remarks>
    public static Slot? FindDraining(IReadOnlyList<SlotEpochs> keys)
    {
        if (keys is not [var first, var second])
        {
            return null;
        }

        var (draining, latest) = first.Serves < second.Serves ? (first, second) : (second, first);
        return draining.Made <= latest.Made ? draining.Slot : null;
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
