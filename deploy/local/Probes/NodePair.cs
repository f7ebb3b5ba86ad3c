namespace Orleans.WireGuard.LocalMesh.Probes;

/// <summary>An ordered pair of nodes, by name.</summary>
/// <param name="From">The node that sends, or that holds a key.</param>
/// <param name="To">The node that is sent to, or whose key is held.</param>
internal readonly record struct NodePair(string From, string To)
{
    /// <summary><c>node-1→node-2</c>.</summary>
    public override string ToString() => $"{From}→{To}";

    /// <summary>Whether the node is one of the two.</summary>
    public bool Involves(string node) => From == node || To == node;
}
