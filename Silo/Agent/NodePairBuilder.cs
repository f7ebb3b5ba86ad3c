using Orleans.WireGuard.Grains;
using Orleans.WireGuard.Linux.Devices;

namespace Orleans.WireGuard.Silo.Agent;

/// <summary>Tells how it is between this node and others, by what the devices show and where was sent to. Only reads.</summary>
internal static class NodePairBuilder
{
    /// <summary>Tells it.</summary>
    /// <param name="others">The other nodes that count.</param>
    /// <param name="devices">The devices as they are.</param>
    /// <param name="endpoints">Which peers answer, and where they were sent to.</param>
    /// <param name="awaited">The nodes with which a slot waits for a handshake, by name.</param>
    /// <param name="now">The time.</param>
    public static IReadOnlyList<NodePair> Build(
        IEnumerable<PeerAnnouncement> others,
        IReadOnlyDictionary<Slot, Device> devices,
        EndpointChooser endpoints,
        IReadOnlySet<string> awaited,
        SteadyTime now)
    {
        var held = devices.Select(device => (Slot: device.Key, Peers: device.Value.Peers.ToDictionary(peer => peer.PublicKey))).ToList();
        return [.. others.Select(Pair)];

        NodePair Pair(PeerAnnouncement other)
        {
            var peers = held.Select(device => (
                device.Slot,
                Peer: other.Find(device.Slot) is { } announced ? device.Peers.GetValueOrDefault(announced.PublicKey) : null))
                .Where(found => found.Peer is not null).Select(found => (found.Slot, Peer: found.Peer!)).ToList();
            return new NodePair(
                other.NodeName,
                peers.Any(found => endpoints.IsAnswering(found.Slot, found.Peer, awaited.Contains(other.NodeName), now)),
                peers.Select(found => endpoints.AskedSince(found.Slot, found.Peer.PublicKey)).Min() ?? now,
                [.. peers.SelectMany(found => endpoints.Tried(found.Slot, found.Peer.PublicKey))]);
        }
    }
}
