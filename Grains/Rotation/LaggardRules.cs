using Orleans.WireGuard.Grains.Clocks;

namespace Orleans.WireGuard.Grains.Rotation;

/// <summary>Tells which peers would be cut off if a slot's key went away (invariant I3). Pure.</summary>
internal static class LaggardRules
{
    /// <summary>The peers that depend on the key, by node name.</summary>
    /// <param name="slot">The slot.</param>
    /// <param name="key">The public half of its key.</param>
    /// <param name="isOnly">
    /// Whether there is no other slot. Then every peer uses it, and what counts is whether it would learn the new key.
    /// </param>
    /// <param name="peers">What is known.</param>
    /// <param name="quietSince">Data that came later than this shows that the peer still sends.</param>
    public static IReadOnlyList<LaggingNode> Find(
        Slot slot, PublicKey key, bool isOnly, IEnumerable<PeerFacts> peers, SteadyTime quietSince) =>
        [.. from peer in peers
            where peer.IsLive && (peer.HasHandshake || (peer.MayMoveHere && !isOnly) || HasProven(peer, slot, key))
            let reason = isOnly ? ReasonOnOnlySlot(peer) : Reason(slot, key, peer, quietSince)
            where reason is not null
            orderby peer.NodeName
            select new LaggingNode(peer.NodeName, reason.Value, slot)];

    // The side that started a handshake has completed it, and may send, before the first packet of it tells our device the same.
    private static bool HasProven(PeerFacts peer, Slot slot, PublicKey key) =>
        peer.Path is { IsProven: true } path && path.Slot == slot && path.PeerKey == key;

    // Any other answer was true until its next handshake only, and then it may have moved: also before its silo went away.
    private static bool HasMovedAway(PeerFacts peer, Slot slot) => peer.Path is { IsProven: true } path && path.Slot != slot;

    private static LaggingReason? ReasonOnOnlySlot(PeerFacts peer) => peer.HasAnswered ? null : LaggingReason.WouldNotLearnKey;

    private static LaggingReason? Reason(Slot slot, PublicKey key, PeerFacts peer, SteadyTime quietSince) =>
        !peer.IsPathKnown ? LaggingReason.PathUnknown
        : peer.Path is { } path && path.Slot == slot && path.PeerKey == key
            ? (peer.HasAnswered ? LaggingReason.Sends : LaggingReason.SentLast)
        : !HasMovedAway(peer, slot) ? LaggingReason.NoOtherHandshake
        : peer.MayMoveHere ? LaggingReason.MayMove
        : peer.LastDataAt > quietSince ? LaggingReason.PacketsArrive
        : peer.OwnSlot == slot ? LaggingReason.IsSentTo
        : null;
}
