namespace Orleans.WireGuard.Grains.Rotation;

/// <summary>How far a pair of nodes has come on a slot: the earlier of the two epochs that their keys serve. Pure.</summary>
/// <remarks>
/// A pair agrees on the slot of the highest level, and moves its traffic there. That needs neither a common clock nor a barrier:
/// <code>
///                 slot 0      slot 1
/// A               e-2         e-1
/// B               e-2         e-1        level 1 is the higher one: traffic is on slot 1
/// A makes a key:  e           e-1        level 0 is min(e, e-2): nothing to do yet, B will replace its key too
/// B makes a key:  e           e-1        level 0 is e: shake hands there, then move
/// </code>
/// A node that keeps its key says that the old key serves epoch e, and the rest goes on as if it had made one. A clock that is ahead, or a
/// period that is being changed, only raises one side: the other decides.
/// </remarks>
internal static class SlotLevel
{
    /// <summary>The level of a slot that serves these epochs.</summary>
    public static Epoch Of(Epoch own, Epoch other) => own < other ? own : other;

    /// <summary>Whether a peer may yet move its traffic to a slot whose key serves an epoch, by its next rotation if not now.</summary>
    /// <param name="slot">The same on both sides.</param>
    /// <param name="serves">The epoch that our key there serves.</param>
    /// <param name="otherServes">
    /// The epoch that our key of the other slot serves; <see langword="null"/> without one. Earlier if we missed its turn.
    /// </param>
    /// <param name="other">What the peer announced.</param>
    /// <remarks>
    /// The slot's level never rises above <paramref name="serves"/>. So a peer has no reason to if its other key and ours both serve a
    /// later epoch.
    /// </remarks>
    public static bool MayMove(Slot slot, Epoch serves, Epoch? otherServes, PeerAnnouncement other) =>
        !(otherServes > serves && other.Slots.Any(theirs => theirs.Slot != slot && theirs.ServesEpoch > serves));
}
