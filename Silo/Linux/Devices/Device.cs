using System.Net;

namespace Orleans.WireGuard.Linux.Devices;

/// <summary>A WireGuard device as it was read: the observed side. What it should be is a <see cref="DesiredDevice"/>.</summary>
/// <remarks>
/// Holds the public half of the device's key only. The private half is read on its own (<see cref="IWireGuardClient.GetKeyPairAsync"/>), so
/// that an ordinary read never leaves a secret in memory.
/// </remarks>
/// <param name="Name">Interface name.</param>
/// <param name="PublicKey">Public half of its key; <see langword="null"/> if it has none.</param>
/// <param name="ListenPort">UDP port; 0 if it is not bound.</param>
/// <param name="FirewallMark">Mark of its outgoing packets; 0 if none.</param>
/// <param name="Peers">By public key.</param>
public sealed record Device(
    string Name,
    PublicKey? PublicKey,
    ushort ListenPort,
    uint FirewallMark,
    EquatableArray<DevicePeer> Peers);

/// <summary>A peer of a <see cref="Device"/> as it was read.</summary>
/// <param name="PublicKey">What the device knows it by.</param>
/// <param name="Endpoint">Where the device sends to; <see langword="null"/> if unknown.</param>
/// <param name="AllowedIPs">Sorted.</param>
/// <param name="PersistentKeepaliveInterval"><see cref="TimeSpan.Zero"/> if off.</param>
/// <param name="LastHandshakeTime"><see langword="null"/> before the first handshake.</param>
/// <param name="ReceiveBytes">Since the peer was added.</param>
/// <param name="TransmitBytes">Since the peer was added.</param>
public sealed record DevicePeer(
    PublicKey PublicKey,
    IPEndPoint? Endpoint,
    EquatableArray<IPPrefix> AllowedIPs,
    TimeSpan PersistentKeepaliveInterval,
    DateTimeOffset? LastHandshakeTime,
    long ReceiveBytes,
    long TransmitBytes);
