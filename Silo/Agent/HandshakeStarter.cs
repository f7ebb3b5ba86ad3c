namespace Orleans.WireGuard.Silo.Agent;

/// <summary>Decides with which peers this side starts a handshake: one side only, and only when both are ready. Pure.</summary>
/// <remarks>
/// WireGuard sends nothing until there is a packet to send, and an initiation that reaches a device which does not know the key is lost:
/// the next one comes 5 s later (REKEY_TIMEOUT, whitepaper section 6.1). So is one that crosses the other side's. Therefore the side with
/// the older announcement starts, as soon as its own device holds the other's key and the other has acknowledged its own.
/// <code>
/// A rotates   A's device ── announcement ──▶ B's device has it: B's announcement is the older one, A has long acknowledged it ─▶ B starts
///             └ a packet of A's pods here costs A its initiation, and A is mute for 5 s: that is why it must not be A who starts
/// </code>
/// Both sides compare the same two sequences, so exactly one of them starts, however wrong the clocks are. Turning persistent keepalive on
/// makes WireGuard send at once; it goes off again when the handshake is proven.
/// </remarks>
internal static class HandshakeStarter
{
    /// <summary>The keepalive that starts a handshake. The value matters little, since only the change from off to on sends.</summary>
    public static readonly TimeSpan StartInterval = TimeSpan.FromSeconds(25);

    /// <summary>Whether this side is the one that starts a handshake that the pair needs.</summary>
    /// <param name="slot">In which both have a key.</param>
    /// <param name="own">
    /// This node's announcement, if it announces the key that the device uses; <see langword="null"/> if a newer key is not announced yet.
    /// </param>
    /// <param name="other">The peer's announcement.</param>
    /// <param name="hasPeerApplied">Whether the peer's node has acknowledged <paramref name="own"/>.</param>
    public static bool ShouldStart(Slot slot, PeerAnnouncement? own, PeerAnnouncement other, bool hasPeerApplied)
    {
        if (own?.Find(slot) is not { } ownSlot || other.Find(slot) is not { } otherSlot || !hasPeerApplied)
        {
            return false;
        }

        var order = own.Sequence.CompareTo(other.Sequence);
        return order < 0 || (order == 0 && ownSlot.PublicKey < otherSlot.PublicKey);
    }
}
