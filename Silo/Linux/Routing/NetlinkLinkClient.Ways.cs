// Which way packets of pods take, through rtnetlink(7).
using Orleans.WireGuard.Linux.Netlink;
using static Orleans.WireGuard.Linux.Errno;
using static Orleans.WireGuard.Linux.Netlink.NetlinkConstants;

namespace Orleans.WireGuard.Linux.Routing;

public sealed partial class NetlinkLinkClient
{
    /// <inheritdoc/>
    public Task<EquatableArray<Way>> FindWaysAsync(EquatableArray<WayQuestion> questions, CancellationToken cancellationToken) =>
        RunAsync("find the ways of packets of pods", connection => FindWays(connection, questions), cancellationToken);

    /// <inheritdoc/>
    public Task<PodLink?> FindPodLinkAsync(IPPrefix podCIDR, CancellationToken cancellationToken) =>
        RunAsync($"find a pod of {podCIDR}", connection => FindPodLink(connection, podCIDR), cancellationToken);

    /// <inheritdoc/>
    public Task<EquatableArray<RuleEntry>> GetAllRulesAsync(bool isIPv6, CancellationToken cancellationToken) => RunAsync(
        "read rules",
        connection => ReadRules(connection, [isIPv6 ? AF_INET6 : AF_INET]).OrderBy(rule => rule.Priority).ToEquatableArray(),
        cancellationToken);

    private static EquatableArray<Way> FindWays(NetlinkConnection connection, EquatableArray<WayQuestion> questions)
    {
        var indexes = questions.Select(question => question.From.LinkName).Distinct()
            .ToDictionary(name => name, name => TryGetLink(connection, name)?.Index ?? 0);
        var names = new Dictionary<int, string>();
        return questions.Select(question => indexes[question.From.LinkName] is > 0 and var index ? Ask(question, index) : Way.Unknown)
            .ToEquatableArray();

        Way Ask(WayQuestion question, int inputIndex)
        {
            (int Index, uint Table) found = default;
            try
            {
                connection.Execute(
                    RouteMessages.WriteGetWay(connection.Request, question.From.Address, inputIndex, question.Destination),
                    (in NetlinkMessage message) => found = RouteMessages.ReadWay(message));
            }

            // No route, or an unreachable or prohibit one (net/ipv4/fib_semantics.c, fib_props).
            catch (LinuxException e) when (e.Errno is ENETUNREACH or EHOSTUNREACH or EACCES)
            {
                return Way.Refused;
            }

            // The source check would drop it; or it is no address of a pod, or the route a blackhole; the link is gone; IPv6 switched off.
            catch (LinuxException e) when (e.Errno is EXDEV or EINVAL or ENODEV or EAFNOSUPPORT or EOPNOTSUPP)
            {
                return Way.Unknown;
            }

            return found.Index == 0 ? Way.Refused : new Way(NameOf(found.Index), found.Table, WayFate.Leaves);
        }

        string NameOf(int index)
        {
            if (!names.TryGetValue(index, out var name))
            {
                names[index] = name = TryGetLink(connection, index)?.Name ?? "";
            }

            return name;
        }
    }

    private static PodLink? FindPodLink(NetlinkConnection connection, IPPrefix podCIDR)
    {
        AnyRoute? best = null;
        Dump(connection, RouteMessages.WriteGetRoutes(connection.Request, RT_TABLE_MAIN, podCIDR.IsIPv6 ? AF_INET6 : AF_INET), (
            in NetlinkMessage message) =>
        {
            // A pod's own route tells its address, which is better than one that nobody may have.
            if (RouteMessages.ReadAnyRoute(
                message) is { Table: RT_TABLE_MAIN, Type: RTN_UNICAST, HasHops: false, IsCached: false, Index: > 0 } route
                && route.Destination is { } destination && podCIDR.Contains(destination)
                && (best is null || destination.Length > best.Destination!.Value.Length))
            {
                best = route;
            }
        });
        return best is not null && TryGetLink(connection, best.Index) is { } link
            ? new PodLink(link.Name, PodAddress.Of(best.Destination!.Value, best.PreferredSource))
            : null;
    }
}
