using Microsoft.Extensions.Logging;
using Orleans.WireGuard.Linux.Netlink;
using static Orleans.WireGuard.Linux.Netlink.NetlinkConstants;

// Listens to the multicast groups of rtnetlink(7) and of nf_tables.

namespace Orleans.WireGuard.Linux.Routing;

/// <summary>
/// Notices at once that somebody, we ourselves included, changed what concerns us of links, addresses, routes, rules and nftables. What it
/// was is for the reader of the state to find out: news can be lost, a state cannot.
/// </summary>
/// <remarks>
/// Two threads that block in <c>recvfrom</c>, one for each protocol. Everything that came together is one piece of news. Without this the
/// resync still repairs, later; so a kernel that refuses at the start is not asked again. One that listened listens anew after whatever
/// failed.
/// </remarks>
public sealed partial class NetlinkLinkMonitor : IDisposable
{
    private const uint LinkGroups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR
        | RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE | RTMGRP_IPV4_RULE | RTMGRP_IPV6_RULE | RTMGRP_IPV4_NETCONF;

    private const uint FirewallGroups = 1u << (NFNLGRP_NFTABLES - 1);

    private readonly Func<NewsFilter> _filter;
    private readonly Action<KernelNews> _onNews;
    private readonly NetlinkListener _links;
    private readonly NetlinkListener _firewall;

    /// <summary>Makes a monitor; <see cref="Start"/> starts it.</summary>
    /// <param name="filter">Tells what concerns us.</param>
    /// <param name="onNews">Only notes it. Called on either thread.</param>
    /// <param name="logger">Hears when the system refuses.</param>
    public NetlinkLinkMonitor(Func<NewsFilter> filter, Action<KernelNews> onNews, ILogger<NetlinkLinkMonitor> logger)
    {
        (_filter, _onNews) = (filter, onNews);
        _links = Listener(NETLINK_ROUTE, LinkGroups, problem => LogDeaf(logger, problem));
        _firewall = Listener(NETLINK_NETFILTER, FirewallGroups, problem => LogDeafToFirewall(logger, problem));
    }

    /// <summary>Starts listening, in the network namespace of the caller's thread.</summary>
    public void Start()
    {
        _links.Start();
        _firewall.Start();
    }

    /// <summary>Ends listening.</summary>
    public Task StopAsync(CancellationToken cancellationToken) =>
        Task.WhenAll(_links.StopAsync(cancellationToken), _firewall.StopAsync(cancellationToken));

    /// <inheritdoc/>
    public void Dispose()
    {
        _links.Dispose();
        _firewall.Dispose();
    }

    private NetlinkListener Listener(int protocol, uint groups, Action<string> onDeaf) => new(protocol, groups)
    {
        OnDatagram = datagram => Tell(_filter().Judge(datagram)),
        OnLost = () => Tell(KernelNews.Lost),
        OnDeaf = onDeaf,
    };

    private void Tell(KernelNews news)
    {
        if (news != KernelNews.None)
        {
            _onNews(news);
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "Cannot listen to changes of links, routes and rules; the resync notices them later: {Problem}")]
    private static partial void LogDeaf(ILogger logger, string problem);

    // A kernel without nf_tables has nothing to tell.
    [LoggerMessage(
        Level = LogLevel.Information, Message = "Cannot listen to changes of nftables; the resync notices them later: {Problem}")]
    private static partial void LogDeafToFirewall(ILogger logger, string problem);
}
