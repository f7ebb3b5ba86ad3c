using Microsoft.Extensions.Logging;
using Orleans.WireGuard.Linux.Netlink;
using static Orleans.WireGuard.Linux.Errno;
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
/// <param name="filter">Tells what concerns us.</param>
/// <param name="onNews">Only notes it. Called on either thread.</param>
/// <param name="logger">Hears when the system refuses.</param>
public sealed partial class NetlinkLinkMonitor(Func<NewsFilter> filter, Action<KernelNews> onNews, ILogger<NetlinkLinkMonitor> logger)
    : IDisposable
{
    private const uint LinkGroups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR
        | RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE | RTMGRP_IPV4_RULE | RTMGRP_IPV6_RULE | RTMGRP_IPV4_NETCONF;

    private const uint FirewallGroups = 1u << (NFNLGRP_NFTABLES - 1);

    // Larger than any message of these groups: a link with all its attributes has 2 KiB.
    private const int BufferSize = 32 * 1024;

    private static readonly TimeSpan ReopenPause = TimeSpan.FromSeconds(5);

    // How soon the thread sees that it shall end.
    private static readonly TimeSpan ReceiveTimeout = TimeSpan.FromMilliseconds(500);

    private readonly CancellationTokenSource _stop = new();
    private Task _loop = Task.CompletedTask;

    /// <summary>Starts listening, in the network namespace of the caller's thread.</summary>
    public void Start()
    {
        var links = StartAsync(NETLINK_ROUTE, LinkGroups, LogDeaf);
        _loop = Task.WhenAll(links, StartAsync(NETLINK_NETFILTER, FirewallGroups, LogDeafToFirewall));
    }

    /// <summary>Ends listening.</summary>
    public async Task StopAsync(CancellationToken cancellationToken)
    {
        await _stop.CancelAsync();
        await _loop.WaitAsync(cancellationToken);
    }

    /// <inheritdoc/>
    public void Dispose() => _stop.Dispose();

    private Task StartAsync(int protocol, uint groups, Action<ILogger, string> logDeaf)
    {
        try
        {
            var socket = NetlinkSocket.Subscribe(protocol, groups, ReceiveTimeout);
            return Task.Factory.StartNew(
                () => ListenForEver(socket, () => NetlinkSocket.Subscribe(protocol, groups, ReceiveTimeout),
                logDeaf), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        }
        catch (LinuxException e)
        {
            logDeaf(logger, e.Message);
            return Task.CompletedTask;
        }
    }

    private void ListenForEver(NetlinkSocket first, Func<NetlinkSocket> subscribe, Action<ILogger, string> logDeaf)
    {
        var isFirst = true;
        while (!_stop.IsCancellationRequested)
        {
            try
            {
                using var socket = isFirst ? first : subscribe();
                if (!isFirst)
                {
                    // Nobody told what happened meanwhile.
                    Tell(KernelNews.Lost);
                }

                isFirst = false;
                Listen(socket);
            }
            catch (Exception e)
            {
                logDeaf(logger, e.Message);
                _stop.Token.WaitHandle.WaitOne(ReopenPause);
            }
        }
    }

    private void Listen(NetlinkSocket socket)
    {
        var buffer = new byte[BufferSize];
        while (!_stop.IsCancellationRequested)
        {
            var length = socket.Receive(buffer);
            switch (length)
            {
                case > 0:
                    Tell(filter().Judge(buffer.AsSpan(0, Math.Min(length, buffer.Length))));
                    break;
                case -EAGAIN:
                    break;
                case -ENOBUFS:
                    // More was told than fits.
                    Tell(KernelNews.Lost);
                    break;
                default:
                    throw new IOException(FormattableString.Invariant($"errno {-length}"));
            }
        }
    }

    private void Tell(KernelNews news)
    {
        if (news != KernelNews.None)
        {
            onNews(news);
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "Cannot listen to changes of links, routes and rules; the resync notices them later: {Problem}")]
    private static partial void LogDeaf(ILogger logger, string problem);

    // A kernel without nf_tables has nothing to tell.
    [LoggerMessage(
        Level = LogLevel.Information, Message = "Cannot listen to changes of nftables; the resync notices them later: {Problem}")]
    private static partial void LogDeafToFirewall(ILogger logger, string problem);
}
