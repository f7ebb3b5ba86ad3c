using System.Net;
using Orleans.WireGuard.Keys;

namespace Orleans.WireGuard.Linux.Devices;

/// <summary>What a device should be: the desired side. What it is, is a <see cref="Device"/>.</summary>
/// <param name="Name">Interface name.</param>
/// <param name="KeyPair">The key to use; <see langword="null"/> to leave whatever the device has.</param>
/// <param name="ListenPort">UDP port.</param>
/// <param name="Peers">By public key.</param>
public sealed record DesiredDevice(
    string Name,
    KeyPair? KeyPair,
    ushort ListenPort,
    EquatableArray<DesiredPeer> Peers)
{
    /// <summary>Whether the device shall have no key, because its slot is idle.</summary>
    public bool IsKeyless { get; init; }

    /// <summary>Peers that shall begin afresh: removed, and added again in the same write.</summary>
    public IReadOnlySet<PublicKey> Resets { get; init; } = new HashSet<PublicKey>();

    /// <summary>
    /// The same as far as a device that was written must have it: without endpoints, which WireGuard changes with any packet, and without
    /// what is done once.
    /// </summary>
    public DesiredDevice Settled() => this with
    {
        Peers = Peers.Select(peer => peer with { Endpoint = null }).ToEquatableArray(),
        Resets = new HashSet<PublicKey>(),
    };
}

/// <summary>A peer that a device should have.</summary>
/// <param name="PublicKey">What the device knows it by.</param>
/// <param name="Endpoints">Where it says that it can be reached, in order of preference.</param>
/// <param name="AllowedIPs">Sorted.</param>
/// <param name="PersistentKeepaliveInterval"><see cref="TimeSpan.Zero"/> if off.</param>
public sealed record DesiredPeer(
    PublicKey PublicKey,
    EquatableArray<IPEndPoint> Endpoints,
    EquatableArray<IPPrefix> AllowedIPs,
    TimeSpan PersistentKeepaliveInterval)
{
    /// <summary>
    /// Where the device shall send to; <see langword="null"/> leaves that as it is. Not one of <see cref="Endpoints"/> if the peer has been
    /// heard from elsewhere.
    /// </summary>
    public IPEndPoint? Endpoint { get; init; } = Endpoints.Count == 0 ? null : Endpoints[0];
}
