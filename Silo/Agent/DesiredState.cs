using System.Net;
using Orleans.WireGuard.Grains.Nodes;
using Orleans.WireGuard.Linux.Devices;
using Orleans.WireGuard.Linux.Routing;
using Orleans.WireGuard.Silo.Findings;

namespace Orleans.WireGuard.Silo.Agent;

/// <summary>Derives what the devices, routes and rules of this node should be. Pure.</summary>
internal static class DesiredState
{
    /// <summary>What the device of a slot should be.</summary>
    /// <param name="view">The sources.</param>
    /// <param name="slot">The slot.</param>
    /// <param name="name">Interface name.</param>
    /// <param name="listenPort">UDP port.</param>
    /// <param name="observed">The device as it is: some of its peers may have to stay although nobody mentions them.</param>
    /// <param name="startHandshakes">Peers with which this side starts a handshake now.</param>
    public static DesiredDevice BuildDevice(
        MeshView view, Slot slot, string name, ushort listenPort, Device? observed, IReadOnlySet<PublicKey> startHandshakes)
    {
        var keyPair = view.Keys.FirstOrDefault(key => key.Slot == slot)?.KeyPair;
        if (keyPair is null && view.IsSettled && view.Keys.Count > 0)
        {
            return new DesiredDevice(name, null, listenPort, []) { IsKeyless = true };
        }

        var peers = new List<DesiredPeer>();
        foreach (var announcement in view.Others)
        {
            if (announcement.Find(slot) is { } announced)
            {
                // The kernel sends to a mapped address through IPv6, where it leads nowhere, and gives the peer's endpoint back as IPv4.
                var endpoints = announcement.Endpoints.Select(address => new IPEndPoint(address.Unmap(), announced.ListenPort))
                    .ToEquatableArray();
                var keepalive = startHandshakes.Contains(announced.PublicKey) ? HandshakeStarter.StartInterval : TimeSpan.Zero;
                peers.Add(new DesiredPeer(announced.PublicKey, endpoints, announcement.AllowedIPs, keepalive));
            }
        }

        var known = peers.Select(peer => peer.PublicKey).ToHashSet();
        var claimed = peers.SelectMany(peer => peer.AllowedIPs).ToHashSet();
        var kept = (observed?.Peers ?? []).Where(peer => !known.Contains(peer.PublicKey) && IsKept(view, peer))
            .Select(peer => Keep(peer, claimed));
        return new DesiredDevice(name, keyPair, listenPort, peers.Concat(kept).OrderBy(peer => peer.PublicKey).ToEquatableArray());
    }

    /// <summary>The routes to the pods of other nodes, sorted.</summary>
    /// <param name="view">The sources.</param>
    /// <param name="devices">What the devices are to be.</param>
    /// <param name="paths">Through which slot each node is sent to, by node name.</param>
    /// <param name="observed">The routes as they are. A peer that no announcement explains keeps its own.</param>
    public static EquatableArray<Route> BuildRoutes(
        MeshView view, IReadOnlyList<DesiredDevice> devices, IReadOnlyDictionary<string, string> paths, EquatableArray<Route> observed)
    {
        var routes = new SortedDictionary<IPPrefix, Route>();
        foreach (var announcement in view.Others.Where(announcement => paths.ContainsKey(announcement.NodeName)))
        {
            foreach (var prefix in announcement.AllowedIPs)
            {
                routes[prefix] = new Route(prefix, paths[announcement.NodeName]);
            }
        }

        var carriers = devices.SelectMany(device => device.Peers.SelectMany(peer => peer.AllowedIPs)
            .Select(prefix => (prefix, device.Name))).ToHashSet();
        var kept = observed.Where(route => carriers.Contains((route.Destination, route.DeviceName)) || IsLeftover(view, devices, route));
        foreach (var route in kept.Concat(carriers.Select(carrier => new Route(carrier.prefix, carrier.Name))))
        {
            _ = routes.TryAdd(route.Destination, route);
        }

        return routes.Values.ToEquatableArray();
    }

    /// <summary>
    /// The sources whose packets follow our routes: this node's own pods, those too whose address another node has. They fail closed then.
    /// </summary>
    /// <returns><see langword="null"/> while they are unknown; then the rules stay as they are.</returns>
    public static EquatableArray<IPPrefix>? BuildRules(MeshView view) => view.Self?.ListedPodCIDRs;

