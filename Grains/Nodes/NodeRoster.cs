using System.Collections.Immutable;
using System.Net;

namespace Orleans.WireGuard.Grains.Nodes;

/// <summary>Who the nodes of the mesh are, by a source that is not the nodes themselves.</summary>
/// <param name="Nodes">By node name.</param>
internal sealed record NodeRoster(ImmutableSortedDictionary<string, RosterNode> Nodes)
{
    /// <summary>
    /// Who claims an address that another one has; empty until <see cref="RosterShares.Divide"/> has looked, and where nobody does.
    /// </summary>
    public EquatableArray<RosterConflict> Conflicts { get; init; } = [];

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
/// <param name="PodCIDRs">Sorted. Of a divided roster its share: what of its pod CIDRs no other node has.</param>
internal sealed record RosterNode(string NodeName, EquatableArray<IPAddress> Addresses, EquatableArray<IPPrefix> PodCIDRs)
{
    private readonly EquatableArray<IPPrefix>? _listedPodCIDRs;

    /// <summary>The kind of object that tells of the node, such as <c>CiliumNode</c>: people have to find it.</summary>
    public string Kind { get; init; } = "";

    /// <summary>When that object was made; <see langword="null"/> if the source does not say.</summary>
    public DateTimeOffset? CreatedAt { get; init; }

    /// <summary>The pod CIDRs as the source has them, before they were divided. Sorted.</summary>
    public EquatableArray<IPPrefix> ListedPodCIDRs
    {
        get => _listedPodCIDRs ?? PodCIDRs;
        init => _listedPodCIDRs = value;
    }

    /// <summary>The object as a message names it: its kind and its name.</summary>
    public string Describe() => Kind.Length == 0 ? $"'{NodeName}'" : $"{Kind} '{NodeName}'";
}
