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

    /// <summary>Whether a peer is up or down, or nobody can tell yet.</summary>
    /// <param name="handshakeAge">How long ago its latest handshake was; <see langword="null"/> if there was none.</param>
    /// <param name="heldFor">For how long the device has had it; <see langword="null"/> if that is unknown.</param>
    public static PeerState Calculate(TimeSpan? handshakeAge, TimeSpan? heldFor) =>
        handshakeAge is { } age ? age < DownAfter ? PeerState.Up : PeerState.Down
        : heldFor >= DownAfter ? PeerState.Down
        : PeerState.Unknown;
}
