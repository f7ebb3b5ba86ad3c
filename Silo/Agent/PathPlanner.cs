using Orleans.WireGuard.Grains;
using Orleans.WireGuard.Grains.Rotation;
using Orleans.WireGuard.Linux.Devices;

namespace Orleans.WireGuard.Silo.Agent;

/// <summary>Where the traffic to every node goes, and what has to happen on the devices before it can go elsewhere.</summary>
/// <param name="Paths">By node name.</param>
/// <param name="Starts">Peers with which this side starts a handshake now, by slot and key.</param>
/// <param name="Resets">Peers to remove and add again, because a handshake was started and did not come.</param>
/// <param name="IsAwaiting">Whether a handshake is awaited, so that somebody should look again soon.</param>
internal sealed record PathPlan(
    IReadOnlyDictionary<string, PathStatus> Paths,
    IReadOnlySet<(Slot Slot, PublicKey Peer)> Starts,
    IReadOnlySet<(Slot Slot, PublicKey Peer)> Resets,
    bool IsAwaiting)
{
    /// <summary>The nodes with which a slot waits for a handshake, by name.</summary>
    public required IReadOnlySet<string> Awaited { get; init; }
}

/// <summary>The sources of a plan beside the announcements.</summary>
/// <param name="View">What is announced, and this node's keys.</param>
/// <param name="Devices">The devices as they are, by slot.</param>
/// <param name="Current">The slot that the routes to a node lead through, by node name.</param>
/// <param name="Own">This node's announcement as far as it is published; <see langword="null"/> before the first.</param>
/// <param name="Applied">The nodes whose devices hold <paramref name="Own"/>.</param>
/// <param name="Now">The clock.</param>
internal sealed record PathSources(
    MeshView View,
    IReadOnlyDictionary<Slot, Device> Devices,
    IReadOnlyDictionary<string, Slot> Current,
    PeerAnnouncement? Own,
    IReadOnlySet<string> Applied,
    SteadyTime Now);

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

    /// <summary>Plans, and takes note of the handshakes that are started by it.</summary>
    public PathPlan Plan(PathSources sources)
    {
        var starts = new HashSet<(Slot, PublicKey)>();
        var resets = new HashSet<(Slot, PublicKey)>();
        var wanted = new HashSet<HandshakePair>();
        var plan = Look(sources, (other, candidate) =>
        {
            var pair = Pair(sources.View, other, candidate.Slot);
            _ = wanted.Add(pair);
            _attempts.NoteWanted(pair, sources.Now);
            var (isStarter, isReset) = Start(sources, other, candidate, pair);
            _ = isStarter && starts.Add((pair.Slot, pair.Peer));
            _ = isReset && resets.Add((pair.Slot, pair.Peer));
        });
        _attempts.ForgetUnwanted(wanted);
        return plan with { Starts = starts, Resets = resets };
    }

    /// <summary>The same without starting anything: the paths as they are proven now.</summary>
    public PathPlan Look(PathSources sources) => Look(sources, static (_, _) => { });

    private PathPlan Look(PathSources sources, Action<PeerAnnouncement, PathCandidate> onWanted)
    {
        var paths = new Dictionary<string, PathStatus>(StringComparer.Ordinal);
        var awaited = new HashSet<string>(StringComparer.Ordinal);
        var isAwaiting = false;
        foreach (var other in sources.View.Others)
        {
            var current = sources.Current.TryGetValue(other.NodeName, out var slot) ? slot : (Slot?)null;
            var candidates = Candidates(sources, other);
            if ((PathChooser.Choose(candidates, current) ?? current) is { } chosen && other.Find(chosen) is { } announced)
            {
                var isProven = candidates.Any(candidate => candidate.Slot == chosen && candidate.IsProven);
                paths[other.NodeName] = new PathStatus(other.NodeName, chosen, announced.PublicKey, isProven);
            }

            foreach (var candidate in candidates.Where(candidate => PathChooser.IsWanted(candidate, candidates, current)))
            {
                _ = awaited.Add(other.NodeName);
                isAwaiting |= sources.Applied.Contains(other.NodeName);
                onWanted(other, candidate);
            }
        }

        return new PathPlan(paths, new HashSet<(Slot, PublicKey)>(), new HashSet<(Slot, PublicKey)>(), isAwaiting) { Awaited = awaited };
    }

    /// <summary>Forgets attempts with keys that are not used any more.</summary>
    public void Forget(MeshView view) => _attempts.ForgetExcept(
        view.Keys.Select(key => key.KeyPair.PublicKey).ToHashSet(),
        view.Others.SelectMany(other => other.Slots).Select(slot => slot.PublicKey).ToHashSet());

    private List<PathCandidate> Candidates(PathSources sources, PeerAnnouncement other)
    {
        var candidates = new List<PathCandidate>();
        foreach (var key in sources.View.Keys)
        {
            if (other.Find(key.Slot) is { } announced && sources.Devices.TryGetValue(key.Slot, out var device))
            {
                var peer = device.PublicKey == key.KeyPair.PublicKey
                    ? device.Peers.FirstOrDefault(peer => peer.PublicKey == announced.PublicKey)
                    : null;
                var isProven = peer is not null && Clock.IsProven(key.Slot, peer);
                if (isProven)
                {
                    _attempts.NoteProven(new HandshakePair(key.Slot, key.KeyPair.PublicKey, announced.PublicKey));
                }

                var isFresh = isProven && Clock.HandshakeAge(key.Slot, announced.PublicKey, sources.Now) < FreshFor;
                candidates.Add(new PathCandidate(key.Slot, SlotLevel.Of(key.ServesEpoch, announced.ServesEpoch), isProven, isFresh));
            }
        }

        return candidates;
    }

    // Whether this side is the one that starts, and whether an earlier start has to be given up for a new one.
    private (bool IsStarter, bool IsDue) Start(PathSources sources, PeerAnnouncement other, PathCandidate candidate, HandshakePair pair)
    {
        var key = sources.View.Keys.First(key => key.Slot == candidate.Slot);

        // An acknowledgement counts for what was announced, not for a key that was made, or kept for another epoch, a moment ago: with the
        // next announcement the other side may be the one that starts.
        var own = sources.Own?.Find(candidate.Slot) is { } published
            && published.PublicKey == pair.Local && published.ServesEpoch == key.ServesEpoch
            ? sources.Own
            : null;
        var hasPeerApplied = sources.Applied.Contains(other.NodeName);
        if (HandshakeStarter.ShouldStart(candidate.Slot, own, other, hasPeerApplied))
        {
            return (true, _attempts.Start(pair, Session(sources, candidate, pair), sources.Now));
        }

        // Taking the peer away would end the handshake that the starter is about to complete; without that, WireGuard goes on trying by
        // itself.
        var hasLostSession = !candidate.IsProven && _attempts.IsStarterLate(pair, Clock.Since(pair.Slot, pair.Peer), sources.Now);
        return (own is not null && hasPeerApplied && hasLostSession, false);
    }

    private HandshakeSession Session(PathSources sources, PathCandidate candidate, HandshakePair pair) =>
        !candidate.IsProven ? HandshakeSession.None
        : Clock.HandshakeAge(candidate.Slot, pair.Peer, sources.Now) >= OverAfter ? HandshakeSession.Over
        : HandshakeSession.Live;

    private static HandshakePair Pair(MeshView view, PeerAnnouncement other, Slot slot) =>
        new(slot, view.Keys.First(key => key.Slot == slot).KeyPair.PublicKey, other.Find(slot)!.PublicKey);
}
