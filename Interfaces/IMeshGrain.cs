namespace Orleans.WireGuard;

/// <summary>
/// Read model of a mesh for people and integrations; the grain key is <see cref="DefaultMesh"/>. Runs on the silo that is asked.
/// Never on the path of a key to a device: if it is gone, the mesh goes on.
/// </summary>
[Alias("owg.IMeshGrain")]
public interface IMeshGrain : IGrainWithStringKey
{
    /// <summary>The key of the one mesh that an Orleans cluster carries.</summary>
    public const string DefaultMesh = "mesh";

    /// <summary>How many nodes a mesh may have that is asked as a whole: 100.</summary>
    /// <remarks>
    /// Every node tells about every other, so it grows with the square: 6 MB on the wire at 100 nodes, and at 1,000 more than all memory
    /// that a silo may have. A question must not end the silo that it is put to. Of a larger mesh, ask each <see cref="INodeGrain"/> by
    /// itself.
    /// </remarks>
    public const int MaxNodes = 100;

    /// <summary>How many nodes a <see cref="MeshSnapshot"/> may hold, which is one message of 4 MiB at most: 50.</summary>
    public const int MaxSnapshotNodes = 50;

    /// <summary>How many nodes are asked by one <see cref="GetNodes"/>: 10.</summary>
    public const int MaxAsked = 10;

    /// <summary>
    /// The names of all nodes, in order, also of those without a silo, but not of those that can run none (<c>Nodes:Exempt</c>;
    /// <see cref="AddressStatus.ExemptNodes"/>). Costs nothing worth mentioning, however many there are.
    /// </summary>
    [Alias("GetNodeNames")]
    Task<EquatableArray<string>> GetNodeNames(CancellationToken cancellationToken = default);

    /// <summary>Asks some nodes for their status; several such calls read a mesh that a snapshot cannot hold.</summary>
    /// <param name="nodeNames">At most <see cref="MaxAsked"/>.</param>
    /// <param name="cancellationToken">Ends the waiting.</param>
    /// <returns>One entry for each, in the same order; a node that does not answer within a second is listed with the reason.</returns>
    /// <exception cref="ArgumentException">There are more names than that.</exception>
    /// <exception cref="MeshTooLargeException">The mesh has more than <see cref="MaxNodes"/>. Nobody was asked.</exception>
    [Alias("GetNodes")]
    Task<EquatableArray<MeshNode>> GetNodes(EquatableArray<string> nodeNames, CancellationToken cancellationToken = default);

    /// <summary>Asks every node for its status and compares what they hold of each other.</summary>
    /// <remarks>Costs one call for each node; a node that does not answer within a second is listed with the reason.</remarks>
    /// <exception cref="MeshTooLargeException">There are more than <see cref="MaxSnapshotNodes"/>. Nobody was asked.</exception>
    [Alias("GetSnapshot")]
    Task<MeshSnapshot> GetSnapshot(CancellationToken cancellationToken = default);
}
