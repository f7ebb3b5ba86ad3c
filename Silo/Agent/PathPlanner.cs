using Orleans.WireGuard.Grains.Rotation;

namespace Orleans.WireGuard.Silo.Agent;

/// <summary>
/// Plans the path to each peer: which slot carries the traffic, on which slots the pair has to shake hands, and which side starts. Does
/// nothing itself; what no device shows it has others remember: since when it has had a pair of keys (<see cref="KeyPairClock"/>), and
/// which handshakes were started when (<see cref="HandshakeAttempts"/>).
/// </summary>
/// <remarks>Not thread-safe: the agent runs one pass at a time.</remarks>
internal sealed class PathPlanner
{
    /// <summary>A session younger than this works for a while yet: REKEY_AFTER_TIME, whitepaper section 6.1.</summary>
    public static readonly TimeSpan FreshFor = TimeSpan.FromSeconds(120);

    /// <summary>A session older than this is over at both ends: REJECT_AFTER_TIME, whitepaper section 6.1.</summary>
    public static readonly TimeSpan OverAfter = TimeSpan.FromSeconds(180);

    private readonly HandshakeAttempts _attempts = new();

    /// <summary>Since when each device has had its peers.</summary>
    public KeyPairClock Clock { get; } = new();

    /// <summary>How often a peer was reset.</summary>
    public long Retries => _attempts.Retries;

    /// <summary>Forgets attempts with keys that are not used any more.</summary>
    public void Forget(MeshView view) => _attempts.ForgetExcept(
        view.Keys.Select(key => key.KeyPair.PublicKey).ToHashSet(),
        view.Others.SelectMany(other => other.Slots).Select(slot => slot.PublicKey).ToHashSet());

    /// <summary>Takes note of the sessions that the devices show: one that is missing later was lost, and is not only late.</summary>
    public void Note(PassObservation observed)
    {
        foreach (var other in observed.View.Others)
        {
            foreach (var key in observed.View.Keys)
            {
                if (other.Find(key.Slot) is { } announced && IsProven(observed, key, announced.PublicKey))
                {
                    _attempts.NoteProven(new HandshakePair(key.Slot, key.KeyPair.PublicKey, announced.PublicKey));
                }
            }
        }
    }

    /// <summary>The paths as they are proven now, and the handshakes that are missing. Only reads, and starts none.</summary>
    public PathPlan Look(PassObservation observed)
    {
        var paths = new Dictionary<string, PathStatus>(StringComparer.Ordinal);
        var wanted = new List<WantedHandshake>();
        foreach (var other in observed.View.Others)
        {
            var current = observed.Current.TryGetValue(other.NodeName, out var slot) ? slot : (Slot?)null;
            var candidates = Candidates(observed, other);
            if ((PathChooser.Choose(candidates, current) ?? current) is { } chosen && other.Find(chosen) is { } announced)
            {
                var isProven = candidates.Any(candidate => candidate.Slot == chosen && candidate.IsProven);
                paths[other.NodeName] = new PathStatus(other.NodeName, chosen, announced.PublicKey, isProven);
            }

            wanted.AddRange(candidates.Where(candidate => PathChooser.IsWanted(candidate, candidates, current))
                .Select(candidate => new WantedHandshake(Pair(observed.View, other, candidate.Slot), other, candidate)));
        }

        return new PathPlan(paths, wanted, wanted.Any(handshake => observed.Applied.Contains(handshake.Other.NodeName)));
    }

    /// <summary>Looks, decides which of the missing handshakes this side starts now, and takes note of those.</summary>
    public PathPlan Plan(PassObservation observed)
    {
        var starts = new HashSet<(Slot, PublicKey)>();
        var resets = new HashSet<(Slot, PublicKey)>();
        var plan = Look(observed);
        foreach (var handshake in plan.Wanted)
        {
            var pair = handshake.Pair;
            _attempts.NoteWanted(pair, observed.Now);
            var (isStarter, isReset) = Start(observed, handshake);
            _ = isStarter && starts.Add((pair.Slot, pair.Peer));
            _ = isReset && resets.Add((pair.Slot, pair.Peer));
        }

        _attempts.ForgetUnwanted(plan.Wanted.Select(handshake => handshake.Pair).ToHashSet());
        return plan with { Starts = starts, Resets = resets };
    }

    private List<PathCandidate> Candidates(PassObservation observed, PeerAnnouncement other)
    {
        var candidates = new List<PathCandidate>();
        foreach (var key in observed.View.Keys)
        {
            if (other.Find(key.Slot) is { } announced && observed.Devices.ContainsKey(key.Slot))
            {
                var isProven = IsProven(observed, key, announced.PublicKey);
                var isFresh = isProven && Clock.HandshakeAge(key.Slot, announced.PublicKey, observed.Now) < FreshFor;
                candidates.Add(new PathCandidate(key.Slot, SlotLevel.Of(key.ServesEpoch, announced.ServesEpoch), isProven, isFresh));
            }
        }

        return candidates;
    }

    private bool IsProven(PassObservation observed, SlotKey key, PublicKey peer) =>
        observed.FindPeer(key, peer) is { } found && Clock.IsProven(key.Slot, found);

    // Whether this side is the one that starts, and whether an earlier start has to be given up for a new one.
    private (bool IsStarter, bool IsDue) Start(PassObservation observed, WantedHandshake handshake)
    {
        var (pair, other, candidate) = handshake;
        var key = observed.View.Keys.First(key => key.Slot == candidate.Slot);

        // An acknowledgement counts for what was announced, not for a key that was made, or kept for another epoch, a moment ago: with the
        // next announcement the other side may be the one that starts.
        var own = observed.Own?.Find(candidate.Slot) is { } published
            && published.PublicKey == pair.Local && published.ServesEpoch == key.ServesEpoch
            ? observed.Own
            : null;
        var hasPeerApplied = observed.Applied.Contains(other.NodeName);
        if (HandshakeStarter.ShouldStart(candidate.Slot, own, other, hasPeerApplied))
        {
            return (true, _attempts.Start(pair, Session(observed, candidate, pair), observed.Now));
        }

        // Taking the peer away would end the handshake that the starter is about to complete; without that, WireGuard goes on trying by
        // itself.
        var hasLostSession = !candidate.IsProven && _attempts.IsStarterLate(pair, Clock.Since(pair.Slot, pair.Peer), observed.Now);
        return (own is not null && hasPeerApplied && hasLostSession, false);
    }

    private HandshakeSession Session(PassObservation observed, PathCandidate candidate, HandshakePair pair) =>
        !candidate.IsProven ? HandshakeSession.None
        : Clock.HandshakeAge(candidate.Slot, pair.Peer, observed.Now) >= OverAfter ? HandshakeSession.Over
        : HandshakeSession.Live;

    private static HandshakePair Pair(MeshView view, PeerAnnouncement other, Slot slot) =>
        new(slot, view.Keys.First(key => key.Slot == slot).KeyPair.PublicKey, other.Find(slot)!.PublicKey);
}
