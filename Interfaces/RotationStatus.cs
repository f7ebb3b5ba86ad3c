namespace Orleans.WireGuard;

/// <summary>How a node's rotation goes.</summary>
[GenerateSerializer, Immutable, Alias("owg.RotationStatus")]
public sealed record RotationStatus
{
    /// <summary>The slot with the latest key; <see langword="null"/> before the first key.</summary>
    [Id(0)]
    public Slot? ActiveSlot { get; init; }

    /// <summary>How many nodes this one sends to through <see cref="ActiveSlot"/>, by a proven handshake.</summary>
    [Id(1)]
    public int CutOverPeers { get; init; }

    /// <summary>How many nodes this one sends to at all.</summary>
    [Id(2)]
    public int Peers { get; init; }

    /// <summary>
    /// From the latest new key until this node's traffic to every peer had moved to it; <see langword="null"/> until it has.
    /// </summary>
    [Id(3)]
    public TimeSpan? LastDuration { get; init; }

    /// <summary>The nodes that keep a key from being replaced or destroyed, with the reason; empty if none.</summary>
    [Id(4)]
    public EquatableArray<LaggingNode> Lagging { get; init; } = [];

    /// <summary>How often a key was kept for another epoch because of lagging nodes, since the silo started.</summary>
    [Id(5)]
    public long Deferrals { get; init; }

    /// <summary>How often a peer was removed and added again because no handshake came, since the silo started.</summary>
    [Id(6)]
    public long HandshakeRetries { get; init; }

    /// <summary>Until when an operator has this node keep its keys; <see langword="null"/> if it rotates.</summary>
    [Id(7)]
    public DateTimeOffset? FrozenUntil { get; init; }

    /// <summary>
    /// What the node adds to its clock for the rotation, because the mesh agrees on another time; zero while it trusts its own clock.
    /// </summary>
    [Id(8)]
    public TimeSpan ClockCorrection { get; init; }

    /// <summary>How far the clocks of other nodes are ahead of this one's, by node name.</summary>
    [Id(9)]
    public EquatableArray<ClockSkew> ClockSkews { get; init; } = [];

    // Number 10 was a sentence, and is not used again.

    /// <summary>Why the latest due key was not made, or at what cost it was; <see langword="null"/> if all went well.</summary>
    [Id(11)]
    public RotationProblem? Problem { get; init; }
}
