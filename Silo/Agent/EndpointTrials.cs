using System.Net;
using Orleans.WireGuard.Grains.Clocks;
using Orleans.WireGuard.Linux.Devices;

namespace Orleans.WireGuard.Silo.Agent;

/// <summary>
/// Tells from a device's counters which peers answer: something was sent, and nothing came back for longer than WireGuard lets a peer be
/// silent. Does nothing itself; time is an argument. Not thread-safe.
/// </summary>
internal sealed class EndpointTrials
{
    /// <summary>After this time an initiation is without an answer: a second more than WireGuard's retry (REKEY_TIMEOUT, 5 s).</summary>
    public static readonly TimeSpan InitiationPatience = HandshakeAttempts.RetryAfter;

    /// <summary>
    /// The same for data in a session. Whoever gets some answers within 10 s (KEEPALIVE_TIMEOUT), and who is not answered for 5 s more
    /// starts a handshake (whitepaper, section 6.5).
    /// </summary>
    public static readonly TimeSpan DataPatience = TimeSpan.FromSeconds(10 + 5) + InitiationPatience;

    // A message without data. Whoever was sent something and has nothing to say sends one, and nobody answers it.
    private const long KeepaliveBytes = 32;

    private readonly Dictionary<(Slot Slot, PublicKey Peer), Trial> _trials = [];

    /// <summary>Notes what a device shows.</summary>
    /// <param name="slot">The slot that the device serves.</param>
    /// <param name="device">As read.</param>
    /// <param name="now">The time.</param>
    public void Observe(Slot slot, Device device, SteadyTime now)
    {
        var peers = device.Peers.Select(peer => peer.PublicKey).ToHashSet();
        foreach (var gone in _trials.Keys.Where(key => key.Slot == slot && !peers.Contains(key.Peer)).ToList())
        {
            _trials.Remove(gone);
        }

        foreach (var peer in device.Peers)
        {
            var key = (slot, peer.PublicKey);
            var seen = new Trial(
                peer.Endpoint, peer.ReceiveBytes, peer.TransmitBytes, null, null, peer.Endpoint is null ? [] : [peer.Endpoint]);

            // A peer that began afresh counts from nothing, and that is no answer.
            if (_trials.TryGetValue(key, out var last) && peer.ReceiveBytes <= last.ReceiveBytes)
            {
                SteadyTime? sent = peer.TransmitBytes > last.TransmitBytes
                    && peer.TransmitBytes - last.TransmitBytes != KeepaliveBytes ? now : null;
                seen = seen with
                {
                    AskedAt = last.AskedAt ?? sent,
                    TriedAt = Equals(peer.Endpoint, last.Endpoint) ? last.TriedAt ?? sent : null,
                    Tried = seen.Tried.All(last.Tried.Contains) ? last.Tried : [.. last.Tried, .. seen.Tried],
                };
            }

            _trials[key] = seen;
        }
    }

    /// <summary>Whether what was sent to a peer's present endpoint stayed without an answer.</summary>
    /// <param name="slot">Whose device has the peer.</param>
    /// <param name="peer">By the key that it has there.</param>
    /// <param name="hasSession">Whether there is a session in which data could be sent.</param>
    /// <param name="now">Against which ages are measured.</param>
    public bool IsEndpointUnanswered(Slot slot, PublicKey peer, bool hasSession, SteadyTime now) =>
        _trials.TryGetValue((slot, peer), out var trial) && now - trial.TriedAt >= Patience(hasSession);

    /// <summary>
    /// Whether a peer answers nowhere: what was sent since it was last heard, to whatever endpoint, stayed without an answer.
    /// </summary>
    /// <inheritdoc cref="IsEndpointUnanswered"/>
    public bool IsPeerUnanswered(Slot slot, PublicKey peer, bool hasSession, SteadyTime now) =>
        _trials.TryGetValue((slot, peer), out var trial) && now - trial.AskedAt >= Patience(hasSession);

    /// <summary>Since when a peer has been asked in vain; <see langword="null"/> if it has not.</summary>
    public SteadyTime? AskedSince(Slot slot, PublicKey peer) => _trials.TryGetValue((slot, peer), out var trial) ? trial.AskedAt : null;

    /// <summary>Where a peer was sent to since it was last heard.</summary>
    public EquatableArray<IPEndPoint> Tried(Slot slot, PublicKey peer) =>
        _trials.TryGetValue((slot, peer), out var trial) ? trial.Tried : [];

    private static TimeSpan Patience(bool hasSession) => hasSession ? DataPatience : InitiationPatience;

    /// <summary>What a device last showed of a peer, and since when it has been asked in vain.</summary>
    private sealed record Trial(
        IPEndPoint? Endpoint, long ReceiveBytes, long TransmitBytes,
        SteadyTime? AskedAt, SteadyTime? TriedAt, EquatableArray<IPEndPoint> Tried);
}
