namespace Orleans.WireGuard.Grains.Rotation;

/// <summary>Sees to it that every pair of nodes has a slot in which both have a key. Pure.</summary>
/// <remarks>
/// A node has keys in both slots, or in one because nobody used the other. Whoever comes with one slot may come with the wrong one:
/// <code>
///                        slot 0    slot 1
/// A, two slots           -         e         destroyed its key of slot 0 when everybody had moved
/// B, restarted with one  e         -         the two cannot talk until A's next turn in slot 0, up to a period
/// </code>
/// Only a node that uses the slot can help, and a key in an empty slot cuts nobody off.
/// </remarks>
internal static class SlotSharing
{
    /// <summary>Whether a peer that has just announced itself has keys in none of the slots that we announced.</summary>
    /// <param name="own">What we announced; <see langword="null"/> before the first, when nothing is to be said yet.</param>
    /// <param name="other">What the peer announced.</param>
    public static bool IsApart(PeerAnnouncement? own, PeerAnnouncement other) =>
        own is not null && !IsShared([.. own.Slots.Select(slot => slot.Slot)], other);

    /// <summary>The slots in which we have to have a key because a peer has one nowhere else, with the first such peer by name.</summary>
    /// <param name="own">The slots in which we have a key.</param>
    /// <param name="slots">How many slots we use: 1 or 2.</param>
    /// <param name="others">What the peers announced.</param>
    public static IReadOnlyList<(Slot Slot, string NodeName)> FindMissing(
        IReadOnlyCollection<Slot> own, int slots, IEnumerable<PeerAnnouncement> others) =>
        [.. from other in others
            where !IsShared(own, other)
            from announced in other.Slots
            where announced.Slot.Index < slots
            group other.NodeName by announced.Slot into peers
            orderby peers.Key.Index
            select (peers.Key, peers.Min(StringComparer.Ordinal)!)];

    private static bool IsShared(IReadOnlyCollection<Slot> own, PeerAnnouncement other) => other.Slots.Any(slot => own.Contains(slot.Slot));
}
