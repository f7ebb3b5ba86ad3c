namespace Orleans.WireGuard;

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
