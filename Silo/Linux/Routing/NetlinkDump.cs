using Orleans.WireGuard.Linux.Netlink;
using static Orleans.WireGuard.Linux.Errno;
using static Orleans.WireGuard.Linux.Netlink.NetlinkConstants;

namespace Orleans.WireGuard.Linux.Routing;

/// <summary>Reads it through rtnetlink, in the network namespace of the caller's thread.</summary>
/// <param name="timeProvider">Times the pauses before repetitions.</param>
/// <param name="table">
/// The one table whose routes are read, without any rules: our own table may have tens of thousands. All tables, and the rules, if not
/// given.
/// </param>
public sealed class NetlinkDump(TimeProvider timeProvider, uint? table = null) : INetworkDump
{
    private static readonly int[] Families = [AF_INET, AF_INET6];

    private readonly NetlinkTransport _transport = new(NETLINK_ROUTE, timeProvider, NetlinkSocket.Open);

    /// <inheritdoc/>
    public Task<NetworkDump> ReadAsync(CancellationToken cancellationToken) =>
        _transport.RunAsync("read links, routes and rules", Read, hint: null, cancellationToken);

    private NetworkDump Read(NetlinkConnection connection)
    {
        List<LinkEntry> links = [];
        connection.Execute(
            DumpMessages.WriteGetLinks(connection.Request), (in NetlinkMessage message) => links.Add(DumpMessages.ReadLink(message)));
        List<AddressEntry> addresses = [];
        List<RouteEntry> routes = [];
        List<RuleEntry> rules = [];
        (bool IsForwarding, int SourceCheck)? ipv4 = null, ipv6 = null;
        foreach (var family in Families)
        {
            Ask(connection, DumpMessages.WriteGetAddresses(connection.Request, family), (in NetlinkMessage message) => Add(
                addresses, DumpMessages.ReadAddress(message)));
            if (table is { } only)
            {
                // Where the kernel does not filter, this does.
                Ask(connection, RouteMessages.WriteGetRoutes(connection.Request, only, family), (in NetlinkMessage message) => Add(
                    routes, DumpMessages.ReadRoute(message) is { } route && route.Table == only ? route : null));
                continue;
            }

            Ask(connection, DumpMessages.WriteGetRoutes(connection.Request, family), (in NetlinkMessage message) => Add(
                routes, DumpMessages.ReadRoute(message)));
            Ask(connection, DumpMessages.WriteGetRules(connection.Request, family), (in NetlinkMessage message) => rules.Add(
                DumpMessages.ReadRule(message)));
        }

        Ask(connection, DumpMessages.WriteGetForwarding(connection.Request, AF_INET), (in NetlinkMessage message) =>
            ipv4 = DumpMessages.ReadForwarding(message));
        Ask(connection, DumpMessages.WriteGetForwarding(connection.Request, AF_INET6), (in NetlinkMessage message) =>
            ipv6 = DumpMessages.ReadForwarding(message));
        return new NetworkDump(
            links.OrderBy(link => link.Index).ToEquatableArray(),
            addresses.ToEquatableArray(),
            routes.ToEquatableArray(),
            rules.OrderBy(rule => rule.IsIPv6).ThenBy(rule => rule.Priority).ToEquatableArray(),
            new ForwardingEntry(ipv6?.IsForwarding, ipv4?.SourceCheck ?? 0));
    }

    private static void Add<T>(List<T> list, T? entry)
        where T : class
    {
        if (entry is not null)
        {
            list.Add(entry);
        }
    }

    private static void Ask(NetlinkConnection connection, Span<byte> request, NetlinkMessageHandler handler)
    {
        try
        {
            connection.Execute(request, handler);
        }

        // This kernel runs without IPv6, or a table has no route.
        catch (LinuxException e) when (e.Errno is ENOENT or EAFNOSUPPORT or EOPNOTSUPP)
        {
        }
    }
}
