using System.Collections.Immutable;

namespace Orleans.WireGuard.Silo.Nodes;

/// <summary>All nodes as of one moment. Immutable; every change makes a new instance with a higher revision.</summary>
/// <remarks>
/// As long as <see cref="IsSynced"/> is false, a node that is missing may only not have been read yet: remove nothing (I4).
/// </remarks>
internal sealed class WatchedNodes
{
    private WatchedNodes(long revision, string? kind, ImmutableSortedDictionary<string, NodeRecord> nodes)
    {
        Revision = revision;
        Kind = kind;
        Nodes = nodes;
    }

    /// <summary>Nothing is known yet.</summary>
    public static WatchedNodes Unknown { get; } = new(
        0, null, ImmutableSortedDictionary.Create<string, NodeRecord>(StringComparer.Ordinal));

    /// <summary>Grows with every change.</summary>
    public long Revision { get; }

    /// <summary>Whether the source has been read completely at least once.</summary>
    public bool IsSynced => Kind is not null;

    /// <summary>The kind of objects that was read; <see langword="null"/> until it was read completely.</summary>
    public string? Kind { get; }

    /// <summary>By name, in ordinal order.</summary>
    public ImmutableSortedDictionary<string, NodeRecord> Nodes { get; }

    /// <summary>What a complete list says; this very instance if nothing differs.</summary>
    /// <param name="nodes">All objects of the kind.</param>
    /// <param name="kind">The kind. Where it is another one than before, nodes that have no object of it yet stay until the next list:
    /// while Cilium comes or goes its objects are made or deleted one by one, and that takes no node away.</param>
    public WatchedNodes Replace(IEnumerable<NodeRecord> nodes, string kind)
    {
        var next = nodes.ToImmutableSortedDictionary(node => node.Name, node => node, StringComparer.Ordinal);
        if (IsSynced && Kind != kind)
        {
            return new(Revision + 1, kind, Nodes.SetItems(next));
        }

        return IsSynced && next.Count == Nodes.Count && next.All(pair => Nodes.TryGetValue(pair.Key, out var known) && known == pair.Value)
            ? this
            : new(Revision + 1, kind, next);
    }

    /// <summary>The nodes with <paramref name="node"/> added or changed; this very instance if it is known so.</summary>
    public WatchedNodes With(NodeRecord node) =>
        Nodes.TryGetValue(node.Name, out var known) && known == node ? this : new(Revision + 1, Kind, Nodes.SetItem(node.Name, node));

    /// <summary>
    /// The nodes without one. A deletion of an older object than the one known is ignored: the node was created anew meanwhile.
    /// </summary>
    public WatchedNodes Without(string name, string uid) =>
        Nodes.TryGetValue(name, out var known) && known.Uid == uid ? new(Revision + 1, Kind, Nodes.Remove(name)) : this;
}
