using Microsoft.Extensions.Logging;
using Orleans.WireGuard.Linux.Netlink;
using static Orleans.WireGuard.Linux.Netlink.NetlinkConstants;

namespace Orleans.WireGuard.Linux.Routing;

/// <summary>
/// Notices at once that pods of this node may have come or gone. Apart from <see cref="NetlinkLinkMonitor"/>, which passes over just that.
/// </summary>
public sealed partial class NetlinkPodMonitor : IDisposable
{
    private const uint Groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR | RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE;

    private readonly Action<PodNews> _onNews;
    private readonly NetlinkListener _listener;

    /// <summary>Makes a monitor; <see cref="Start"/> starts it.</summary>
    /// <param name="filter">Tells what is about pods.</param>
    /// <param name="onNews">Only notes it. Called on the thread that listens.</param>
    /// <param name="logger">Hears when the system refuses.</param>
    public NetlinkPodMonitor(PodNewsFilter filter, Action<PodNews> onNews, ILogger<NetlinkPodMonitor> logger)
    {
        _onNews = onNews;
        _listener = new NetlinkListener(NETLINK_ROUTE, Groups)
        {
            OnDatagram = datagram => Tell(filter.Judge(datagram)),
            OnLost = () => Tell(PodNews.Lost),
            OnDeaf = problem => LogDeaf(logger, problem),
        };
    }

    /// <summary>Starts listening, in the network namespace of the caller's thread.</summary>
    public void Start() => _listener.Start();

    /// <summary>Ends listening.</summary>
    public Task StopAsync(CancellationToken cancellationToken) => _listener.StopAsync(cancellationToken);

    /// <inheritdoc/>
    public void Dispose() => _listener.Dispose();

    private void Tell(PodNews news)
    {
        if (news != PodNews.None)
        {
            _onNews(news);
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "Cannot listen to pods that come and go; they are noticed later: {Problem}")]
    private static partial void LogDeaf(ILogger logger, string problem);
}
