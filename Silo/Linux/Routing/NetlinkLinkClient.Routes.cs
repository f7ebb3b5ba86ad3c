// Routes and rules through rtnetlink(7).
using System.Net;
using Orleans.WireGuard.Linux.Netlink;
using static Orleans.WireGuard.Linux.Errno;
using static Orleans.WireGuard.Linux.Netlink.NetlinkConstants;

namespace Orleans.WireGuard.Linux.Routing;

public sealed partial class NetlinkLinkClient
{
    private static readonly int[] Families = [AF_INET, AF_INET6];

    /// <inheritdoc/>
    public RouteTable Table { get; }

    /// <inheritdoc/>
    public ILinkClient At(RouteTable table) => new NetlinkLinkClient(_transport, table);

    /// <inheritdoc/>
    public Task<LinkPath?> TryGetPathAsync(IPAddress destination, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(destination);
        var target = destination.Unmap();
        return RunAsync($"find the way to {target}", connection => TryGetPath(connection, target), cancellationToken);
    }

    /// <inheritdoc/>
    public Task<EquatableArray<Route>> GetRoutesAsync(CancellationToken cancellationToken) =>
        RunAsync($"read routing table {Table.Number}", GetRoutes, cancellationToken);

    /// <inheritdoc/>
    public Task ReplaceRouteAsync(Route route, CancellationToken cancellationToken)
    {
        Check(route);
        return ExecuteAsync(
            $"set {Describe(route)}",
            connection => RouteMessages.WriteReplaceRoute(
                connection.Request, Table, route, route.DeviceName.Length == 0 ? 0 : GetIndex(connection, route.DeviceName)),
            cancellationToken);
    }

    /// <inheritdoc/>
    public Task DeleteRouteAsync(Route route, CancellationToken cancellationToken)
    {
        Check(route);
        return RunAsync($"delete {Describe(route)}", connection => DeleteRoute(connection, route), cancellationToken);
    }

    /// <inheritdoc/>
    public Task<EquatableArray<IPPrefix>> GetRulesAsync(CancellationToken cancellationToken) => RunAsync(
        "read rules",
        connection => ReadRules(connection, Families).Where(rule => rule.IsOurs && new RouteTable(rule.Table, rule.Priority) == Table)
            .Select(rule => rule.Source!.Value).Order().ToEquatableArray(),
        cancellationToken);

    /// <inheritdoc/>
    public Task<EquatableArray<RouteTable>> GetFormerTablesAsync(CancellationToken cancellationToken) => RunAsync(
        "read rules",
        connection => ReadRules(connection, Families).Where(rule => rule.IsOurs).Select(rule => new RouteTable(rule.Table, rule.Priority))
            .Where(table => table != Table && table != Table.OfNode).Distinct().ToEquatableArray(),
        cancellationToken);

    /// <inheritdoc/>
    public Task<EquatableArray<ForeignRoute>> GetForeignRoutesAsync(CancellationToken cancellationToken) =>
        RunAsync($"read routing table {Table.Number}", GetForeignRoutes, cancellationToken);

    /// <inheritdoc/>
    public Task DeleteForeignRouteAsync(ForeignRoute route, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(route);
        return ExecuteAsync(
            $"delete the route {route.Description} of table {Table.Number}",
            connection => RouteMessages.WriteDeleteRoute(connection.Request, route),
            cancellationToken,
            ignored: ESRCH);
    }

    /// <inheritdoc/>
    /// <exception cref="ArgumentException"><paramref name="source"/> has length 0.</exception>
    public Task AddRuleAsync(IPPrefix source, CancellationToken cancellationToken) => ExecuteAsync(
        $"add the rule from {source} to table {Table.Number}",
        connection => RouteMessages.WriteAddRule(connection.Request, Table, source),
        cancellationToken,
        ignored: EEXIST);

    /// <inheritdoc/>
    /// <exception cref="ArgumentException"><paramref name="source"/> has length 0.</exception>
    public Task DeleteRuleAsync(IPPrefix source, CancellationToken cancellationToken) => ExecuteAsync(
        $"delete the rule from {source} to table {Table.Number}",
        connection => RouteMessages.WriteDeleteRule(connection.Request, Table, source),
        cancellationToken,
        ignored: ENOENT);

    /// <inheritdoc/>
    public Task<EquatableArray<PacketRule>> GetPacketRulesAsync(CancellationToken cancellationToken) => RunAsync(
        "read rules",
        connection => ReadRules(connection, Families).Where(rule => rule.IsOursOfPackets)
            .Select(rule => new PacketRule(
                new RouteTable(rule.Table, rule.Priority), new OuterPacket(rule.IPProtocol, rule.Port), rule.IsIPv6)).ToEquatableArray(),
        cancellationToken);

    /// <inheritdoc/>
    public Task AddPacketRuleAsync(PacketRule rule, CancellationToken cancellationToken) => ExecuteAsync(
        $"add the rule for packets of {rule.Packet} to table {rule.Table.Number}",
        connection => RouteMessages.WriteAddRule(connection.Request, rule),
        cancellationToken,
        ignored: EEXIST);

