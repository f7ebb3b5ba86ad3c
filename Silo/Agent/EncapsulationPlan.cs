using System.Net;
using Orleans.WireGuard.Grains.Delivery;
using Orleans.WireGuard.Linux.Routing;
using Orleans.WireGuard.Silo.Findings;

namespace Orleans.WireGuard.Silo.Agent;

/// <summary>How packets take the tunnels that another data plane of this node has packed. Pure.</summary>
/// <remarks>
/// Which way a packed packet goes is decided by its outer destination, another node, and by what it is from outside: a UDP port. So rules
/// lead those packets, and no others, into a table with routes to the nodes that lead the same ones; both have to have announced a port.
/// Where a program chooses what is packed (<see cref="OwnEncapsulation.IsWhole"/>) the packets are those of pods: they follow a node's path
/// as bare ones do, and without one are refused and dropped in strict mode. Else they are this node's own, which are led where a tunnel is
/// proven and are never refused. WireGuard's own packets go to other ports, so they never come back into a device.
/// </remarks>
/// <param name="Rules">The rules.</param>
/// <param name="Refusals">What is refused below the tunnels; empty in permissive mode.</param>
internal sealed record EncapsulationPlan(EquatableArray<PacketRule> Rules, EquatableArray<Route> Refusals)
{
    /// <summary>Plans the part that does not depend on the devices.</summary>
    /// <param name="view">The sources.</param>
    /// <param name="encryption">What is in force.</param>
    /// <param name="table">Where bare packets of pods are looked up.</param>
    /// <returns><see langword="null"/> while it is unknown; then rules and routes stay as they are.</returns>
    public static EncapsulationPlan? Build(MeshView view, EncryptionOptions encryption, RouteTable table)
    {
        if (view is not { Encapsulation: { } own, Facts: { } facts })
        {
            return null;
        }

        var refused = encryption.Mode == EncryptionMode.Strict ? FindNodes(view).Where(node => own.HasIPv6 || !node.IsIPv6) : [];
        return new EncapsulationPlan(BuildRules(own, facts, table), RouteOrder.Sort(refused.Select(Route.Unreachable).ToEquatableArray()));
    }

    /// <summary>The routes through the devices, sorted.</summary>
    /// <param name="view">The sources.</param>
    /// <param name="paths">Through which device each node is sent to, by node name.</param>
    /// <param name="proven">The nodes whose paths work.</param>
    /// <param name="observed">The routes as they are: those to a node whose silo is down stay.</param>
    public static EquatableArray<Route> BuildTunnels(
        MeshView view, IReadOnlyDictionary<string, string> paths, IReadOnlySet<string> proven, EquatableArray<Route> observed)
    {
        if (view is not { Encapsulation: { IsWanted: true } own, Facts: { } facts })
        {
            return [];
        }

        var routes = new List<Route>();
        var silent = new HashSet<IPPrefix>();
        foreach (var node in FindOthers(view))
        {
            var ends = facts.TunnelEnds.GetValueOrDefault(node);
            if (view.OtherNames.Contains(node) && view.IsEncapsulating(node) && paths.TryGetValue(node, out var device)
                && (own.IsWhole || proven.Contains(node)))
            {
                // The other one's tunnel takes no source but those that it knows to be this node's.
                routes.AddRange(ends.Select(address => new Route(address, device) { Source = FindSource(view, own, facts, address.IsIPv6) })
                    .Where(route => route.Source is not null));
            }
            else if (!view.MayRemove || !view.Announcements.ContainsKey(node))
            {
                silent.UnionWith(ends);
            }
        }

        routes.AddRange(observed.Where(route => route.DeviceName.Length > 0 && silent.Contains(route.Destination)));
        return RouteOrder.Sort(routes.DistinctBy(route => route.Destination).ToEquatableArray());
    }

    /// <summary>The nodes, as host prefixes, to and from which packed packets have to take the tunnels. Sorted.</summary>
    public static EquatableArray<IPPrefix> FindNodes(MeshView view) =>
        view is not { Encapsulation: { IsWanted: true, IsWhole: true }, Facts: { } facts } ? []
            : FindOthers(view).Where(node => !IsOfFormerRelease(view, node)).SelectMany(node => facts.Endpoints.GetValueOrDefault(node))
                .Distinct().Order().ToEquatableArray();

    /// <summary>The packets that have to. Sorted.</summary>
    /// <returns><see langword="null"/> while they are unknown.</returns>
    public static EquatableArray<OuterPacket>? FindPackets(MeshView view) => view is not { Encapsulation: { } own, Facts: not null } ? null
        : own.IsWhole ? own.Packets.Select(ToOuter).Order(OuterPacket.Order).ToEquatableArray()
        : [];

    // Which knows nothing of this, so half of the nodes would be cut off from the other half while releases change.
    private static bool IsOfFormerRelease(MeshView view, string node) =>
        view.MayRemove && !view.HasAnnouncedAddresses(node) && view.Announcements.TryGetValue(node, out var announcement)
            && !(AnnouncementExtensions.FindProtocol(announcement.Extensions)?.Range.Max >= OwnProtocol.WithAddresses);

    private static IPAddress? FindSource(MeshView view, OwnEncapsulation own, RosterFacts facts, bool isIPv6)
    {
        var known = facts.TunnelEnds.GetValueOrDefault(view.NodeName);
        return own.Sources.FirstOrDefault(source => IPPrefix.Host(source) is var host && host.IsIPv6 == isIPv6 && known.Contains(host));
    }

    private static EquatableArray<PacketRule> BuildRules(OwnEncapsulation own, RosterFacts facts, RouteTable table)
    {
        var families = facts.AllNodeAddresses.Select(address => address.IsIPv6).Where(isIPv6 => own.HasIPv6 || !isIPv6).Distinct()
            .ToList();
        return own.Packets.Select(ToOuter).SelectMany(packet => families.Where(isIPv6 => packet.IsUdp || !isIPv6)
            .Select(isIPv6 => new PacketRule(table.OfEncapsulated, packet, isIPv6))).ToEquatableArray();
    }

    private static IEnumerable<string> FindOthers(MeshView view) => view.Roster!.Nodes.Values
        .Where(node => node.NodeName != view.NodeName && !node.IsExempt).Select(node => node.NodeName);

    private static OuterPacket ToOuter(Encapsulation packet) => new(packet.Protocol, packet.Port);
}
