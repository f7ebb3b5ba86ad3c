using Orleans.WireGuard.Keys;
using Orleans.WireGuard.Linux.Netlink;
using Orleans.WireGuard.Linux.Routing;
using static Orleans.WireGuard.Linux.Errno;
using static Orleans.WireGuard.Linux.Netlink.NetlinkConstants;

// The kernel's WireGuard over generic netlink: linux/wireguard.h, drivers/net/wireguard/netlink.c.

namespace Orleans.WireGuard.Linux.Devices;

/// <summary>Reads and writes the kernel's WireGuard devices. Needs CAP_NET_ADMIN.</summary>
/// <remarks>
/// Calls run to their end on the caller's thread, in its network namespace (<see cref="NetlinkTransport"/>). Every message that may hold a
/// private key lies in a <see cref="NetlinkBuffer"/>, which is zeroed when the exchange ends, however it ends.
/// </remarks>
public sealed class NetlinkWireGuardClient : IWireGuardClient
{
    /// <summary>The link kind of WireGuard devices, and the name of their netlink family.</summary>
    public const string LinkKind = WG_GENL_NAME;

    private readonly NetlinkTransport _transport;
    private readonly NetlinkLinkClient _links;

    // The number is given out when the module is loaded; 0 until it was asked for, and again after the kernel no longer knew it.
    private ushort _family;

    /// <summary>Makes the client.</summary>
    /// <param name="timeProvider">Times the pauses before repetitions.</param>
    public NetlinkWireGuardClient(TimeProvider timeProvider)
        : this(timeProvider, NetlinkSocket.Open)
    {
    }

    /// <summary>Makes a client whose kernel is a test's.</summary>
    internal NetlinkWireGuardClient(TimeProvider timeProvider, Func<int, INetlinkChannel> open)
    {
        _transport = new NetlinkTransport(NETLINK_GENERIC, timeProvider, open);
        _links = new NetlinkLinkClient(timeProvider, open);
    }

    /// <inheritdoc/>
    public Transport Transport => Transport.Netlink;

    /// <inheritdoc/>
    public TransportReason TransportReason { get; init; }

    /// <summary>Whether this kernel has WireGuard. Loads its module if that is possible.</summary>
    /// <exception cref="LinuxException">The system refused to say.</exception>
    public async Task<bool> IsAvailableAsync(CancellationToken cancellationToken)
    {
        try
        {
            return await RunAsync("look up wireguard", (_, _) => true, cancellationToken);
        }
        catch (LinuxException e) when (e.Errno == ENOENT)
        {
            return false;
        }
    }

    /// <inheritdoc/>
    public async Task<Device?> TryGetDeviceAsync(string name, CancellationToken cancellationToken)
    {
        NetlinkLinkClient.CheckName(name);
        try
        {
            return await RunAsync($"read device {name}", (connection, family) => ReadDevice(connection, family, name), cancellationToken);
        }
        catch (LinuxException e) when (e.Errno == ENODEV)
        {
            return null;
        }
    }

    /// <inheritdoc/>
    public async Task<string?> FindRenamedAsync(string name, ushort listenPort, CancellationToken cancellationToken)
    {
        // No two devices of a namespace that are up have a port in common.
        foreach (var link in (await _links.GetLinksAsync(cancellationToken)).Where(link => link.Kind == LinkKind && link.Name != name))
        {
            if ((await TryGetDeviceAsync(link.Name, cancellationToken))?.ListenPort == listenPort)
            {
                return link.Name;
            }
        }

        return null;
    }

    /// <inheritdoc/>
    public Task<KeyPair?> GetKeyPairAsync(string name, CancellationToken cancellationToken)
    {
        NetlinkLinkClient.CheckName(name);
        return RunAsync($"read the key of device {name}", (connection, family) => ReadKeyPair(connection, family, name), cancellationToken);
    }

    /// <inheritdoc/>
    public Task CreateDeviceAsync(string name, CancellationToken cancellationToken) =>
        _links.CreateLinkAsync(name, LinkKind, cancellationToken);

    /// <inheritdoc/>
    /// <exception cref="ArgumentException">The patch holds a keepalive interval or an endpoint that WireGuard cannot have.</exception>
    public Task ConfigureAsync(string name, DevicePatch patch, CancellationToken cancellationToken)
    {
        NetlinkLinkClient.CheckName(name);
        ArgumentNullException.ThrowIfNull(patch);
        return patch.IsEmpty
            ? Task.CompletedTask
            : RunAsync($"configure device {name}", (connection, family) => Write(connection, family, name, patch), cancellationToken);
    }

    /// <inheritdoc/>
    public Task DeleteDeviceAsync(string name, CancellationToken cancellationToken) =>
        _links.DeleteLinkAsync(name, LinkKind, cancellationToken);

    private static Device ReadDevice(NetlinkConnection connection, ushort family, string name)
    {
        var reader = new WireGuardMessageReader(family);
        connection.Execute(WireGuardMessageWriter.WriteGetDevice(connection.Request, family, name), reader.Read);
        return reader.ToDevice(name);
    }

    private static KeyPair? ReadKeyPair(NetlinkConnection connection, ushort family, string name)
    {
        KeyPair? keyPair = null;
        try
        {
            connection.Execute(
                WireGuardMessageWriter.WriteGetDevice(connection.Request, family, name),
                (in NetlinkMessage message) => keyPair ??= WireGuardMessageReader.ReadKeyPair(message, family));
            return keyPair;
        }
        catch
        {
            keyPair?.Dispose();
            throw;
        }
    }

    private static bool Write(NetlinkConnection connection, ushort family, string name, DevicePatch patch)
    {
        var writer = new WireGuardMessageWriter(family, name, patch);
        while (writer.TryWriteNext(connection.Request, out var message))
        {
            connection.Execute(message);
        }

        return true;
    }

    private async Task<T> RunAsync<T>(string operation, Func<NetlinkConnection, ushort, T> exchange, CancellationToken cancellationToken)
    {
        try
        {
            return await _transport.RunAsync(
                operation,
                connection =>
                {
                    if (_family == 0)
                    {
                        _family = GenericNetlink.GetFamily(connection, WG_GENL_NAME);
                    }

                    return exchange(connection, _family);
                },
                Hint,
                cancellationToken);
        }
        catch (LinuxException e) when (e.Errno == ENOENT)
        {
            _family = 0;
            throw;
        }
    }

    private static string? Hint(int errno) => errno switch
    {
        ENOENT => "the kernel has no WireGuard: load its module (modprobe wireguard) or use the userspace transport",
        ENODEV => "there is no link of this name",
        EOPNOTSUPP => "the name is taken by a link of another kind: rename or delete that link",
        EADDRINUSE => "the UDP port is taken: see 'ss -lunp' for by whom, or use another one",
        _ => null,
    };
}
