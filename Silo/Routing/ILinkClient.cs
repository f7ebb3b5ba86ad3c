using Orleans.WireGuard.Silo.Devices;

namespace Orleans.WireGuard.Silo.Routing;

/// <summary>Links, routes and rules of this network namespace. Touches only what it made: its own routing table and rules.</summary>
/// <remarks>Every failure of the system is a <see cref="DeviceException"/>.</remarks>
internal interface ILinkClient
{
    /// <summary>Reads a link, or <see langword="null"/> if there is none of this name.</summary>
    Task<Link?> TryGetLink(string name, CancellationToken cancellationToken);

    /// <summary>Sets the MTU in bytes.</summary>
    Task SetMtu(string name, int mtu, CancellationToken cancellationToken);

    /// <summary>Brings a link up.</summary>
    Task SetUp(string name, CancellationToken cancellationToken);

    /// <summary>
    /// Lets packets in whose answers would leave through another link. While traffic moves from one slot to the other, the two directions of a
    /// connection use different devices, and a strict source check (rp_filter) would drop both.
    /// </summary>
    Task SetLooseSourceCheck(string name, CancellationToken cancellationToken);

    /// <summary>Reads what <see cref="SetLooseSourceCheck"/> set; <see cref="SourceCheck.None"/> if there is no such link.</summary>
    Task<SourceCheck> GetSourceCheck(string name, CancellationToken cancellationToken);

    /// <summary>How many packets came in through a link since it was made. Through a WireGuard device: data only, no handshakes and keepalives.</summary>
    Task<long> GetReceivedPackets(string name, CancellationToken cancellationToken);

    /// <summary>How the system would send to <paramref name="destination"/>; <see langword="null"/> if unreachable.</summary>
    Task<LinkPath?> TryGetPath(System.Net.IPAddress destination, CancellationToken cancellationToken);

    /// <summary>
    /// The routes of <see cref="RouteTable.Number"/> that carry <see cref="RouteTable.Protocol"/>, sorted by destination, an unreachable one last.
    /// </summary>
    Task<EquatableArray<Route>> GetRoutes(CancellationToken cancellationToken);

    /// <summary>Adds a route to <see cref="RouteTable.Number"/>, or replaces the one for the same destination in one step. A route through a device and an
    /// unreachable one are two routes; neither replaces the other.</summary>
    Task ReplaceRoute(Route route, CancellationToken cancellationToken);

    /// <summary>Removes a route of <see cref="RouteTable.Number"/>. One that is not there is fine.</summary>
    Task DeleteRoute(Route route, CancellationToken cancellationToken);

    /// <summary>The sources whose packets are looked up in <see cref="RouteTable.Number"/>, sorted.</summary>
    Task<EquatableArray<IPPrefix>> GetRules(CancellationToken cancellationToken);

    /// <summary>Looks packets from <paramref name="source"/> up in <see cref="RouteTable.Number"/>.</summary>
    Task AddRule(IPPrefix source, CancellationToken cancellationToken);

    /// <summary>Stops that. A rule that is not there is fine.</summary>
    Task DeleteRule(IPPrefix source, CancellationToken cancellationToken);
}
