using System.Net;

namespace Orleans.WireGuard.Grains.Agent;

/// <summary>The outcome of a reconcile pass.</summary>
/// <param name="Devices">As read back, by slot.</param>
/// <param name="Problem">Why the devices are not what they should be; <see langword="null"/> if they are.</param>
/// <param name="CompletedPasses">Passes so far, failed ones included.</param>
internal sealed record AgentSnapshot(EquatableArray<DeviceStatus> Devices, NodeProblem? Problem, long CompletedPasses)
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

    /// <summary>The node's own addresses among those of pods, such as those of a bridge; as of the last look.</summary>
    public EquatableArray<IPAddress> NodeAddresses { get; init; } = [];

    /// <summary>
    /// Which packets of another data plane are led through the tunnels as it has packed them, as of the last look;
    /// <see langword="null"/> while nobody has looked.
    /// </summary>
    public EquatableArray<Encapsulation>? Encapsulations { get; init; } = [];

    /// <summary>Nodes whose silo answers and whose tunnel does not, for too long.</summary>
    public EquatableArray<SilentPeer> SilentPeers { get; init; } = [];

    /// <summary>
    /// Why the node is not ready: what keeps the devices from being what they should be, or else that they are and carry nothing.
    /// </summary>
    public NodeProblem? FindProblem() => Problem ?? SilentPeer.FindProblem(SilentPeers);

    /// <summary>The path to a node, or <see langword="null"/>.</summary>
    public PathStatus? FindPath(string nodeName) => Paths.FirstOrDefault(path => path.NodeName == nodeName);
}
