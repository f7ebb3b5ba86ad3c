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