    /// <inheritdoc/>
    public Task DeletePacketRuleAsync(PacketRule rule, CancellationToken cancellationToken) => ExecuteAsync(
        $"delete the rule for packets of {rule.Packet} to table {rule.Table.Number}",
        connection => RouteMessages.WriteDeleteRule(connection.Request, rule),
        cancellationToken,
        ignored: ENOENT);

    private static void Check(Route route)
    {
        ArgumentNullException.ThrowIfNull(route);
        if (route.DeviceName.Length > 0)
        {
            CheckName(route.DeviceName);
        }
    }

    private static string Describe(Route route) =>
        $"the route to {route.Destination} {(route.IsUnreachable ? "as unreachable" : route.IsThrow ? "as a matter of other tables" : $"through {route.DeviceName}")}";

    private static LinkPath? TryGetPath(NetlinkConnection connection, IPAddress destination)
    {
        (int Index, int? Mtu, bool IsLearned) path = default;
        try
        {
            connection.Execute(
                RouteMessages.WriteGetPath(connection.Request, destination),
                (in NetlinkMessage message) => path = RouteMessages.ReadPath(message));
        }

        // No route; an unreachable, prohibit or blackhole one (net/ipv4/fib_semantics.c, fib_props); IPv6 switched off.
        catch (LinuxException e) when (e.Errno is ENETUNREACH or EHOSTUNREACH or EACCES or EINVAL or EAFNOSUPPORT or EOPNOTSUPP)
        {
            return null;
        }

        var link = path.Index == 0 ? null : TryGetLink(connection, path.Index);
        return link is null ? null : LinkPath.Of(link.Index, link.Mtu, path.Mtu, path.IsLearned);
    }

    private EquatableArray<Route> GetRoutes(NetlinkConnection connection)
    {
        List<ObservedRoute> observed = [];
        foreach (var family in Families)
        {
            Dump(connection, RouteMessages.WriteGetRoutes(connection.Request, Table.Number, family), (in NetlinkMessage message) =>
            {
                if (RouteMessages.TryReadRoute(message, Table.Number) is { } route)
                {
                    observed.Add(route);
                }
            });
        }

        // A link that went away between the two reads took its routes with it.
        var names = observed.Select(route => route.Index).Where(index => index != 0).Distinct()
            .ToDictionary(index => index, index => TryGetLink(connection, index)?.Name);
        return
        [
            .. observed
                .Select(route => (route.Destination, Name: route.Index == 0 ? "" : names[route.Index], route.IsThrow, route.Source))
                .Where(route => route.Name is not null)
                .Select(route => new Route(route.Destination, route.Name!, route.IsThrow) { Source = route.Source })
                .OrderBy(route => route.Destination)
                .ThenBy(route => route.IsUnreachable)
                .ThenBy(route => route.DeviceName, StringComparer.Ordinal),
        ];
    }

    private EquatableArray<ForeignRoute> GetForeignRoutes(NetlinkConnection connection)
    {
        List<(AnyRoute Route, byte[] Message)> observed = [];
        foreach (var family in Families)
        {
            Dump(connection, RouteMessages.WriteGetRoutes(connection.Request, Table.Number, family), (in NetlinkMessage message) =>
            {
                // A kernel that does not know the filter sends all tables.
                if (RouteMessages.TryReadRoute(message, Table.Number) is null
                    && RouteMessages.ReadAnyRoute(message) is { IsCached: false } route
                    && route.Table == Table.Number)
                {
                    observed.Add((route, message.Payload.ToArray()));
                }
            });
        }

        return
        [
            .. observed.Select(found => new ForeignRoute(
                RouteMessages.Describe(found.Route, found.Route.Index == 0 ? "" : TryGetLink(connection, found.Route.Index)?.Name ?? ""), [
                    .. found.Message])),
        ];
    }

    private bool DeleteRoute(NetlinkConnection connection, Route route)
    {
        var index = 0;
        if (route.DeviceName.Length > 0)
        {
            if (TryGetLink(connection, route.DeviceName) is not { } link)
            {
                return false;
            }

            index = link.Index;
        }

        return Execute(connection, RouteMessages.WriteDeleteRoute(connection.Request, Table, route, index), ESRCH);
    }

    private static List<RuleEntry> ReadRules(NetlinkConnection connection, IEnumerable<int> families)
    {
        List<RuleEntry> rules = [];
        foreach (var family in families)
        {
            Dump(connection, RouteMessages.WriteGetRules(connection.Request, family), (in NetlinkMessage message) => rules.Add(
                DumpMessages.ReadRule(message)));
        }

        return rules;
    }

    private static void Dump(NetlinkConnection connection, Span<byte> request, NetlinkMessageHandler handler)
    {
        try
        {
            connection.Execute(request, handler);
        }

        // The table has no route yet (a strict dump says so), or this kernel runs without IPv6.
        catch (LinuxException e) when (e.Errno is ENOENT or EAFNOSUPPORT or EOPNOTSUPP)
        {
        }
    }
}
