using Orleans.WireGuard.Grains.Nodes;

namespace Orleans.WireGuard.Grains.Delivery;

/// <summary>A roster, with the way to find whose a pod address is without looking at all nodes. Immutable.</summary>
/// <param name="roster">Who the nodes are.</param>
internal sealed class RosterIndex(NodeRoster roster)
{
    /// <summary>Who the nodes are.</summary>
    public NodeRoster Roster => roster;

    /// <summary>The pod CIDRs of all.</summary>
    public PrefixIndex PodCIDRs { get; } =
        PrefixIndex.Of(roster.Nodes.Values.SelectMany(node => node.PodCIDRs.Select(cidr => (cidr, node.NodeName))));
}
