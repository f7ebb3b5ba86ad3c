using System.Net;
using Orleans.WireGuard.Linux.Devices;
using Orleans.WireGuard.Linux.Routing;
using Orleans.WireGuard.Linux.Routing.Firewall;
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
                var carried = Join(announcement.AllowedIPs, view.CarriedAddressesOf(announcement.NodeName));
                peers.Add(new DesiredPeer(announced.PublicKey, endpoints, carried, keepalive));
            }
        }

        var known = peers.Select(peer => peer.PublicKey).ToHashSet();
        var kept = (observed?.Peers ?? []).Where(peer => !known.Contains(peer.PublicKey) && IsCarriedOn(view, peer.AllowedIPs)).ToList();
        if (kept.Count > 0)
        {
            var claimed = peers.SelectMany(peer => peer.AllowedIPs).ToHashSet();
            peers.AddRange(kept.Select(peer => Keep(peer, claimed)));
        }

        return new DesiredDevice(name, keyPair, listenPort, peers.OrderBy(peer => peer.PublicKey).ToEquatableArray());
    }

    /// <summary>The routes to the pods of other nodes, and to those nodes, sorted.</summary>
    /// <param name="view">The sources.</param>
    /// <param name="devices">What the devices are to be.</param>
    /// <param name="paths">Through which slot each node is sent to, by node name.</param>
    /// <param name="observed">The routes as they are. A peer that no announcement explains keeps its own.</param>
    /// <param name="proven">
    /// The nodes whose paths work, to whose own addresses there are routes too; <see langword="null"/> for all.
    /// </param>
    public static EquatableArray<Route> BuildRoutes(
        MeshView view,
        IReadOnlyList<DesiredDevice> devices,
        IReadOnlyDictionary<string, string> paths,
        EquatableArray<Route> observed,
        IReadOnlySet<string>? proven = null)
    {
        var routes = new List<Route>();
        foreach (var announcement in view.Others)
        {
            if (!paths.TryGetValue(announcement.NodeName, out var device))
            {
                continue;
            }

            routes.AddRange(announcement.AllowedIPs.Select(prefix => new Route(prefix, device)));
            if (view.LeadsToNodes && proven?.Contains(announcement.NodeName) != false)
            {
                routes.AddRange(view.LedAddressesOf(announcement.NodeName).Select(address => new Route(address, device)));
            }
        }

        routes.Sort(RouteOrder.Instance);
        var known = routes.DistinctBy(route => route.Destination).ToEquatableArray();
        var more = FindKeptRoutes(view, devices, paths, observed, known);
        return more.Count == 0 ? known : known.Concat(more).Order(RouteOrder.Instance).ToEquatableArray();
    }

    // What the peers carry that no announcement leads anywhere. The nodes themselves are reached without a tunnel too, so none is made for
    // their addresses.
    private static Dictionary<IPPrefix, Route>.ValueCollection FindKeptRoutes(
        MeshView view,
        IReadOnlyList<DesiredDevice> devices,
        IReadOnlyDictionary<string, string> paths,
        EquatableArray<Route> observed,
        EquatableArray<Route> known)
    {
        var carriers = new List<Route>();
        foreach (var device in devices)
        {
            foreach (var peer in device.Peers)
            {
                if (!SlotDevices.Slots(Slot.Count).Any(
                    slot => view.NodeNamesOf(slot).TryGetValue(peer.PublicKey, out var name) && paths.ContainsKey(name)))
                {
                    carriers.AddRange(peer.AllowedIPs.Select(prefix => new Route(prefix, device.Name)));
                }
            }
        }

        var carried = carriers.ToHashSet();
        var found = new Dictionary<IPPrefix, Route>();
        foreach (var route in observed.AsSpan())
        {
            if (route.DeviceName.Length > 0 && RouteOrder.FindFirst(known, route.Destination) is null
                && (carried.Contains(route) || IsLeftover(view, devices, route)))
            {
                _ = found.TryAdd(route.Destination, route);
            }
        }

        var nodes = view.Facts?.AllNodeAddresses ?? [];
        foreach (var route in carriers.Where(
            route => RouteOrder.FindFirst(known, route.Destination) is null && nodes.AsSpan().BinarySearch(route.Destination) < 0))
        {
            _ = found.TryAdd(route.Destination, route);
        }

        return found.Values;
    }

    /// <summary>
    /// The sources whose packets follow our routes: the ranges of pods, and this node's own pods outside of them, those too whose address
    /// another node has. They fail closed then.
    /// </summary>
    /// <returns><see langword="null"/> while they are unknown; then the rules stay as they are.</returns>
    public static EquatableArray<IPPrefix>? BuildRules(MeshView view) => view.Facts?.Steered;

    /// <summary>
    /// Addresses of this node among those sources: its own packets are none of pods, and WireGuard's would come back into the device.
    /// </summary>
    /// <returns><see langword="null"/> while they are unknown; then the rules stay as they are.</returns>
    public static EquatableArray<IPPrefix>? BuildNodeRules(MeshView view) =>
        view.Facts is { } facts ? Held(facts.OwnAddresses, facts.Steered) : null;

    /// <summary>
    /// The routes below those of the device: what refuses packets for other nodes' pods, and what excepts this node's own pods, all
    /// nodes, and pods that cannot be encrypted from a refusal that is wider. Empty in permissive mode.
    /// </summary>
    /// <returns><see langword="null"/> while the nodes are unknown; then the routes stay as they are.</returns>
    public static EquatableArray<Route>? BuildRefusals(MeshView view, EncryptionOptions encryption)
    {
        if (encryption.Mode != EncryptionMode.Strict)
        {
            return [];
        }

        if (view.Facts is not { } facts)
        {
            return null;
        }

        // A range is one refusal with as many exceptions as this node needs; what lies in it needs none of its own. Prefixes outside are
        // refused as they are listed.
        var (refused, covered) = FindRefused(view, facts, encryption);
        var excepted = facts.Own.Concat(facts.Exempt).Where(prefix => PrefixSet.Covers(covered, prefix))
            .Concat(FindSparedNodes(view, facts, covered, isCarried: false));
        return RouteOrder.Sort(refused.Select(Route.Unreachable).Concat(excepted.Select(Route.Throw)).ToEquatableArray());
    }

    /// <summary>
    /// What excepts the nodes from refusals to which there may be a tunnel: the route through it takes the place of the exception.
    /// </summary>
    /// <returns>Empty while the nodes are unknown.</returns>
    public static EquatableArray<Route> BuildFallbacks(MeshView view, EncryptionOptions encryption) =>
        encryption.Mode == EncryptionMode.Strict && view.Facts is { } facts
            ? FindSparedNodes(view, facts, FindRefused(view, facts, encryption).Covered, isCarried: true).Select(Route.Throw)
                .ToEquatableArray()
            : [];

    /// <summary>
    /// What is dropped unless it comes or goes through a device of ours: what holds other nodes' pods, this node's own, and what is spared.
    /// </summary>
    /// <returns><see langword="null"/> while the nodes are unknown; then the table stays as it is.</returns>
    public static FirewallPrefixes? BuildDropped(MeshView view)
    {
        if (view.Facts is not { } facts)
        {
            return null;
        }

        // Where something packs what leaves, it takes this node's own packets from a link that has an address among the pods'. They are no
        // pod's, and where the others are told so, they let them in and answer.
        var own = PrefixSet.Merge(facts.OwnListed);
        if (view.CarriesNodes || view.Encapsulation is { IsWhole: true })
        {
            var addresses = view.Self!.AnnouncedAddresses.Select(address => IPPrefix.Host(address.Unmap())).ToHashSet();
            own = own.SelectMany(prefix => Without(prefix, addresses)).ToEquatableArray();
        }

        return new FirewallPrefixes(facts.Protected, own)
        {
            Spared = facts.Spared,
            Encapsulating = EncapsulationPlan.FindNodes(view),
        };
    }

    private static (EquatableArray<IPPrefix> Refused, EquatableArray<IPPrefix> Covered) FindRefused(
        MeshView view, RosterFacts facts, EncryptionOptions encryption)
    {
        var refused = facts.RemoteListed.AsSpan().ToArray()
            .Concat(view.Others.SelectMany(announcement => announcement.AllowedIPs))
            .Where(prefix => !PrefixSet.Covers(facts.Ranges, prefix))
            .Concat(encryption.ClusterCIDRs.Select(IPPrefix.Parse)).Concat(facts.Ranges)
            .Where(prefix => !PrefixSet.Covers(facts.Own, prefix))
            .Distinct().Order().ToEquatableArray();
        return (refused, PrefixSet.Merge(refused));
    }

    // They talk to pods in clear unless there is a tunnel; a prefix that holds their addresses must not cut that.
    private static IEnumerable<IPPrefix> FindSparedNodes(
        MeshView view, RosterFacts facts, EquatableArray<IPPrefix> covered, bool isCarried)
    {
        var carried = view.OtherNames.SelectMany(name => view.LedAddressesOf(name)).ToHashSet();
        return facts.AllNodeAddresses.Where(address => carried.Contains(address) == isCarried
            && PrefixSet.Covers(covered, address) && !PrefixSet.Covers(facts.Own, address) && !PrefixSet.Covers(facts.Remote, address));
    }

    private static IEnumerable<IPPrefix> Without(IPPrefix prefix, HashSet<IPPrefix> addresses)
    {
        if (addresses.Contains(prefix))
        {
            return [];
        }

        if (!addresses.Any(prefix.Contains))
        {
            return [prefix];
        }

        var (lower, upper) = prefix.Split();
        return Without(lower, addresses).Concat(Without(upper, addresses));
    }

    private static EquatableArray<IPPrefix> Held(EquatableArray<IPPrefix> prefixes, EquatableArray<IPPrefix> holders) =>
        prefixes.Where(prefix => PrefixSet.Covers(holders, prefix)).ToEquatableArray();

    /// <summary>
    /// A peer that no announcement explains stays until every source has answered; after that, as long as it carries a node of the roster
    /// whose announcement nobody has: that node's silo is down, and its data plane outlives it.
    /// </summary>
    private static bool IsCarriedOn(MeshView view, EquatableArray<IPPrefix> prefixes)
    {
        if (!view.MayRemove)
        {
            return true;
        }

        return view.Roster!.Nodes.Values.Any(node => node.NodeName != view.NodeName && !view.Announcements.ContainsKey(node.NodeName)
            && HasAny(PrefixSet.Merge(node.PodCIDRs.Concat(view.Facts!.NodeAddresses.GetValueOrDefault(node.NodeName)))));

        bool HasAny(EquatableArray<IPPrefix> ofNode) => prefixes.Any(prefix => PrefixSet.Overlaps(ofNode, prefix));
    }

    /// <summary>
    /// A slot that this silo does not use may still have its device (<see cref="LeftoverDevice"/>), and its routes stay as long as a peer
    /// would: until the node's announcement says where it is reached now.
    /// </summary>
    private static bool IsLeftover(MeshView view, IReadOnlyList<DesiredDevice> devices, Route route) =>
        view.DeviceNames.Contains(route.DeviceName)
        && devices.All(device => device.Name != route.DeviceName)
        && IsCarriedOn(view, [route.Destination]);

    private static EquatableArray<IPPrefix> Join(EquatableArray<IPPrefix> pods, EquatableArray<IPPrefix> nodes) =>
        nodes.Count == 0 ? pods : pods.Concat(nodes).Distinct().Order().ToEquatableArray();

    // A prefix belongs to one peer of a device. Where an announcement claims one, the announced peer has it.
    private static DesiredPeer Keep(DevicePeer peer, HashSet<IPPrefix> claimed) => new(
        peer.PublicKey,
        peer.Endpoint is null ? [] : [peer.Endpoint],
        peer.AllowedIPs.Where(prefix => !claimed.Contains(prefix)).ToEquatableArray(),
        peer.PersistentKeepaliveInterval);
}
