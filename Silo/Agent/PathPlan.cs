using System.Collections.Frozen;
using Orleans.WireGuard.Grains.Rotation;

namespace Orleans.WireGuard.Silo.Agent;

/// <summary>Where the traffic to every node goes, and what has to happen on the devices before it can go elsewhere.</summary>
/// <param name="Paths">By node name.</param>
/// <param name="Wanted">The handshakes that are waited for.</param>
/// <param name="IsAwaiting">
/// Whether one of them is to be expected, since the other node has acknowledged our key, so that somebody should look again soon.
/// </param>
internal sealed record PathPlan(
    IReadOnlyDictionary<string, PathStatus> Paths, IReadOnlyList<WantedHandshake> Wanted, bool IsAwaiting)
{
    /// <summary>The device that carries the traffic to each node, by node name.</summary>
    /// <param name="names">Of the devices.</param>
    public IReadOnlyDictionary<string, string> FindDevices(DeviceNames names) =>
        Paths.ToDictionary(path => path.Key, path => names.Of(path.Value.Slot), StringComparer.Ordinal);

    /// <summary>The nodes to which the traffic goes by two keys that have shaken hands.</summary>
    public IReadOnlySet<string> Proven =>
        Paths.Values.Where(path => path.IsProven).Select(path => path.NodeName).ToHashSet(StringComparer.Ordinal);

    /// <summary>Peers with which this side starts a handshake now, by slot and key.</summary>
    public IReadOnlySet<(Slot Slot, PublicKey Peer)> Starts { get; init; } = FrozenSet<(Slot Slot, PublicKey Peer)>.Empty;

    /// <summary>Peers to remove and add again, because a handshake was started and did not come.</summary>
    public IReadOnlySet<(Slot Slot, PublicKey Peer)> Resets { get; init; } = FrozenSet<(Slot Slot, PublicKey Peer)>.Empty;
}

/// <summary>A handshake that a slot needs with a node before traffic can move there.</summary>
/// <param name="Pair">The two keys.</param>
/// <param name="Other">The node.</param>
/// <param name="Candidate">The slot, and what it has of a session.</param>
internal sealed record WantedHandshake(HandshakePair Pair, PeerAnnouncement Other, PathCandidate Candidate);
