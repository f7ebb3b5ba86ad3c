using System.Net;
using Orleans.WireGuard.Silo.Devices;
using Orleans.WireGuard.Silo.Routing;

namespace Orleans.WireGuard.Silo.Agent;

/// <summary>Chooses by which of its addresses a peer is reached: the first one announced to which this node has a route.</summary>
/// <remarks>
/// A node of two families announces both, and a node of one family can use one. Routes are asked at every resync, and when an address is new.
/// Not thread-safe: the agent runs one pass at a time.
/// </remarks>
internal sealed class EndpointChooser(ILinkClient links)
{
    private readonly Dictionary<IPAddress, bool> _hasRoute = [];

    /// <summary>Forgets which addresses have a route: at a resync.</summary>
    public void Forget() => _hasRoute.Clear();

    /// <summary>Leaves out the endpoints that this node has no route to, unless a peer has no other.</summary>
    public async Task<DesiredDevice> Choose(DesiredDevice device, CancellationToken cancellationToken)
    {
        var peers = new List<DesiredPeer>();
        foreach (var peer in device.Peers)
        {
            peers.Add(peer.Endpoints.Count > 1 ? peer with { Endpoints = await Choose(peer.Endpoints, cancellationToken) } : peer);
        }

        return device with { Peers = peers.ToEquatableArray() };
    }

    private async Task<EquatableArray<IPEndPoint>> Choose(EquatableArray<IPEndPoint> endpoints, CancellationToken cancellationToken)
    {
        var routed = new List<IPEndPoint>();
        foreach (var endpoint in endpoints)
        {
            if (!_hasRoute.TryGetValue(endpoint.Address, out var hasRoute))
            {
                _hasRoute[endpoint.Address] = hasRoute = await links.GetPathMtu(endpoint.Address, cancellationToken) is not null;
            }

            if (hasRoute)
            {
                routed.Add(endpoint);
            }
        }

        return routed.Count > 0 ? routed.ToEquatableArray() : endpoints;
    }
}
