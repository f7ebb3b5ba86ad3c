namespace Orleans.WireGuard.Linux.Routing;

/// <summary>Links, routes and rules of this network namespace. Touches only what is in its own routing table, and its own rules.</summary>
/// <remarks>Every failure of the system is a <see cref="LinuxException"/>.</remarks>
public interface ILinkClient : IWayClient
{
    /// <summary>Where our routes live.</summary>
    RouteTable Table { get; }

    /// <summary>The same for another table of ours: one that a silo used before its configuration changed.</summary>
    ILinkClient At(RouteTable table);

    /// <summary>Reads a link, or <see langword="null"/> if there is none of this name.</summary>
    Task<Link?> TryGetLinkAsync(string name, CancellationToken cancellationToken);

    /// <summary>Reads a link by its number, or <see langword="null"/> if there is none of this number.</summary>
    Task<Link?> TryGetLinkAsync(int index, CancellationToken cancellationToken);

    /// <summary>
    /// Gives a link another name. A kernel before 6.2 renames none that is up, so there it is down afterwards and has lost its routes.
    /// </summary>
    Task RenameAsync(int index, string name, CancellationToken cancellationToken);

    /// <summary>Sets the MTU in bytes.</summary>
    Task SetMtuAsync(string name, int mtu, CancellationToken cancellationToken);

    /// <summary>Brings a link up.</summary>
    Task SetUpAsync(string name, CancellationToken cancellationToken);

    /// <summary>
    /// Lets packets in whose answers would leave through another link. While traffic moves from one slot to the other, the two directions
    /// of a connection use different devices, and a strict source check (rp_filter) would drop both.
    /// </summary>
    Task SetLooseSourceCheckAsync(string name, CancellationToken cancellationToken);

    /// <summary>Reads what <see cref="SetLooseSourceCheckAsync"/> set; <see cref="SourceCheck.None"/> if there is no such link.</summary>
    Task<SourceCheck> GetSourceCheckAsync(string name, CancellationToken cancellationToken);

    /// <summary>
    /// What a link has counted since it was made. Of what came in through a WireGuard device: data only, no handshakes and keepalives.
    /// </summary>
    Task<LinkTraffic> GetTrafficAsync(string name, CancellationToken cancellationToken);

    /// <summary>How the system would send to <paramref name="destination"/>; <see langword="null"/> if unreachable.</summary>
    Task<LinkPath?> TryGetPathAsync(System.Net.IPAddress destination, CancellationToken cancellationToken);

    /// <summary>
    /// The routes of <see cref="Table"/> that carry <see cref="RouteTable.Protocol"/>, sorted by destination, an unreachable one last.
    /// </summary>
    Task<EquatableArray<Route>> GetRoutesAsync(CancellationToken cancellationToken);

    /// <summary>Adds a route to <see cref="Table"/>, or replaces the one for the same destination in one step. A route through a device and
    /// an unreachable one are two routes; neither replaces the other.</summary>
    Task ReplaceRouteAsync(Route route, CancellationToken cancellationToken);

    /// <summary>Removes a route of <see cref="Table"/>. One that is not there is fine.</summary>
    Task DeleteRouteAsync(Route route, CancellationToken cancellationToken);

    /// <summary>The routes of <see cref="Table"/> that are none of ours.</summary>
    Task<EquatableArray<ForeignRoute>> GetForeignRoutesAsync(CancellationToken cancellationToken);

    /// <summary>Removes one of them. One that is not there is fine.</summary>
    Task DeleteForeignRouteAsync(ForeignRoute route, CancellationToken cancellationToken);

    /// <summary>Where other routes of ours live, as rules with our protocol tell: from another configuration.</summary>
    Task<EquatableArray<RouteTable>> GetFormerTablesAsync(CancellationToken cancellationToken);

    /// <summary>The sources whose packets are looked up in <see cref="Table"/>, sorted.</summary>
    Task<EquatableArray<IPPrefix>> GetRulesAsync(CancellationToken cancellationToken);

    /// <summary>Looks packets from <paramref name="source"/> up in <see cref="Table"/>.</summary>
    Task AddRuleAsync(IPPrefix source, CancellationToken cancellationToken);

    /// <summary>Stops that. A rule that is not there is fine.</summary>
    Task DeleteRuleAsync(IPPrefix source, CancellationToken cancellationToken);

    /// <summary>
    /// All our rules about packets that another data plane of this node has packed, those too that lead to another table than the present
    /// one.
    /// </summary>
    Task<EquatableArray<PacketRule>> GetPacketRulesAsync(CancellationToken cancellationToken);

    /// <summary>Adds one. One that is there is fine.</summary>
    Task AddPacketRuleAsync(PacketRule rule, CancellationToken cancellationToken);

    /// <summary>Removes one. One that is not there is fine.</summary>
    Task DeletePacketRuleAsync(PacketRule rule, CancellationToken cancellationToken);
}
