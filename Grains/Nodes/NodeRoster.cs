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

    /// <summary>Whether both list the same nodes in the same words.</summary>
    public bool HasSameNodes(NodeRoster? other) => other is not null && Nodes.SequenceEqual(other.Nodes);

    /// <summary>The first pair of prefixes of different nodes that share an address, or <see langword="null"/>.</summary>
    public static (RosterNode First, IPPrefix FirstCIDR, RosterNode Second, IPPrefix SecondCIDR)? FindOverlap(IEnumerable<RosterNode> nodes)
    {
        // Sorted, a prefix comes right behind those that hold it, so these are a stack. They belong to one node, or we would not be here.
        var holders = new Stack<(RosterNode Node, IPPrefix CIDR)>();
        foreach (var (node, cidr) in nodes.SelectMany(node => node.PodCIDRs.Select(cidr => (Node: node, CIDR: cidr))).OrderBy(x => x.CIDR))
        {
            while (holders.TryPeek(out var last) && !last.CIDR.Contains(cidr))
            {
                holders.Pop();
            }

            if (holders.TryPeek(out var holder) && holder.Node.NodeName != node.NodeName)
            {
                return (holder.Node, holder.CIDR, node, cidr);
            }

            holders.Push((node, cidr));
        }

        return null;
    }
}

/// <summary>A node of the roster.</summary>
/// <param name="NodeName">Its name, which its silo bears too.</param>
/// <param name="Addresses">Underlay addresses in order of preference.</param>
/// <param name="PodCIDRs">Sorted.</param>
internal sealed record RosterNode(string NodeName, EquatableArray<IPAddress> Addresses, EquatableArray<IPPrefix> PodCIDRs);
