using System.Net;
using Orleans.WireGuard.Silo.Devices;
using Orleans.WireGuard.Silo.Routing;

namespace Orleans.WireGuard.Silo.Agent;

/// <summary>Chooses by which of its addresses a peer is reached: the first one announced to which this node has a route.</summary>
/// <remarks>
/// A node of two families announces both, and a node of one family can use one. Not thread-safe: the agent runs one pass at a time.
/// </remarks>
internal sealed class EndpointChooser(UnderlayPaths paths)
{
    /// <summary>Leaves out the endpoints that this node has no route to, unless a peer has no other.</summary>
    public async Task<DesiredDevice> Choose(DesiredDevice device, CancellationToken cancellationToken)
    {
        var addresses = device.Peers.Where(HasChoice).SelectMany(peer => peer.Endpoints).Select(endpoint => endpoint.Address).ToHashSet();
        var found = await paths.Find(addresses, cancellationToken);
        return device with
        {
            Peers = device.Peers.Select(peer => HasChoice(peer) ? peer with { Endpoints = Choose(peer.Endpoints, found) } : peer).ToEquatableArray(),
        };
    }

    private static bool HasChoice(DesiredPeer peer) => peer.Endpoints.Count > 1;

    private static EquatableArray<IPEndPoint> Choose(EquatableArray<IPEndPoint> endpoints, IReadOnlyDictionary<IPAddress, LinkPath?> found)
    {
        var routed = endpoints.Where(endpoint => found[endpoint.Address] is not null).ToEquatableArray();
        return routed.Count > 0 ? routed : endpoints;
    }
}
