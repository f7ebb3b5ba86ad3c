using Orleans.WireGuard.Grains.Clocks;

namespace Orleans.WireGuard.Silo.Agent;

/// <summary>
/// The state of the handshakes that this node waits for, which no device shows: since when one has been wanted, which pairs had a session,
/// and which were started when. Does nothing itself; time is an argument. Not thread-safe.
/// </summary>
internal sealed class HandshakeAttempts
{
    /// <summary>
    /// After this time without a handshake the peer is removed and added again; twice as long each time, up to <see cref="MaxRetryAfter"/>.
    /// </summary>
    /// <remarks>A second more than WireGuard's own retry (REKEY_TIMEOUT, 5 s), which a reset takes the place of.</remarks>
    public static readonly TimeSpan RetryAfter = TimeSpan.FromSeconds(6);

    /// <summary>The longest time between two such attempts.</summary>
    public static readonly TimeSpan MaxRetryAfter = TimeSpan.FromMinutes(1);

    /// <summary>
    /// After this time the side that does not start takes it that the other one still has the session that was lost here.
    /// </summary>
    /// <remarks>If both have lost it, the starter's handshake is complete long before.</remarks>
    public static readonly TimeSpan StarterPatience = TimeSpan.FromSeconds(1);

    private readonly Dictionary<HandshakePair, Attempt> _attempts = [];
    private readonly HashSet<HandshakePair> _proven = [];
    private readonly Dictionary<HandshakePair, SteadyTime> _wantedSince = [];

    /// <summary>How often a started handshake was given up for a new one.</summary>
    public long Retries { get; private set; }

    /// <summary>Notes that our device has shown a session of a pair.</summary>
    public void NoteProven(HandshakePair pair) => _proven.Add(pair);

    /// <summary>Notes that a pair has to shake hands; since when, if that is new.</summary>
    public void NoteWanted(HandshakePair pair, SteadyTime now) => _wantedSince.TryAdd(pair, now);

    /// <summary>Forgets since when other handshakes than these have been wanted.</summary>
    public void ForgetUnwanted(IReadOnlySet<HandshakePair> wanted)
    {
        foreach (var pair in _wantedSince.Keys.Where(pair => !wanted.Contains(pair)).ToList())
        {
            _wantedSince.Remove(pair);
        }
    }

    /// <summary>Forgets pairs with keys that are not used any more.</summary>
    /// <param name="local">Our keys.</param>
    /// <param name="peers">Those of all peers.</param>
    public void ForgetExcept(IReadOnlySet<PublicKey> local, IReadOnlySet<PublicKey> peers)
    {
        foreach (var pair in _attempts.Keys.Where(IsGone).ToList())
        {
            _attempts.Remove(pair);
        }

        _proven.RemoveWhere(IsGone);
        bool IsGone(HandshakePair pair) => !local.Contains(pair.Local) || !peers.Contains(pair.Peer);
    }

    /// <summary>The side that starts does so, now as before.</summary>
    /// <param name="pair">The two keys between which there is no session yet, or none that lasts.</param>
    /// <param name="session">What there is of a session.</param>
    /// <param name="now">From which the next attempt is counted.</param>
    /// <returns>Whether the peer has to be removed and added again for it.</returns>
    public bool Start(HandshakePair pair, HandshakeSession session, SteadyTime now)
    {
        if (!_attempts.TryGetValue(pair, out var attempt))
        {
            _attempts[pair] = new Attempt(now, RetryAfter);
            return session == HandshakeSession.Over;
        }

        if (now - attempt.At < attempt.Patience || session == HandshakeSession.Live)
        {
            return false;
        }

        Retries++;
        var longer = attempt.Patience * 2;
        _attempts[pair] = new Attempt(now, longer < MaxRetryAfter ? longer : MaxRetryAfter);
        return true;
    }

    /// <summary>Whether the side that starts has not done so for so long that the other one has to.</summary>
    /// <param name="pair">A pair without a session on our device, whose handshake is wanted (<see cref="NoteWanted"/>).</param>
    /// <param name="pairedSince">Since when our device has had the pair; <see langword="null"/> if it does not.</param>
    /// <param name="now">The time.</param>
    /// <remarks>
    /// Somebody removed the peer from our device and the silo has put it back, or made the device again: the other side still has its
    /// session and sees no reason to start. Without having seen that session, as after a restart, waiting for longer tells the same. A pair
    /// that had no use for the slot until now waits from now on, or both sides would start at once.
    /// </remarks>
    public bool IsStarterLate(HandshakePair pair, SteadyTime? pairedSince, SteadyTime now)
    {
        var patience = _proven.Contains(pair) ? StarterPatience : PersistentKeepalive.Patience;
        return now - pairedSince >= patience && now - _wantedSince[pair] >= patience;
    }

    private sealed record Attempt(SteadyTime At, TimeSpan Patience);
}
