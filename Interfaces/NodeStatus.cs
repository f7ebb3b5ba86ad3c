namespace Orleans.WireGuard;

/// <summary>A node as its own silo sees it.</summary>
[GenerateSerializer, Immutable, Alias("owg.NodeStatus")]
public sealed record NodeStatus
{
    /// <summary>The node.</summary>
    [Id(0)]
    public required string NodeName { get; init; }

    /// <summary>The silo's clock when it answered.</summary>
    [Id(1)]
    public required DateTimeOffset TakenAt { get; init; }

    /// <summary>The epoch by that clock.</summary>
    [Id(2)]
    public required Epoch Epoch { get; init; }

    /// <summary>Length of an epoch.</summary>
    [Id(3)]
    public required TimeSpan RotationPeriod { get; init; }

    /// <summary>When the next rotation is due.</summary>
    [Id(4)]
    public required DateTimeOffset NextRotationAt { get; init; }

    /// <summary>Rotations since the silo started, the first key not counted.</summary>
    [Id(5)]
    public required long Rotations { get; init; }

    /// <summary>The key of each slot in use, by slot.</summary>
    [Id(6)]
    public required EquatableArray<SlotStatus> Slots { get; init; }

    /// <summary>The node's devices as last read back, by slot; empty before the first reconcile.</summary>
    [Id(7)]
    public required EquatableArray<DeviceStatus> Devices { get; init; }

    /// <summary>Who holds the node's current announcement.</summary>
    [Id(8)]
    public required DeliveryStatus Delivery { get; init; }

    /// <summary>Announcements of other nodes that this node refused since its silo started, by reason.</summary>
    [Id(9)]
    public required EquatableArray<RefusalCount> Refusals { get; init; }

    // Number 10 was a sentence, and is not used again.

    /// <summary>Why this node is not ready; empty if it is.</summary>
    [Id(23)]
    public required EquatableArray<NodeProblem> Problems { get; init; }

    /// <summary>
    /// What others changed on this node's device, links, routes and rules since its silo started, by kind. All of it was repaired.
    /// </summary>
    [Id(11)]
    public EquatableArray<DriftCount> Drifts { get; init; } = [];

    /// <summary>
    /// Packets that came in clear from pods of other nodes and were dropped, since the node's nftables table was made; as of the last
    /// resync. Zero in permissive mode.
    /// </summary>
    [Id(12)]
    public long DroppedPackets { get; init; }

    /// <summary>Through which slot this node sends to each other node, by node name.</summary>
    [Id(13)]
    public EquatableArray<PathStatus> Paths { get; init; } = [];

    /// <summary>
    /// Packets of this node's pods for pods of other nodes that would have left by another device than ours and were dropped, since the
    /// node's nftables table was made; as of the last resync. Zero in permissive mode.
    /// </summary>
    [Id(15)]
    public long DroppedOutgoingPackets { get; init; }

    /// <summary>
    /// What this node found out about itself that keeps pod traffic from being encrypted, or that strict mode would cut; the worst first.
    /// </summary>
    [Id(20)]
    public EquatableArray<Finding> Findings { get; init; } = [];

    /// <summary>What was counted at the wire; <see langword="null"/> if nothing can be counted.</summary>
    [Id(21)]
    public WitnessStatus? Witness { get; init; }

    /// <summary>Whether strict mode is configured and not in force, because a finding says that it would cut healthy pods.</summary>
    [Id(22)]
    public bool IsStrictWithheld { get; init; }

    /// <summary>How the rotation goes.</summary>
    [Id(14)]
    public RotationStatus Rotation { get; init; } = new();

    /// <summary>
    /// The silo's version, with the commit that it was built from; <see langword="null"/> if it is too old to say, as in the next two.
    /// </summary>
    [Id(24)]
    public string? Version { get; init; }

    /// <summary>The versions of the protocol that it speaks.</summary>
    [Id(25)]
    public ProtocolRange? Protocol { get; init; }

    /// <summary>The one that it speaks with the others now: the highest that all of them know.</summary>
    [Id(26)]
    public int? EffectiveProtocol { get; init; }

    /// <summary>
    /// What it has for its pods, where that comes from, and who knows it; <see langword="null"/> if its silo is too old to say.
    /// </summary>
    [Id(27)]
    public AddressStatus? Addresses { get; init; }
}
