using System.Collections.Immutable;
using System.Net;

namespace Orleans.WireGuard.Grains.Nodes;

/// <summary>Who the nodes of the mesh are, by a source that is not the nodes themselves.</summary>
/// <param name="Nodes">By node name.</param>
internal sealed record NodeRoster(ImmutableSortedDictionary<string, RosterNode> Nodes)
{
    /// <summary>Makes a roster of its nodes.</summary>
    public static NodeRoster Of(IEnumerable<RosterNode> nodes) =>
        new(nodes.ToImmutableSortedDictionary(node => node.NodeName, node => node, StringComparer.Ordinal));

    /// <summary>The node of this name, or <see langword="null"/>.</summary>
    public RosterNode? Find(string nodeName) => Nodes.GetValueOrDefault(nodeName);

    /// <summary>The first pair of prefixes of different nodes that share an address, or <see langword="null"/>.</summary>
    public static (RosterNode First, IPPrefix FirstCIDR, RosterNode Second, IPPrefix SecondCIDR)? FindOverlap(IEnumerable<RosterNode> nodes)
    {
        // Sorted by address, a prefix that overlaps a later one contains it, so it overlaps the next one too or one before that did.
        var sorted = nodes.SelectMany(node => node.PodCIDRs.Select(cidr => (Node: node, CIDR: cidr))).OrderBy(x => x.CIDR).ToList();
        for (var i = 1; i < sorted.Count; i++)
        {
            if (sorted[i - 1].CIDR.Overlaps(sorted[i].CIDR))
            {
                return (sorted[i - 1].Node, sorted[i - 1].CIDR, sorted[i].Node, sorted[i].CIDR);
            }
        }

        return null;
    }
}

/// <summary>A node of the roster.</summary>
/// <param name="NodeName">Its name, which its silo bears too.</param>
/// <param name="Addresses">Underlay addresses in order of preference.</param>
/// <param name="PodCIDRs">Sorted.</param>
internal sealed record RosterNode(string NodeName, EquatableArray<IPAddress> Addresses, EquatableArray<IPPrefix> PodCIDRs);
