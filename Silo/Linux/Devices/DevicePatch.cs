using System.Net;
using Orleans.WireGuard.Keys;

namespace Orleans.WireGuard.Linux.Devices;

/// <summary>
/// A change to a device. <see langword="null"/> leaves a member as it is; an empty value clears it. There is deliberately no way to say
/// "replace all peers": that ends every session (ARCHITECTURE.md, invariant I5).
/// </summary>
/// <param name="KeyPair">The key to set. Borrowed: the client reads it during the call and keeps nothing.</param>
/// <param name="ListenPort">UDP port.</param>
/// <param name="Peers">Applied in this order, which no transport changes. An entry may name a peer that an earlier one named.</param>
public sealed record DevicePatch(
    KeyPair? KeyPair,
    ushort? ListenPort,
    EquatableArray<PeerPatch> Peers)
{
    /// <summary>Whether the device's key is cleared. Ends its sessions; then <see cref="KeyPair"/> is <see langword="null"/>.</summary>
    public bool ClearKey { get; init; }

    /// <summary>The patch that changes nothing.</summary>
    public static DevicePatch Empty { get; } = new(null, null, []);

    /// <summary>Mark of outgoing packets; 0 takes it away.</summary>
    public uint? FirewallMark { get; init; }

    /// <summary>Whether applying it would change nothing.</summary>
    public bool IsEmpty => KeyPair is null && !ClearKey && ListenPort is null && FirewallMark is null && Peers.Count == 0;
}

/// <summary>What happens to a peer.</summary>
public enum PeerChange
{
    /// <summary>The device does not have the peer; add it.</summary>
    Add,

    /// <summary>The device has the peer; change it. If it went away meanwhile, nothing happens (<c>WGPEER_F_UPDATE_ONLY</c>).</summary>
    Update,

    /// <summary>Remove it.</summary>
    Remove,

    /// <summary>
    /// Begin afresh: remove it and add it again as the entry says, at the entry's place in the list. It takes part in nothing of its former
    /// self: no session, handshake or counter, no prefix that the entry does not name.
    /// </summary>
    Reset,
}

/// <summary>A change to one peer. <see langword="null"/> leaves a member as it is.</summary>
/// <param name="PublicKey">Which peer.</param>
/// <param name="Change">What happens to it; a removal carries no other member.</param>
/// <param name="Endpoint">Where to send to.</param>
/// <param name="PersistentKeepaliveInterval">Whole seconds; <see cref="TimeSpan.Zero"/> switches it off.</param>
/// <param name="AllowedIPs">Prefixes to add; each moves here from whichever peer of this device has it.</param>
/// <param name="ReplaceAllowedIPs">Whether prefixes that are not in <paramref name="AllowedIPs"/> go away.</param>
public sealed record PeerPatch(
    PublicKey PublicKey,
    PeerChange Change,
    IPEndPoint? Endpoint = null,
    TimeSpan? PersistentKeepaliveInterval = null,
    EquatableArray<IPPrefix>? AllowedIPs = null,
    bool ReplaceAllowedIPs = false);
