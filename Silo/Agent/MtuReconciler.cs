using System.Net;
using System.Net.Sockets;
using Orleans.WireGuard.Linux.Devices;
using Orleans.WireGuard.Linux.Routing;

namespace Orleans.WireGuard.Silo.Agent;

/// <summary>Keeps the MTU of a device what the ways to its peers carry.</summary>
/// <remarks>
/// They are looked at when peers change, and all of them again when a link or route that leads to peers changes (<see cref="NewsFilter"/>),
/// and at every resync. So another MTU is followed at once, but within <see cref="DeviceOptions.ResyncInterval"/> where a rule of somebody
/// else's changes the way. All ways to a peer count, because WireGuard follows a peer that sends from another of its addresses. Not
/// thread-safe: the agent runs one pass at a time.
/// </remarks>
internal sealed partial class MtuReconciler(ILinkClient links, UnderlayPaths paths, DeviceOptions options, ILogger logger)
{
    private HashSet<IPAddress> _measuredAddresses = [];
    private bool _isClamped;

    /// <summary>Forgets what was measured, because the link is another one.</summary>
    public void Forget() => _measuredAddresses = [];

    /// <summary>Measures if there is a reason to, and sets the MTU if it differs.</summary>
    /// <param name="device">What the device should be.</param>
    /// <param name="link">The device's link as it is.</param>
    /// <param name="isResync">Whether to look although the peers are the same.</param>
    /// <param name="cancellationToken">Ends it between two calls.</param>
    /// <returns>The link as it is now.</returns>
    public async Task<Link> ReconcileAsync(DesiredDevice device, Link link, bool isResync, CancellationToken cancellationToken)
    {
        var addresses = device.Peers.SelectMany(peer => peer.Endpoints).Select(endpoint => endpoint.Address).ToHashSet();
        if (!isResync && _measuredAddresses.SetEquals(addresses))
        {
            return link;
        }

        var carriesIPv6 = device.Peers.Any(peer => peer.AllowedIPs.Any(prefix => prefix.IsIPv6));
        var mtu = await ChooseAsync(device.Name, addresses, carriesIPv6, cancellationToken);
        if (mtu is { } wanted && wanted != link.Mtu)
        {
            LogChanged(logger, device.Name, link.Mtu, wanted);
            await links.SetMtuAsync(device.Name, wanted, cancellationToken);
            link = link with { Mtu = wanted };
        }

        _measuredAddresses = addresses;
        return link;
    }

    private async Task<int?> ChooseAsync(
        string device, IReadOnlySet<IPAddress> addresses, bool carriesIPv6, CancellationToken cancellationToken)
    {
        if (options.Mtu != 0)
        {
            return options.Mtu;
        }

        var found = await paths.FindAsync(addresses, cancellationToken);
        var chosen = MtuCalculator.Calculate(
            found.Where(path => path.Value is not null).Select(path => (path.Value!.Mtu, IsIPv6(path.Key))), carriesIPv6);

        // Once for each time that it becomes so, not at every resync.
        var isClamped = chosen is { IsClamped: true };
        if (isClamped && !_isClamped)
        {
            LogClamped(logger, device, MtuCalculator.MinIPv6Mtu);
        }

        _isClamped = isClamped;
        return chosen?.Mtu;
    }

    private static bool IsIPv6(IPAddress address) => address is { AddressFamily: AddressFamily.InterNetworkV6, IsIPv4MappedToIPv6: false };

    [LoggerMessage(Level = LogLevel.Information, Message = "MTU of {Device}: {OldMtu} -> {Mtu}")]
    private static partial void LogChanged(ILogger logger, string device, int oldMtu, int mtu);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The underlay is too narrow for IPv6 through {Device}: its MTU stays at {Mtu}, full packets are fragmented")]
    private static partial void LogClamped(ILogger logger, string device, int mtu);
}
