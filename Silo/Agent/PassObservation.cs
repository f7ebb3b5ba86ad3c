using Orleans.WireGuard.Grains.Clocks;
using Orleans.WireGuard.Grains.Rotation;
using Orleans.WireGuard.Linux.Devices;
using Orleans.WireGuard.Linux.Routing;

namespace Orleans.WireGuard.Silo.Agent;

/// <summary>What a pass knows at one moment: it is taken before the devices are configured, and again when they have been.</summary>
internal sealed record PassObservation
{
    private readonly Dictionary<Slot, Dictionary<PublicKey, DevicePeer>> _peers;

    /// <summary>Takes it.</summary>
    /// <param name="view">What is announced, and this node's keys.</param>
    /// <param name="devices">The devices of the slots that this node uses, as they are.</param>
    /// <param name="routes">The routes of our table as they are.</param>
    /// <param name="own">This node's announcement as far as it is published; <see langword="null"/> before the first.</param>
    /// <param name="applied">The nodes whose devices hold <paramref name="own"/>.</param>
    /// <param name="now">The time.</param>
    public PassObservation(
        MeshView view,
        IReadOnlyDictionary<Slot, Device> devices,
        EquatableArray<Route> routes,
        PeerAnnouncement? own,
        IReadOnlySet<string> applied,
        SteadyTime now)
    {
        (View, Devices, Routes, Own, Applied, Now) = (view, devices, routes, own, applied, now);
        _peers = devices.ToDictionary(device => device.Key, device => device.Value.Peers.ToDictionary(peer => peer.PublicKey));
        Current = FindCurrent(view, devices.Keys, routes);
    }

    /// <summary>What is announced, and this node's keys.</summary>
    public MeshView View { get; }

    /// <summary>The devices as they are, by slot.</summary>
    public IReadOnlyDictionary<Slot, Device> Devices { get; }

    /// <summary>The routes of our table as they are.</summary>
    public EquatableArray<Route> Routes { get; }

    /// <summary>The slot that the routes to a node lead through, by node name.</summary>
    public IReadOnlyDictionary<string, Slot> Current { get; }

    /// <summary>This node's announcement as far as it is published; <see langword="null"/> before the first.</summary>
    public PeerAnnouncement? Own { get; }

    /// <summary>The nodes whose devices hold <see cref="Own"/>.</summary>
    public IReadOnlySet<string> Applied { get; init; }

    /// <summary>The time.</summary>
    public SteadyTime Now { get; init; }

    /// <summary>A peer as the device of a slot has it; <see langword="null"/> if it has not, or has another key than this node means.</summary>
    public DevicePeer? FindPeer(SlotKey key, PublicKey peer) =>
        Devices.TryGetValue(key.Slot, out var device) && device.PublicKey == key.KeyPair.PublicKey
            ? _peers[key.Slot].GetValueOrDefault(peer)
            : null;

    // The first prefix that has a route tells: they all move together.
    private static Dictionary<string, Slot> FindCurrent(MeshView view, IEnumerable<Slot> used, EquatableArray<Route> routes)
    {
        var slots = used.ToDictionary(view.DeviceNames.Of);
        var current = new Dictionary<string, Slot>(StringComparer.Ordinal);
        foreach (var other in view.Others)
        {
            foreach (var prefix in other.AllowedIPs.Concat(view.CarriedAddressesOf(other.NodeName)))
            {
                if (RouteOrder.FindFirst(routes, prefix) is { } route && slots.TryGetValue(route.DeviceName, out var slot))
                {
                    current[other.NodeName] = slot;
                    break;
                }
            }
        }

        return current;
    }
}
