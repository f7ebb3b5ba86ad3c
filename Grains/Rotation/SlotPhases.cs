namespace Orleans.WireGuard.Grains.Rotation;

/// <summary>Derives where each slot is in its life. Pure.</summary>
internal static class SlotPhases
{
    /// <summary>The slot with the latest key; <see langword="null"/> without any.</summary>
    /// <param name="served">The epoch that each slot's key serves; <see langword="null"/> for a slot without a key.</param>
    public static Slot? Active(IReadOnlyList<Epoch?> served)
    {
        var keyed = served.Index().Where(each => each.Item is not null)
            .Select(each => new { Slot = new Slot((byte)each.Index), Serves = each.Item!.Value });
        return Latest(keyed, key => key.Serves)?.Slot;
    }

    /// <summary>The announced key that carries traffic, or will; <see langword="null"/> if none is announced.</summary>
    public static SlotAnnouncement? ActiveKey(PeerAnnouncement announcement) => Latest(announcement.Slots, slot => slot.ServesEpoch);

    /// <summary>The same of a node's own keys.</summary>
    public static SlotKey? ActiveKey(IEnumerable<SlotKey> keys) => Latest(keys, key => key.ServesEpoch);

    /// <summary>The same of a node's status.</summary>
    public static SlotStatus? ActiveKey(NodeStatus status) => Latest(status.Slots, slot => slot.ServesEpoch);

    /// <summary>The slot whose key has had its turn, while another one has the latest; <see langword="null"/> if there is none.</summary>
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

    /// <summary>
    /// The phase of a slot, by the epochs that its keys serve (see <see cref="Active"/>) and the slots through which this node sends to the
    /// others.
    /// </summary>
    public static SlotPhase Of(Slot slot, IReadOnlyList<Epoch?> served, IEnumerable<PathStatus> paths) =>
        served[slot.Index] is null ? SlotPhase.Idle
        : Active(served) != slot ? SlotPhase.Draining
        : paths.Any(path => path.Slot == slot) ? SlotPhase.Carrying
        : SlotPhase.Keyed;

    // Not the one made last: where a key was kept, it serves the later epoch, and traffic goes by that (SlotLevel). By slot, so the first
    // of equals.
    private static T? Latest<T>(IEnumerable<T> keys, Func<T, Epoch> serves)
        where T : class => keys.MaxBy(serves);
}
