using Orleans.Placement;

namespace Orleans.WireGuard.Grains.Placement;

/// <summary>Places a grain on the silo whose name is the grain's key, and nowhere else.</summary>
/// <remarks>
/// Without the grain directory: where such a grain lives is a function of membership, so there is nothing to register, and nothing stale
/// to hold on to after a crash.
/// </remarks>
[GenerateSerializer, Immutable, Alias("owg.NodeLocalPlacement")]
internal sealed class NodeLocalPlacement : PlacementStrategy
{
    /// <inheritdoc/>
    public override bool IsUsingGrainDirectory => false;
}

/// <summary>Marks a grain class whose key is a node name and that lives on that node's silo.</summary>
[AttributeUsage(AttributeTargets.Class)]
internal sealed class NodeLocalAttribute() : PlacementAttribute(new NodeLocalPlacement());
