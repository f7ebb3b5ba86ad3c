using Orleans.WireGuard.Grains.Nodes;
using Orleans.WireGuard.Linux.Devices;
using Orleans.WireGuard.Linux.Routing;

namespace Orleans.WireGuard.Silo.Agent;

/// <summary>Whose a device is that was there before this silo.</summary>
internal enum DeviceOwner
{
    /// <summary>A former silo of this node made it, or nothing on it is worth keeping for anybody.</summary>
    Ours,

    /// <summary>Somebody else configures it.</summary>
    SomebodyElse,

    /// <summary>It has peers, and the node source has not answered yet, so they cannot be explained.</summary>
    Unknown,
}

/// <summary>
/// Tells what a former silo of this node left behind, which is adopted, from a device that somebody else configures, such as Cilium or
/// wg-quick, which is refused. Pure.
/// </summary>
/// <remarks>
/// Our own leftovers are told by any one of: the key is the one that this node announced; a route of our table with our protocol number
/// leads through the device; each peer's allowed IPs are, as whole prefixes, pod CIDRs of the roster or destinations of such routes through
/// either device, or its key is an announced one. Whole prefixes, because Cilium's device has the same name and carries pod and node
/// addresses inside the same CIDRs, one by one. Routes, because a node may have left the roster while the silo was down, and its peer is
/// nobody else's for that; and because of two devices one carries nothing, and the roster may be out of reach. Beside such prefixes a
/// peer may have addresses of nodes.
/// </remarks>
internal static class DeviceOwnership
{
    /// <summary>Whose a device is that was there before this silo.</summary>
    /// <param name="device">As read.</param>
    /// <param name="nodeName">The node that the device is on.</param>
    /// <param name="roster">Who the nodes are; <see langword="null"/> until the source has answered.</param>
    /// <param name="announcements">What is held, by node name; empty at start.</param>
    /// <param name="routes">The routes of our table.</param>
    public static DeviceOwner Judge(
        Device device,
        string nodeName,
        NodeRoster? roster,
        IReadOnlyDictionary<string, PeerAnnouncement> announcements,
        EquatableArray<Route> routes)
    {
        if (device.PublicKey is not { } key || (device.Peers.Count == 0 && device.FirewallMark == 0))
        {
            return DeviceOwner.Ours;
        }

        var isAnnounced = announcements.GetValueOrDefault(nodeName)?.Slots.Any(slot => slot.PublicKey == key) ?? false;
        if (isAnnounced || routes.Any(route => route.DeviceName == device.Name))
        {
            return DeviceOwner.Ours;
        }

        // We set no mark. Cilium does (0xe00), and wg-quick when it takes the default route.
        if (device.FirewallMark != 0)
        {
            return DeviceOwner.SomebodyElse;
        }

        return Unexplained(device, roster, announcements, routes).Any()
            ? roster is null ? DeviceOwner.Unknown : DeviceOwner.SomebodyElse
            : DeviceOwner.Ours;
    }

    /// <summary>What was seen on somebody else's device, and the three ways out, in one line.</summary>
    public static string Describe(
        Device device, NodeRoster? roster, IReadOnlyDictionary<string, PeerAnnouncement> announcements, EquatableArray<Route> routes)
    {
        const int MaxListed = 3;
        var unexplained = Unexplained(device, roster, announcements, routes).ToList();
        var listed = unexplained.Take(MaxListed)
            .Select(peer => $"{peer.PublicKey.ToShortString()} with allowed IPs {string.Join(", ", peer.AllowedIPs.Take(MaxListed))}");
        var more = unexplained.Count > MaxListed ? $" and {unexplained.Count - MaxListed} more" : "";
        var peers = unexplained.Count == 0 ? "" : $" and peers of no node of this mesh ({string.Join("; ", listed)}{more})";
        var mark = device.FirewallMark == 0 ? "" : FormattableString.Invariant($", firewall mark 0x{device.FirewallMark:x}");
        return $"The device {device.Name} is configured by somebody else: it has key {device.PublicKey?.ToShortString()}, UDP port {device.ListenPort}{mark}{peers}. "
            + "Three ways out: stop whoever configures it (Cilium: encryption.enabled=false; 'wg-quick down'); "
            + $"or, if nobody needs it, remove it with 'ip link delete {device.Name}'; or set Device:TakeOver to true, and this silo replaces its key and peers.";
    }

    // While nobody knows the nodes, any address may be one of theirs.
    private static bool IsHost(IPPrefix prefix) => prefix == IPPrefix.Host(prefix.Address);

    private static IEnumerable<DevicePeer> Unexplained(
        Device device, NodeRoster? roster, IReadOnlyDictionary<string, PeerAnnouncement> announcements, EquatableArray<Route> routes)
    {
        // By any name that a device of ours may have had: the routes are ours, whatever the configuration called the devices then.
        var tunnels = routes.Where(route => route.DeviceName.StartsWith(DeviceNames.Prefix, StringComparison.Ordinal))
            .Select(route => route.Destination);
        var prefixes = (roster?.Nodes.Values ?? [])
            .SelectMany(node => node.PodCIDRs.Concat(node.ListedPodCIDRs)).Concat(tunnels).ToHashSet();
        var keys = announcements.Values.SelectMany(announcement => announcement.Slots).Select(slot => slot.PublicKey).ToHashSet();
        // A node's address is in others' tunnels too, so it tells nothing alone: Cilium's device has nothing else in its tunnel mode.
        var nodes = (roster?.Nodes.Values ?? []).SelectMany(node => node.Addresses.Concat(node.AnnouncedAddresses))
            .Select(address => IPPrefix.Host(address.Unmap())).ToHashSet();
        return device.Peers.Where(peer => !keys.Contains(peer.PublicKey)
            && !(peer.AllowedIPs.All(prefix => prefixes.Contains(prefix) || (roster is null ? IsHost(prefix) : nodes.Contains(prefix)))
                && (peer.AllowedIPs.Count == 0 || peer.AllowedIPs.Any(prefixes.Contains))));
    }
}
