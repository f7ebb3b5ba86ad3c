using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Runtime.CompilerServices;
using Orleans.WireGuard.Grains.Nodes;

namespace Orleans.WireGuard.Silo.Agent;

/// <summary>
/// What follows from a roster alone for one of its nodes. Made once for each roster, because most passes see the one that the pass before
/// saw, and one of tens of thousands of prefixes takes a while. Immutable.
/// </summary>
internal sealed class RosterFacts
{
    private static readonly ConditionalWeakTable<NodeRoster, ConcurrentDictionary<string, RosterFacts>> Known = [];

    private RosterFacts(NodeRoster roster, RosterNode self)
    {
        var others = roster.Nodes.Values.Where(node => node.NodeName != self.NodeName).ToList();
        Own = PrefixSet.Merge(self.PodCIDRs);
        OwnListed = self.ListedPodCIDRs;
        Remote = PrefixSet.Merge(others.Where(node => !node.IsExempt).SelectMany(node => node.PodCIDRs));
        RemoteListed = PrefixSet.Merge(others.Where(node => !node.IsExempt).SelectMany(node => node.ListedPodCIDRs));
        Exempt = PrefixSet.Merge(others.Where(node => node.IsExempt).SelectMany(node => node.PodCIDRs));
        OwnAddresses = AddressesOf(self).Distinct().Order().ToEquatableArray();
        var claims = FindNodeAddresses(roster.Nodes.Values);
        AllNodeAddresses = claims.Select(claim => claim.Address).Distinct().Order().ToEquatableArray();

        Endpoints = roster.Nodes.Values.ToDictionary(
            node => node.NodeName, node => AddressesOf(node).Distinct().Order().ToEquatableArray(), StringComparer.Ordinal);
        var single = claims.GroupBy(claim => claim.Address).Where(claim => claim.Count() == 1).Select(claim => claim.First()).ToList();
        TunnelEnds = single.GroupBy(claim => claim.NodeName, claim => claim.Address, StringComparer.Ordinal)
            .ToDictionary(node => node.Key, node => node.Order().ToEquatableArray(), StringComparer.Ordinal);

        // What lies among a node's own pods goes with them, and would only make the device's peers harder to explain.
        var pods = PrefixSet.Merge(roster.Nodes.Values.SelectMany(node => node.PodCIDRs));
        NodeAddresses = single.Where(claim => !PrefixSet.Covers(pods, claim.Address))
            .GroupBy(claim => claim.NodeName, claim => claim.Address, StringComparer.Ordinal)
            .ToDictionary(node => node.Key, node => node.Order().ToEquatableArray(), StringComparer.Ordinal);
        (Steered, NotSteered) = SteeredSources.Build(
            roster.PodRanges, OwnListed,
            range => new[] { RemoteListed, Exempt, AllNodeAddresses }.Any(taken => PrefixSet.Overlaps(taken, range)));
        Ranges = roster.PodRanges;
        Protected = PrefixSet.Merge(Ranges.Concat(RemoteListed));
        Spared = PrefixSet.Merge(Own.Concat(Exempt).Concat(AllNodeAddresses).Where(prefix => PrefixSet.Overlaps(Protected, prefix)));
    }

    /// <summary>What this node has for its pods: its share.</summary>
    public EquatableArray<IPPrefix> Own { get; }

    /// <summary>The same before it was divided.</summary>
    public EquatableArray<IPPrefix> OwnListed { get; }

    /// <summary>What the other nodes that can run a silo have for their pods: their shares, merged.</summary>
    public EquatableArray<IPPrefix> Remote { get; }

    /// <summary>The same before it was divided.</summary>
    public EquatableArray<IPPrefix> RemoteListed { get; }

    /// <summary>What nodes have for their pods that can run no silo.</summary>
    public EquatableArray<IPPrefix> Exempt { get; }

    /// <summary>Prefixes that hold pods of the cluster, whichever node has them.</summary>
    public EquatableArray<IPPrefix> Ranges { get; }

    /// <summary>Addresses of this node, as host prefixes.</summary>
    public EquatableArray<IPPrefix> OwnAddresses { get; }

    /// <summary>
    /// Addresses of the nodes, as host prefixes, by node name: those that one node alone claims, and that lie among nobody's pods.
    /// </summary>
    public IReadOnlyDictionary<string, EquatableArray<IPPrefix>> NodeAddresses { get; }

    /// <summary>All addresses of each node, by node name, those too that another one claims, or that lie among anybody's pods.</summary>
    public IReadOnlyDictionary<string, EquatableArray<IPPrefix>> Endpoints { get; }

    /// <summary>Those of them that the node's tunnel carries: nobody else claims them, and they lie among no other node's pods.</summary>
    public IReadOnlyDictionary<string, EquatableArray<IPPrefix>> TunnelEnds { get; }

    /// <summary>All of them, those too that several nodes claim.</summary>
    public EquatableArray<IPPrefix> AllNodeAddresses { get; }

    /// <summary>The sources whose packets are looked up in our table.</summary>
    public EquatableArray<IPPrefix> Steered { get; }

    /// <summary>Pods of this node for which there is no rule, because there would be too many.</summary>
    public EquatableArray<IPPrefix> NotSteered { get; }

    /// <summary>What holds other nodes' pods: ranges, and what lies outside of them.</summary>
    public EquatableArray<IPPrefix> Protected { get; }

    /// <summary>What of <see cref="Protected"/> is no pod of another node to be protected.</summary>
    public EquatableArray<IPPrefix> Spared { get; }

    /// <summary>The facts of a roster for a node that it lists.</summary>
    public static RosterFacts Of(NodeRoster roster, RosterNode self) =>
        Known.GetOrCreateValue(roster).GetOrAdd(self.NodeName, _ => new RosterFacts(roster, self));

    // What is no pod of another node. A node may have announced one that lies among its own pods.
    private static List<(IPPrefix Address, string NodeName)> FindNodeAddresses(IEnumerable<RosterNode> nodes)
    {
        var all = nodes.ToList();
        var pods = new Lazy<PrefixIndex>(() => PrefixIndex.Of(all.SelectMany(
            node => node.PodCIDRs.Select(prefix => (prefix, node.NodeName)))));
        var merged = PrefixSet.Merge(all.SelectMany(node => node.PodCIDRs));
        return
        [
            .. all.SelectMany(node => AddressesOf(node).Distinct()
                .Where(address => !PrefixSet.Covers(merged, address) || pods.Value.FindOverlap(
                    address, node.AnnouncedAddresses.Contains(address.Address) ? node.NodeName : "") is null)
                .Select(address => (address, node.NodeName))),
        ];
    }

    // What means something on its own machine or link only is nobody's.
    private static IEnumerable<IPPrefix> AddressesOf(RosterNode node) => node.Addresses.Concat(node.AnnouncedAddresses)
        .Select(address => address.Unmap())
        .Where(address => !IPAddress.IsLoopback(address) && !address.Equals(IPAddress.Any) && !address.Equals(IPAddress.IPv6Any)
            && address is not { IsIPv6LinkLocal: true } and not { IsIPv6Multicast: true }
            && (address.AddressFamily == AddressFamily.InterNetworkV6
                || address.GetAddressBytes() is not [>= 224, ..] and not [169, 254, ..]))
        .Select(IPPrefix.Host);
}
