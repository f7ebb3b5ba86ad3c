namespace Orleans.WireGuard.Grains.Placement;

/// <summary>The second lock on the door: a node-local grain refuses to activate on a silo that does not bear its name.</summary>
/// <remarks>
/// No caller can force such an activation, but a silo that addresses messages itself could. Two owners of one node's key are worse than
/// none (ARCHITECTURE.md, invariant I1).
/// </remarks>
internal static class NodeLocalGuard
{
    /// <summary>Throws unless the grain belongs to this silo.</summary>
    /// <exception cref="NodeUnavailableException">It belongs to another node.</exception>
    public static void ThrowIfElsewhere(string nodeName, ILocalSiloDetails silo)
    {
        if (nodeName != silo.Name)
        {
            throw new NodeUnavailableException(
                nodeName, $"A grain of node '{nodeName}' was addressed to the silo of node '{silo.Name}', which must not host it.");
        }
    }
}
