namespace Orleans.WireGuard;

/// <summary>All nodes of a mesh at one moment, and whether they agree on each other's keys.</summary>
/// <param name="TakenAt">When the questions were asked.</param>
/// <param name="Nodes">By node name.</param>
/// <param name="Agreements">
/// One entry for each ordered pair of nodes and slot in which both have a key; a slot that is idle on one side has none.
/// </param>
/// <remarks>The nodes answer within a second, not at one instant: a rotation in between shows as a passing disagreement.</remarks>
[GenerateSerializer, Immutable, Alias("owg.MeshSnapshot")]
public sealed record MeshSnapshot(
    [property: Id(0)] DateTimeOffset TakenAt,
    [property: Id(1)] EquatableArray<MeshNode> Nodes,
    [property: Id(2)] EquatableArray<KeyAgreement> Agreements);

/// <summary>A node in a <see cref="MeshSnapshot"/>.</summary>
/// <param name="NodeName">The node.</param>
/// <param name="Status">Its own answer; <see langword="null"/> if it gave none.</param>
/// <param name="Problems">Why it gave none, and what it complains about; empty if all is well.</param>
/// <remarks>Numbers 2 and 3 were sentences, and are not used again.</remarks>
[GenerateSerializer, Immutable, Alias("owg.MeshNode")]
public sealed record MeshNode(
    [property: Id(0)] string NodeName,
    [property: Id(1)] NodeStatus? Status,
    [property: Id(4)] EquatableArray<NodeProblem> Problems)
{
    /// <summary>What should be put right although it costs this node nothing; empty if nothing should.</summary>
    [Id(5)]
    public EquatableArray<NodeProblem> Notes { get; init; } = [];
}

/// <summary>Whether a holder's device has the key that a node's device really uses.</summary>
public enum AgreementState
{
    /// <summary>One of the two did not answer.</summary>
    Unknown,

    /// <summary>The keys are equal.</summary>
    Agrees,

    /// <summary>The holder has another key for that node.</summary>
    Differs,

    /// <summary>The holder has no peer for that node.</summary>
    Missing,
}

/// <summary>One cell of the key-agreement matrix.</summary>
/// <param name="NodeName">The node whose key it is.</param>
/// <param name="Holder">The node whose device holds it as a peer.</param>
/// <param name="Slot">The slot.</param>
/// <param name="State">Whether they agree.</param>
/// <param name="UsedKey">The key that the device of <paramref name="NodeName"/> uses; <see langword="null"/> if unknown.</param>
/// <param name="HeldKey">The key that the device of <paramref name="Holder"/> has for it; <see langword="null"/> if none.</param>
/// <param name="LastHandshakeTime">The holder's latest handshake with it; <see langword="null"/> if none.</param>
[GenerateSerializer, Immutable, Alias("owg.KeyAgreement")]
public sealed record KeyAgreement(
    [property: Id(0)] string NodeName,
    [property: Id(1)] string Holder,
    [property: Id(2)] Slot Slot,
    [property: Id(3)] AgreementState State,
    [property: Id(4)] PublicKey? UsedKey,
    [property: Id(5)] PublicKey? HeldKey,
    [property: Id(6)] DateTimeOffset? LastHandshakeTime);
