namespace Orleans.WireGuard.Silo.Agent;

/// <summary>Judges a peer by the age of its latest handshake. Pure.</summary>
/// <remarks>
/// <code>
/// handshake      +120 s                +180 s              +275 s
/// ├── Up: fresh ─┼─ Up: rekey is due ──┼─ Up: may retry ───┼─ Down
/// </code>
/// A session in use is renewed after 120 s (REKEY_AFTER_TIME) and dead after 180 s (REJECT_AFTER_TIME); an attempt to renew it gives up
/// after 90 s (REKEY_ATTEMPT_TIME), and takes 5 s for each try. Whitepaper section 6.1; Talos KubeSpan judges the same way. A peer to
/// which nobody has sent for that long shows as Down too: WireGuard is silent when there is nothing to say.
/// </remarks>
internal static class PeerStateCalculator
{
    /// <summary>The age from which a peer counts as down: 180 + 5 + 90 seconds.</summary>
    public static readonly TimeSpan DownAfter = TimeSpan.FromSeconds(180 + 5 + 90);

    /// <summary>Judges a peer.</summary>
    /// <param name="lastHandshake">Its latest handshake; <see langword="null"/> if none.</param>
    /// <param name="heldSince">Since when the device has had it.</param>
    /// <param name="now">The clock.</param>
    public static PeerState Calculate(DateTimeOffset? lastHandshake, DateTimeOffset? heldSince, DateTimeOffset now) =>
        lastHandshake is { } handshake ? now - handshake < DownAfter ? PeerState.Up : PeerState.Down
        : heldSince is { } since && now - since >= DownAfter ? PeerState.Down
        : PeerState.Unknown;
}
