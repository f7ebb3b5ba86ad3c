using System.Globalization;
using System.Net;
using Orleans.WireGuard.Keys;

namespace Orleans.WireGuard.Grains;

/// <summary>The part of a silo that applies keys and peers to the local devices, as the grains see it.</summary>
internal interface IMeshAgent
{
    /// <summary>What the last pass read.</summary>
    AgentSnapshot Snapshot { get; }

    /// <summary>The UDP port of a slot's device.</summary>
    ushort GetListenPort(Slot slot);

    /// <summary>Notes that something changed. A pass follows soon; several notes share one.</summary>
    void RequestReconcile();

    /// <summary>Waits for a pass that begins after this call.</summary>
    /// <returns>Whether the devices now are what the store and the key ring say; if not, the snapshot has the reason.</returns>
    Task<bool> ReconcileAsync(CancellationToken cancellationToken);

    /// <summary>
    /// Reads the key pair that a slot's device uses, which a former silo of this node left on it. The caller disposes it.
    /// </summary>
    /// <returns><see langword="null"/> if there is no device, or it has no key, or the key was made by somebody else.</returns>
    /// <exception cref="InvalidOperationException">
    /// The device is somebody else's, or it is too early to tell, or it cannot be read. The message says which.
    /// </exception>
    Task<KeyPair?> ReadKeyPairAsync(Slot slot, CancellationToken cancellationToken);
}

/// <summary>The outcome of a reconcile pass.</summary>
/// <param name="Devices">As read back, by slot.</param>
/// <param name="Problem">Why the devices are not what they should be, in a sentence; <see langword="null"/> if they are.</param>
/// <param name="CompletedPasses">Passes so far, failed ones included.</param>
internal sealed record AgentSnapshot(EquatableArray<DeviceStatus> Devices, string? Problem, long CompletedPasses)
{
    /// <summary>What others changed, by kind.</summary>
    public EquatableArray<DriftCount> Drifts { get; init; } = [];

    /// <summary>Packets from other nodes' pods that came in clear and were dropped.</summary>
    public long DroppedPackets { get; init; }

    /// <summary>Packets from this node's pods to other nodes' that would have left in clear and were dropped.</summary>
    public long DroppedOutgoingPackets { get; init; }

    /// <summary>Through which slot this node sends to each other one, by node name.</summary>
    public EquatableArray<PathStatus> Paths { get; init; } = [];

    /// <summary>When data of a node last came in through a slot, as far as any did since the silo started.</summary>
    public EquatableArray<Reception> Receptions { get; init; } = [];

    /// <summary>
    /// When the traffic to a node last moved from one slot to the other, as far as any did since the silo started; by node name.
    /// </summary>
    public EquatableArray<PathMove> Moves { get; init; } = [];

    /// <summary>How often a peer was removed and added again because no handshake came.</summary>
    public long HandshakeRetries { get; init; }

    /// <summary>What this node found out about itself, the worst first.</summary>
    public EquatableArray<Finding> Findings { get; init; } = [];

    /// <summary>What was counted at the wire; <see langword="null"/> if nothing can be counted.</summary>
    public WitnessStatus? Witness { get; init; }

    /// <summary>Whether strict mode is configured and not in force.</summary>
    public bool IsStrictWithheld { get; init; }

    /// <summary>Nodes whose silo answers and whose tunnel does not, for too long.</summary>
    public EquatableArray<SilentPeer> SilentPeers { get; init; } = [];

    /// <summary>
    /// Why the node is not ready: what keeps the devices from being what they should be, or else that they are and carry nothing.
    /// </summary>
    public string? FindProblem() => Problem ?? SilentPeer.Describe(SilentPeers);

    /// <summary>The path to a node, or <see langword="null"/>.</summary>
    public PathStatus? FindPath(string nodeName) => Paths.FirstOrDefault(path => path.NodeName == nodeName);
}

/// <summary>Data that came in through a slot: packets of pods, not handshakes and keepalives.</summary>
/// <param name="NodeName">From which node.</param>
/// <param name="Slot">The slot.</param>
/// <param name="LastAt">When it was last seen.</param>
internal sealed record Reception(string NodeName, Slot Slot, SteadyTime LastAt);

/// <summary>
/// Traffic to a node that went through one slot until then, and goes through the other one since. A first path is no move.
/// </summary>
/// <param name="NodeName">To which node.</param>
/// <param name="From">The slot that it left.</param>
/// <param name="To">The slot that it moved to.</param>
/// <param name="At">When.</param>
internal sealed record PathMove(string NodeName, Slot From, Slot To, SteadyTime At);

/// <summary>A node whose silo answers, with which no slot has a handshake that counts.</summary>
/// <param name="NodeName">Which node.</param>
/// <param name="Since">Since when, for people.</param>
/// <param name="Endpoints">Where it was sent to in vain.</param>
internal sealed record SilentPeer(string NodeName, DateTimeOffset Since, EquatableArray<IPEndPoint> Endpoints)
{
    // With more of them it is this node that is cut off, and their names say nothing.
    private const int MaxNamed = 3;

    /// <summary>What people are told of them; <see langword="null"/> if there are none.</summary>
    public static string? Describe(EquatableArray<SilentPeer> peers)
    {
        if (peers.Count == 0)
        {
            return null;
        }

        var named = peers.Take(MaxNamed).Select(peer => string.Create(
            CultureInfo.InvariantCulture,
            $"{peer.NodeName} since {peer.Since.UtcDateTime:HH:mm:ss} UTC (tried {(peer.Endpoints.Count > 0 ? string.Join(", ", peer.Endpoints) : "no address")})"));
        var more = peers.Count > MaxNamed ? string.Create(CultureInfo.InvariantCulture, $" and {peers.Count - MaxNamed} more") : "";
        return $"no tunnel works to {string.Join("; ", named)}{more}, although the silos answer";
    }
}
