// Listens to the multicast groups of rtnetlink(7) and of nf_tables.
using Orleans.WireGuard.Silo.Devices;
using Orleans.WireGuard.Silo.Devices.Netlink;
using Orleans.WireGuard.Silo.Routing.Firewall;
using static Orleans.WireGuard.Silo.Devices.Netlink.NetlinkConstants;

namespace Orleans.WireGuard.Silo.Routing;

/// <summary>
/// Notices at once that somebody, we ourselves included, changed a link, a route or rule of our routing table, or our nftables table. What it
/// was is for the reader of the state to find out: news can be lost, a state cannot.
/// </summary>
/// <remarks>
/// Two threads that block in <c>recvfrom</c>, one for each protocol. Everything that came together is one piece of news. Without this the
/// resync still repairs, later.
/// </remarks>
/// <param name="onChanged">Only notes it. Called on either thread.</param>
/// <param name="logger">Hears when the system refuses.</param>
internal sealed partial class NetlinkLinkMonitor(Action onChanged, ILogger<NetlinkLinkMonitor> logger) : IDisposable
{
    private const uint LinkGroups = RTMGRP_LINK | RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE | RTMGRP_IPV4_RULE | RTMGRP_IPV6_RULE;
    private const uint FirewallGroups = 1u << (NFNLGRP_NFTABLES - 1);

    // Larger than any message of these groups: a link with all its attributes has 2 KiB.
    private const int BufferSize = 32 * 1024;

    // In struct rtmsg and in struct fib_rule_hdr alike.
    private const int TableOffset = 4;

    // struct nfgenmsg.
    private const int FirewallHeaderSize = 4;

    // How soon the thread sees that it shall end.
    private static readonly TimeSpan ReceiveTimeout = TimeSpan.FromMilliseconds(500);

    private readonly CancellationTokenSource _stop = new();
    private Task _loop = Task.CompletedTask;

    /// <summary>Starts listening, in the network namespace of the caller's thread.</summary>
    public void Start()
    {
        var links = Start(NETLINK_ROUTE, LinkGroups, LogDeaf);
        _loop = Task.WhenAll(links, Start(NETLINK_NETFILTER, FirewallGroups, LogDeafToFirewall));
    }

    /// <summary>Ends listening.</summary>
    public async Task Stop(CancellationToken cancellationToken)
    {
        await _stop.CancelAsync();
        await _loop.WaitAsync(cancellationToken);
    }

    /// <inheritdoc/>
    public void Dispose() => _stop.Dispose();

    /// <summary>Whether a datagram tells of anything that we configure. One that cannot be read counts: reading the state does no harm.</summary>
    internal static bool IsNews(ReadOnlySpan<byte> datagram)
    {
        var reader = new NetlinkReader(datagram);
        try
        {
            while (reader.TryReadMessage(out var message))
            {
                if (IsNews(message))
                {
                    return true;
                }
            }

            return false;
        }
        catch (NetlinkFormatException)
        {
            return true;
        }
    }

    private static bool IsNews(in NetlinkMessage message) => message.Type switch
    {
        // Every link, because the MTU of another one decides about ours.
        RTM_NEWLINK or RTM_DELLINK => true,
        RTM_NEWROUTE or RTM_DELROUTE or RTM_NEWRULE or RTM_DELRULE =>
            message.Payload.Length <= TableOffset || message.Payload[TableOffset] == RouteTable.Number,
        _ => message.Type >> 8 == NFNL_SUBSYS_NFTABLES && IsOurTable(message),
    };

    // On a node whose services are in nftables too, most news are of other tables. Of every message but the last one of a transaction, the
    // first attribute is the name of the table.
    private static bool IsOurTable(in NetlinkMessage message)
    {
        if ((byte)message.Type == NFT_MSG_NEWGEN)
        {
            return false;
        }

        var reader = new NetlinkReader(message.Payload);
        reader.ReadPast(FirewallHeaderSize);
        while (reader.TryReadAttribute(out var attribute))
        {
            if (attribute.Type == NFTA_TABLE_NAME)
            {
                return attribute.AsString() == FirewallTable.Name;
            }
        }

        return false;
    }

    private Task Start(int protocol, uint groups, Action<ILogger, string> logDeaf)
    {
        try
        {
            var socket = NetlinkSocket.Subscribe(protocol, groups, ReceiveTimeout);
            return Task.Factory.StartNew(() => Listen(socket, logDeaf), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        }
        catch (DeviceException e)
        {
            logDeaf(logger, e.Message);
            return Task.CompletedTask;
        }
    }

    private void Listen(NetlinkSocket socket, Action<ILogger, string> logDeaf)
    {
        using var owned = socket;
        var buffer = new byte[BufferSize];
        while (!_stop.IsCancellationRequested)
        {
            var length = socket.Receive(buffer);
            switch (length)
            {
                case > 0:
                    if (IsNews(buffer.AsSpan(0, Math.Min(length, buffer.Length))))
                    {
                        onChanged();
                    }

                    break;
                case -EAGAIN:
                    break;
                case -ENOBUFS:
                    // More was told than fits: anything may have changed.
                    onChanged();
                    break;
                default:
                    logDeaf(logger, FormattableString.Invariant($"errno {-length}"));
                    return;
            }
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "Cannot listen to changes of links, routes and rules; the resync notices them later: {Problem}")]
    private static partial void LogDeaf(ILogger logger, string problem);

    // A kernel without nf_tables has nothing to tell.
    [LoggerMessage(Level = LogLevel.Information, Message = "Cannot listen to changes of nftables; the resync notices them later: {Problem}")]
    private static partial void LogDeafToFirewall(ILogger logger, string problem);
}
