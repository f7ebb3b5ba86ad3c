using System.Net;
using Orleans.WireGuard.Grains.Nodes;
using Orleans.WireGuard.Linux.Routing;
using Orleans.WireGuard.Linux.Routing.Witness;
using Orleans.WireGuard.Silo.Findings;

namespace Orleans.WireGuard.Silo.Agent;

/// <summary>What the witness of a node is to count, by what the mesh believes and what the kernel shows. Pure.</summary>
internal static class WitnessSpecBuilder
{
    /// <summary>Puts together the links, prefixes and ports by which the witness counts.</summary>
    /// <param name="view">What the mesh believes.</param>
    /// <param name="dump">What the kernel shows.</param>
    /// <param name="underlay">Numbers of the links by which others are reached.</param>
    /// <param name="deviceNames">Names of the devices through which the tunnels go.</param>
    /// <param name="tunnelPorts">Their UDP ports.</param>
    public static WitnessSpec Build(
        MeshView view, NetworkDump dump, IReadOnlySet<int> underlay,
        IReadOnlyCollection<string> deviceNames, IReadOnlyList<ushort> tunnelPorts)
    {
        // Pods that no prefix explains are counted too: their packets are in clear whatever the roster says.
        // What a node sends by an address of its own, such as that of a bridge, is no pod's packet.
        var ownAddresses = dump.Addresses.Select(address => address.Address);
        var own = view.Roster!.Find(view.NodeName)!.PodCIDRs.Concat(LocalPods.Find(dump, underlay).Select(pod => pod.Prefix))
            .SelectMany(prefix => Without(prefix, ownAddresses));
        // Those of nodes that can run no silo are reached in clear, and nobody wonders about it.
        var remote = view.Roster.Nodes.Values.Where(node => node.NodeName != view.NodeName && !node.IsExempt)
            .SelectMany(node => node.PodCIDRs.SelectMany(prefix => Without(prefix, node.AnnouncedAddresses)));
        var ports = dump.Links.Where(link => link.EncapsulationPort != 0 && link.IsUp)
            .Select(link => new EncapsulationPort(link.EncapsulationPort, link.Kind == "geneve")).Distinct().OrderBy(port => port.Port);

        // Those by which the others know this node come first; of the rest, tunnels are counted all the same.
        var known = view.Roster.Find(view.NodeName)!.Addresses;
        var addresses = dump.Addresses.Where(address => underlay.Contains(address.LinkIndex) && !address.Address.IsIPv6LinkLocal)
            .Select(address => address.Address).Distinct().OrderBy(address => !known.Contains(address))
            .ThenBy(address => address.ToString(), StringComparer.Ordinal);
        return new WitnessSpec(
            Select(dump, link => underlay.Contains(link.Index)).Take(WitnessTable.MaxLinks).ToEquatableArray(),
            PrefixSet.Merge(own),
            PrefixSet.Merge(remote),
            ports.Take(WitnessTable.MaxPorts).ToEquatableArray(),
            tunnelPorts.ToEquatableArray(),
            addresses.Take(WitnessTable.MaxAddresses).ToEquatableArray(),
            Select(dump, link => deviceNames.Contains(link.Name)).ToEquatableArray());
    }

    private static IEnumerable<IPPrefix> Without(IPPrefix prefix, IEnumerable<IPAddress> addresses) => PrefixArithmetic.Subtract(
        prefix, [.. addresses.Select(address => IPPrefix.Host(address.Unmap())).Where(host => prefix != host && prefix.Contains(host))]);

    private static IEnumerable<WitnessLink> Select(NetworkDump dump, Func<LinkEntry, bool> isMeant) =>
        dump.Links.Where(isMeant).Select(link => new WitnessLink(link.Index, link.Name));
}
