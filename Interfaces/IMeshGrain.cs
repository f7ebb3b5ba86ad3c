namespace Orleans.WireGuard;

/// <summary>
/// Read model of a mesh for people and integrations; the grain key is <see cref="DefaultMesh"/>. Runs on any silo. Never on the path of a
/// key to a device: if it is gone, the mesh goes on.
/// </summary>
[Alias("owg.IMeshGrain")]
public interface IMeshGrain : IGrainWithStringKey
{
    /// <summary>The key of the one mesh that an Orleans cluster carries.</summary>
    public const string DefaultMesh = "mesh";

    /// <summary>Asks every node for its status and compares what they hold of each other.</summary>
    /// <remarks>Costs one call for each node; a node that does not answer within a second is listed with the reason.</remarks>
    [Alias("GetSnapshot")]
    Task<MeshSnapshot> GetSnapshot(CancellationToken cancellationToken = default);
}
