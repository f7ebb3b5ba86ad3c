using System.Collections.Immutable;

namespace Orleans.WireGuard.Grains.Nodes;

/// <summary>Who the nodes of the mesh are, by a source that is not the nodes themselves.</summary>
/// <param name="Nodes">By node name.</param>
internal sealed record NodeRoster(ImmutableSortedDictionary<string, RosterNode> Nodes)
{
    /// <summary>
    /// Who claims an address that another one has; empty until <see cref="RosterShares.Divide"/> has looked, and where nobody does.
    /// </summary>
    public EquatableArray<RosterConflict> Conflicts { get; init; } = [];

    /// <summary>
    /// The prefixes that this node knows to hold pods of the cluster, whichever node has them: configured, or told by its own source.
    /// Merged (<see cref="PrefixSet.Merge"/>); empty if nobody tells.
    /// </summary>
    public EquatableArray<IPPrefix> PodRanges { get; init; } = [];

    /// <summary>Makes a roster of its nodes.</summary>
    public static NodeRoster Of(IEnumerable<RosterNode> nodes) =>
        new(nodes.ToImmutableSortedDictionary(node => node.NodeName, node => node, StringComparer.Ordinal));

    /// <summary>The node of this name, or <see langword="null"/>.</summary>
    public RosterNode? Find(string nodeName) => Nodes.GetValueOrDefault(nodeName);

    /// <summary>Whether both list the same nodes in the same words.</summary>
    public bool HasSameNodes(NodeRoster? other) => other is not null && Nodes.SequenceEqual(other.Nodes);

    /// <summary>The first pair of prefixes of different nodes that share an address, or <see langword="null"/>.</summary>
    public static (RosterNode First, IPPrefix FirstCIDR, RosterNode Second, IPPrefix SecondCIDR)? FindOverlap(IEnumerable<RosterNode> nodes)
    {
        var byName = nodes.ToDictionary(node => node.NodeName, StringComparer.Ordinal);
        var claims = byName.Values.SelectMany(node => node.PodCIDRs.Select(cidr => (Prefix: cidr, node.NodeName))).ToList();
        var index = PrefixIndex.Of(claims);
        foreach (var (cidr, name) in claims.OrderBy(claim => claim.Prefix))
        {
            if (index.FindOverlap(cidr, name) is var (other, owner))
            {
                return (byName[name], cidr, byName[owner], other);
            }
        }

        return null;
    }
}
