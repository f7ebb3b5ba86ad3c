using System.Net;

namespace Orleans.WireGuard;

/// <summary>Health of a peer, judged by the age of its latest handshake.</summary>
public enum PeerState
{
    /// <summary>No handshake yet, and it is too early to tell.</summary>
    Unknown,

    /// <summary>The latest handshake is recent enough for a session to be usable.</summary>
    Up,

    /// <summary>A peer in use would have renewed its session by now.</summary>
    Down,
}

/// <summary>A peer of a device as it was last read back.</summary>
/// <param name="NodeName">The node whose key it is; <see langword="null"/> if no announcement explains the peer.</param>
/// <param name="PublicKey">Its key.</param>
/// <param name="Endpoint">The UDP address that the device sends to; <see langword="null"/> if it has none.</param>
/// <param name="AllowedIPs">Prefixes routed to it, sorted.</param>
/// <param name="LastHandshakeTime"><see langword="null"/> before the first handshake.</param>
/// <param name="ReceiveBytes">Bytes received since the peer was added.</param>
/// <param name="TransmitBytes">Bytes sent since the peer was added.</param>
/// <param name="State">Health.</param>
[GenerateSerializer, Immutable, Alias("owg.PeerStatus")]
public sealed record PeerStatus(
    [property: Id(0)] string? NodeName,
    [property: Id(1)] PublicKey PublicKey,
    [property: Id(2)] IPEndPoint? Endpoint,
    [property: Id(3)] EquatableArray<IPPrefix> AllowedIPs,
    [property: Id(4)] DateTimeOffset? LastHandshakeTime,
    [property: Id(5)] long ReceiveBytes,
    [property: Id(6)] long TransmitBytes,
    [property: Id(7)] PeerState State);
