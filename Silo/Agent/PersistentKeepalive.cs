using Orleans.WireGuard.Linux.Devices;

namespace Orleans.WireGuard.Silo.Agent;

/// <summary>Adds the configured keepalive to a device without disturbing the start of handshakes. Pure.</summary>
/// <remarks>
/// A handshake is started by turning keepalive from off to on (<see cref="HandshakeStarter"/>), by one side, when both are ready. A
/// keepalive that is always on would start it on both sides and too early, and leave nothing to turn on. So it waits: off while two keys
/// have not shaken hands yet, the starter's while this side starts, the configured one from then on.
/// <code>
/// new key ──▶ off ──▶ (this side starts: off ─▶ on) ──▶ handshake proven ──▶ as configured
///              └────▶ nothing came for <see cref="Patience"/>: as configured, since a peer behind NAT is reached by nobody else
/// </code>
/// </remarks>
internal static class PersistentKeepalive
{
    /// <summary>After this time without a handshake the configured keepalive starts one: twice WireGuard's REKEY_TIMEOUT.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    /// <summary>
    /// Towards a node whose silo is away a keepalive shows whether the node itself is alive: its device answers without a silo. WireGuard's
    /// own advice for how often.
    /// </summary>
    public static readonly TimeSpan ToSilent = TimeSpan.FromSeconds(25);

    /// <summary>Applies the options to every peer with which no handshake is being started.</summary>
    /// <param name="device">As derived from the announcements.</param>
    /// <param name="observed">The device as it is.</param>
    /// <param name="wanted">
    /// What each peer should have; <see langword="null"/> for a peer that no announcement explains, which keeps what it has.
    /// </param>
    /// <param name="isSettled">Whether the handshake with a peer is proven, or has been waited for long enough.</param>
    public static DesiredDevice Apply(
        DesiredDevice device, Device observed, Func<PublicKey, TimeSpan?> wanted, Func<PublicKey, bool> isSettled)
    {
        var isSameKey = device.KeyPair is null || device.KeyPair.PublicKey == observed.PublicKey;
        var current = observed.Peers.ToDictionary(peer => peer.PublicKey, peer => peer.PersistentKeepaliveInterval);
        return device with
        {
            Peers = device.Peers.Select(peer =>
            {
                if (peer.PersistentKeepaliveInterval != TimeSpan.Zero || wanted(peer.PublicKey) is not { } interval)
                {
                    return peer;
                }

                // A restarted silo finds it on, and has seen no handshake yet; switching it off would help nobody.
                var isOn = isSameKey && current.TryGetValue(peer.PublicKey, out var now) && now == interval;
                return isOn || isSettled(peer.PublicKey) ? peer with { PersistentKeepaliveInterval = interval } : peer;
            }).ToEquatableArray(),
        };
    }

    /// <summary>What is configured towards a node; if that is nothing, <see cref="ToSilent"/> while its silo is no active member.</summary>
    public static TimeSpan Configured(DeviceOptions options, string nodeName, bool hasSilo)
    {
        var configured = options.PersistentKeepaliveOf.TryGetValue(nodeName, out var own) ? own : options.PersistentKeepalive;
        return configured == TimeSpan.Zero && !hasSilo ? ToSilent : configured;
    }
}
