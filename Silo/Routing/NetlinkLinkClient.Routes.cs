// Routes and rules through rtnetlink(7).
using System.Net;
using Orleans.WireGuard.Silo.Devices;
using Orleans.WireGuard.Silo.Devices.Netlink;
using static Orleans.WireGuard.Silo.Devices.Netlink.NetlinkConstants;

namespace Orleans.WireGuard.Silo.Routing;

internal sealed partial class NetlinkLinkClient
{
    private static readonly int[] Families = [AF_INET, AF_INET6];

    /// <inheritdoc/>
    public Task<LinkPath?> TryGetPath(IPAddress destination, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(destination);
        var target = destination.IsIPv4MappedToIPv6 ? destination.MapToIPv4() : destination;
        return Run($"find the way to {target}", connection => TryGetPath(connection, target), cancellationToken);
    }

    /// <inheritdoc/>
    public Task<EquatableArray<Route>> GetRoutes(CancellationToken cancellationToken) =>
        Run($"read routing table {RouteTable.Number}", GetRoutes, cancellationToken);

    /// <inheritdoc/>
    public Task ReplaceRoute(Route route, CancellationToken cancellationToken)
    {
        Check(route);
        return Execute(
            $"set {Describe(route)}",
            connection => RouteMessages.WriteReplaceRoute(
                connection.Request, route, route.DeviceName.Length == 0 ? 0 : GetIndex(connection, route.DeviceName)),
            cancellationToken);
    }

    /// <inheritdoc/>
    public Task DeleteRoute(Route route, CancellationToken cancellationToken)
    {
        Check(route);
        return Run($"delete {Describe(route)}", connection => DeleteRoute(connection, route), cancellationToken);
    }

    /// <inheritdoc/>
    public Task<EquatableArray<IPPrefix>> GetRules(CancellationToken cancellationToken) =>
        Run("read rules", GetRules, cancellationToken);

    /// <inheritdoc/>
    /// <exception cref="ArgumentException"><paramref name="source"/> has length 0.</exception>
    public Task AddRule(IPPrefix source, CancellationToken cancellationToken) => Execute(
        $"add the rule from {source} to table {RouteTable.Number}",
        connection => RouteMessages.WriteAddRule(connection.Request, source),
        cancellationToken,
        ignored: EEXIST);

    /// <inheritdoc/>
    /// <exception cref="ArgumentException"><paramref name="source"/> has length 0.</exception>
    public Task DeleteRule(IPPrefix source, CancellationToken cancellationToken) => Execute(
        $"delete the rule from {source} to table {RouteTable.Number}",
        connection => RouteMessages.WriteDeleteRule(connection.Request, source),
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
        (int Index, int? Mtu) path = default;
        try
        {
            connection.Execute(
                RouteMessages.WriteGetPath(connection.Request, destination),
                (in NetlinkMessage message) => path = RouteMessages.ReadPath(message));
        }

        // No route; an unreachable, prohibit or blackhole one (net/ipv4/fib_semantics.c, fib_props); IPv6 switched off.
        catch (DeviceException e) when (e.Errno is ENETUNREACH or EHOSTUNREACH or EACCES or EINVAL or EAFNOSUPPORT or EOPNOTSUPP)
        {
            return null;
        }

        var link = path.Index == 0 ? null : TryGetLink(connection, path.Index);
        return link is null ? null : new LinkPath(link.Index, Math.Min(link.Mtu, path.Mtu ?? link.Mtu));
    }

    private static EquatableArray<Route> GetRoutes(NetlinkConnection connection)
    {
        List<ObservedRoute> observed = [];
        foreach (var family in Families)
        {
            Dump(connection, RouteMessages.WriteGetRoutes(connection.Request, family), (in NetlinkMessage message) =>
            {
                if (RouteMessages.TryReadRoute(message) is { } route)
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
                .Select(route => (route.Destination, Name: route.Index == 0 ? "" : names[route.Index], route.IsThrow))
                .Where(route => route.Name is not null)
                .Select(route => new Route(route.Destination, route.Name!, route.IsThrow))
                .OrderBy(route => route.Destination)
                .ThenBy(route => route.IsUnreachable)
                .ThenBy(route => route.DeviceName, StringComparer.Ordinal),
        ];
    }

    private static bool DeleteRoute(NetlinkConnection connection, Route route)
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

        return Execute(connection, RouteMessages.WriteDeleteRoute(connection.Request, route, index), ESRCH);
    }

    private static EquatableArray<IPPrefix> GetRules(NetlinkConnection connection)
    {
        List<IPPrefix> rules = [];
        foreach (var family in Families)
        {
            Dump(connection, RouteMessages.WriteGetRules(connection.Request, family), (in NetlinkMessage message) =>
            {
                if (RouteMessages.TryReadRule(message) is { } rule)
                {
                    rules.Add(rule);
                }
            });
        }

        rules.Sort();
        return [.. rules];
    }

    private static void Dump(NetlinkConnection connection, Span<byte> request, NetlinkMessageHandler handler)
    {
        try
        {
            connection.Execute(request, handler);
        }

        // The table has no route yet (a strict dump says so), or this kernel runs without IPv6.
        catch (DeviceException e) when (e.Errno is ENOENT or EAFNOSUPPORT or EOPNOTSUPP)
        {
        }
    }
}
