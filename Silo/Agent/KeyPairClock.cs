using Orleans.WireGuard.Grains.Clocks;
using Orleans.WireGuard.Linux.Devices;

namespace Orleans.WireGuard.Silo.Agent;

/// <summary>Remembers since when our device has had a pair of keys, and tells whether a handshake it shows proves that pair.</summary>
/// <remarks>
/// A device would keep a peer's latest handshake when its own key changes. Therefore every peer begins afresh with a new key
/// (<see cref="DevicePatchBuilder"/>), and a handshake that is shown belongs to the keys that are there: also after a restart of the silo,
/// and whatever the clock did meanwhile.
/// </remarks>
internal sealed class KeyPairClock
{
    private readonly Dictionary<(Slot Slot, PublicKey Peer), KnownPair> _since = [];

    /// <summary>Notes what a device holds now; forgets what it no longer holds.</summary>
    /// <param name="slot">The slot that the device serves.</param>
    /// <param name="device">As read.</param>
    /// <param name="since">A moment just before it was given what is new on it.</param>
    /// <param name="clock">What the clock says, by which a device tells the time of a handshake.</param>
    public void Observe(Slot slot, Device device, SteadyTime since, DateTimeOffset clock)
    {
        var peers = device.PublicKey is null ? [] : device.Peers.Select(peer => peer.PublicKey).ToHashSet();
        foreach (var gone in _since.Keys.Where(key => key.Slot == slot && !peers.Contains(key.Peer)).ToList())
        {
            _since.Remove(gone);
        }

        if (device.PublicKey is not { } local)
        {
            return;
        }

        foreach (var peer in device.Peers)
        {
            var handshake = peer.LastHandshakeTime;
            if (!_since.TryGetValue((slot, peer.PublicKey), out var known) || known.Local != local)
            {
                // One that was there before this process is as old as it says; what comes later is as old as our sight of it.
                _since[(slot, peer.PublicKey)] = new KnownPair(
                    local, since, handshake, handshake < clock ? since - (clock - handshake) : since);
            }
            else if (known.Handshake != handshake)
            {
                _since[(slot, peer.PublicKey)] = known with { Handshake = handshake, SeenAt = since };
            }
        }
    }

    /// <summary>Whether the device has completed a handshake between its present key and this peer's.</summary>
    public bool IsProven(Slot slot, DevicePeer peer) =>
        peer.LastHandshakeTime is not null && _since.ContainsKey((slot, peer.PublicKey));

    /// <summary>How long ago the latest handshake with a peer was first seen; <see langword="null"/> if there is none.</summary>
    /// <remarks>
    /// Not how old the device says it is: a clock that is set, or differs from the device's, must not make a session look expired.
    /// </remarks>
    public TimeSpan? HandshakeAge(Slot slot, PublicKey peer, SteadyTime now) =>
        _since.TryGetValue((slot, peer), out var known) && known.Handshake is not null ? now - known.SeenAt : null;

    /// <summary>Since when the device has had this pair of keys; <see langword="null"/> if it does not.</summary>
    public SteadyTime? Since(Slot slot, PublicKey peer) => _since.TryGetValue((slot, peer), out var known) ? known.Since : null;

    /// <summary>What is known of a pair of keys.</summary>
    private sealed record KnownPair(PublicKey Local, SteadyTime Since, DateTimeOffset? Handshake, SteadyTime? SeenAt);
}