    /// <summary>
    /// The routes below those of the device: what refuses packets for other nodes' pods, and what excepts this node's own pods and all
    /// nodes from a refusal that is wider. Empty in permissive mode.
    /// </summary>
    /// <returns><see langword="null"/> while the nodes are unknown; then the routes stay as they are.</returns>
    public static EquatableArray<Route>? BuildRefusals(MeshView view, EncryptionOptions encryption)
    {
        if (encryption.Mode != EncryptionMode.Strict)
        {
            return [];
        }

        if (view is not { Roster: { } roster, Self: { } self })
        {
            return null;
        }

        // As they are listed: a CIDR with a thousand holes is one refusal with as many exceptions as this node needs.
        var cluster = encryption.ClusterCIDRs.Select(IPPrefix.Parse);
        var refused = OthersOf(roster, self).SelectMany(node => node.ListedPodCIDRs)
            .Concat(view.Others.SelectMany(announcement => announcement.AllowedIPs))
            .Concat(cluster)
            .Where(prefix => !self.PodCIDRs.Any(own => own.Contains(prefix)))
            .Distinct().ToList();

        // In sorted order, because every pass asks this of every node.
        var covered = PrefixSet.Merge(refused);
        var excepted = Spared(roster, self).Where(prefix => PrefixSet.Covers(covered, prefix));
        return refused.Select(Route.Unreachable).Concat(excepted.Select(Route.Throw))
            .OrderBy(route => route.Destination).ToEquatableArray();
    }

    /// <summary>The sources whose packets are dropped unless they came through a device of ours: other nodes' pods.</summary>
    /// <returns><see langword="null"/> while the nodes are unknown; then the table stays as it is.</returns>
    public static EquatableArray<IPPrefix>? BuildDroppedSources(MeshView view)
    {
        if (view is not { Roster: { } roster, Self: { } self })
        {
            return null;
        }

        var others = PrefixSet.Merge(OthersOf(roster, self).SelectMany(node => node.ListedPodCIDRs));

        // Only where somebody claims what another has is there anything to spare.
        return roster.Conflicts.Count == 0 ? others
            : others.SelectMany(prefix => PrefixArithmetic.Subtract(prefix, [.. Spared(roster, self)])).ToEquatableArray();
    }

    private static IEnumerable<RosterNode> OthersOf(NodeRoster roster, RosterNode self) =>
        roster.Nodes.Values.Where(node => node.NodeName != self.NodeName);

    /// <summary>
    /// What no refusal reaches: this node's own pods, and the nodes themselves. They talk to pods in clear, which is out of scope of the
    /// encryption; a CIDR that holds their addresses must not cut that.
    /// </summary>
    private static IEnumerable<IPPrefix> Spared(NodeRoster roster, RosterNode self)
    {
        var remote = PrefixSet.Merge(OthersOf(roster, self).SelectMany(node => node.PodCIDRs));
        var nodes = roster.Nodes.Values.SelectMany(node => node.Addresses)
            .Select(IPPrefix.Host).Where(address => !PrefixSet.Covers(remote, address));
        return self.PodCIDRs.Concat(nodes).Distinct();
    }

    /// <summary>
    /// A peer that no announcement explains stays until every source has answered; after that, as long as it carries a node of the roster
    /// whose announcement nobody has: that node's silo is down, and its data plane outlives it.
    /// </summary>
    private static bool IsKept(MeshView view, DevicePeer peer) => IsCarriedOn(view, peer.AllowedIPs);

    private static bool IsCarriedOn(MeshView view, EquatableArray<IPPrefix> prefixes)
    {
        if (!view.MayRemove)
        {
            return true;
        }

        return view.Roster!.Nodes.Values.Any(node =>
            node.NodeName != view.NodeName
            && !view.Announcements.ContainsKey(node.NodeName)
            && node.PodCIDRs.Any(cidr => prefixes.Any(cidr.Overlaps)));
    }

    /// <summary>
    /// A slot that this silo does not use may still have its device (<see cref="LeftoverDevice"/>), and its routes stay as long as a peer
    /// would: until the node's announcement says where it is reached now.
    /// </summary>
    private static bool IsLeftover(MeshView view, IReadOnlyList<DesiredDevice> devices, Route route) =>
        SlotDevices.Slots(Slot.Count).Any(slot => SlotDevices.Name(slot) == route.DeviceName)
        && devices.All(device => device.Name != route.DeviceName)
        && IsCarriedOn(view, [route.Destination]);

    // A prefix belongs to one peer of a device. Where an announcement claims one, the announced peer has it.
    private static DesiredPeer Keep(DevicePeer peer, HashSet<IPPrefix> claimed) => new(
        peer.PublicKey,
        peer.Endpoint is null ? [] : [peer.Endpoint],
        peer.AllowedIPs.Where(prefix => !claimed.Contains(prefix)).ToEquatableArray(),
        peer.PersistentKeepaliveInterval);
}
