// Links and addresses through rtnetlink(7). Routes and rules: NetlinkLinkClient.Routes.cs.
using System.Buffers;
using System.Text;
using Orleans.WireGuard.Linux.Netlink;
using static Orleans.WireGuard.Linux.Errno;
using static Orleans.WireGuard.Linux.Netlink.NetlinkConstants;

namespace Orleans.WireGuard.Linux.Routing;

/// <summary>Links, addresses, routes and rules through rtnetlink. Writing needs CAP_NET_ADMIN.</summary>
/// <remarks>Calls run to their end on the caller's thread, in its network namespace (<see cref="NetlinkTransport"/>).</remarks>
public sealed partial class NetlinkLinkClient : ILinkClient
{
    private static readonly SearchValues<char> NotInNames = SearchValues.Create("/: \t\n\v\f\r\0");

    // A link without any address refuses every packet whose answer would leave through another link, also if its check is loose
    // (fib_frontend.c, __fib_validate_source). This one is valid on the node alone and never the source of a packet.
    private static readonly LinkAddress LooseAddress = new(System.Net.IPAddress.Parse("169.254.201.1"), 32);

    private readonly NetlinkTransport _transport;

    /// <summary>Makes the client.</summary>
    /// <param name="timeProvider">Times the pauses before repetitions.</param>
    /// <param name="table">Where our routes live; the default one if not given.</param>
    public NetlinkLinkClient(TimeProvider timeProvider, RouteTable? table = null)
        : this(timeProvider, NetlinkSocket.Open, table)
    {
    }

    /// <summary>Makes a client whose kernel is a test's.</summary>
    internal NetlinkLinkClient(TimeProvider timeProvider, Func<int, INetlinkChannel> open, RouteTable? table = null)
        : this(new NetlinkTransport(NETLINK_ROUTE, timeProvider, open), table ?? RouteTable.Default)
    {
    }

    private NetlinkLinkClient(NetlinkTransport transport, RouteTable table) => (_transport, Table) = (transport, table);

    /// <summary>Checks that a link can have this name (net/core/dev.c, dev_valid_name).</summary>
    /// <exception cref="ArgumentException">It cannot.</exception>
    public static void CheckName(string name)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        if (Encoding.UTF8.GetByteCount(name) >= IFNAMSIZ || name is "." or ".." || name.AsSpan().ContainsAny(NotInNames))
        {
            throw new ArgumentException(
                $"'{name}' is not an interface name: expected 1 to {IFNAMSIZ - 1} bytes without spaces, '/' and ':'.", nameof(name));
        }
    }

    /// <inheritdoc/>
    public Task<Link?> TryGetLinkAsync(string name, CancellationToken cancellationToken)
    {
        CheckName(name);
        return RunAsync($"read link {name}", connection => TryGetLink(connection, name), cancellationToken);
    }

    /// <inheritdoc/>
    public Task<Link?> TryGetLinkAsync(int index, CancellationToken cancellationToken) =>
        RunAsync($"read link number {index}", connection => TryGetLink(connection, index), cancellationToken);

    /// <summary>Reads all links.</summary>
    public Task<EquatableArray<Link>> GetLinksAsync(CancellationToken cancellationToken) => RunAsync(
        "read all links",
        connection =>
        {
            List<Link> links = [];
            connection.Execute(
                DumpMessages.WriteGetLinks(connection.Request), (in NetlinkMessage message) => links.Add(LinkMessages.ReadLink(message)));
            return links.ToEquatableArray();
        },
        cancellationToken);

    /// <inheritdoc/>
    public async Task RenameAsync(int index, string name, CancellationToken cancellationToken)
    {
        CheckName(name);
        var operation = $"rename link number {index} to {name}";
        try
        {
            await ExecuteAsync(operation, connection => LinkMessages.WriteRename(connection.Request, index, name), cancellationToken);
        }
        catch (LinuxException e) when (e.Errno == EBUSY)
        {
            await ExecuteAsync(
                $"take link number {index} down", connection => LinkMessages.WriteSetDown(connection.Request, index), cancellationToken);
            await ExecuteAsync(operation, connection => LinkMessages.WriteRename(connection.Request, index, name), cancellationToken);
        }
    }

    /// <inheritdoc/>
    public Task SetMtuAsync(string name, int mtu, CancellationToken cancellationToken)
    {
        CheckName(name);
        return ExecuteAsync(
            $"set the MTU of link {name} to {mtu}", connection =>
                LinkMessages.WriteSetMtu(connection.Request, name, mtu), cancellationToken);
    }

    /// <inheritdoc/>
    public Task SetUpAsync(string name, CancellationToken cancellationToken)
    {
        CheckName(name);
        return ExecuteAsync($"bring link {name} up", connection => LinkMessages.WriteSetUp(connection.Request, name), cancellationToken);
    }

    /// <inheritdoc/>
    public async Task SetLooseSourceCheckAsync(string name, CancellationToken cancellationToken)
    {
        CheckName(name);
        await ExecuteAsync(
            $"add address {LooseAddress} to link {name}",
            connection => LinkMessages.WriteAddress(
                connection.Request, RTM_NEWADDR, GetIndex(connection, name), LooseAddress, RT_SCOPE_HOST),
            cancellationToken);
        await ExecuteAsync(
            $"set rp_filter of link {name} to loose", connection =>
                LinkMessages.WriteLooseSourceCheck(connection.Request, name), cancellationToken);
    }

    /// <inheritdoc/>
    public Task<SourceCheck> GetSourceCheckAsync(string name, CancellationToken cancellationToken)
    {
        CheckName(name);
        return RunAsync($"read the source check of link {name}", connection => GetSourceCheck(connection, name), cancellationToken);
    }

    /// <inheritdoc/>
    public Task<LinkTraffic> GetTrafficAsync(string name, CancellationToken cancellationToken)
    {
        CheckName(name);
        return RunAsync($"read the counters of link {name}", connection => GetTraffic(connection, name), cancellationToken);
    }

    /// <summary>Makes a link without any settings.</summary>
    /// <param name="name">One that no link has yet.</param>
    /// <param name="kind">What it is, such as <c>wireguard</c>.</param>
    /// <param name="cancellationToken">Checked before the call.</param>
    /// <exception cref="LinuxException">The name is taken (EEXIST), or the kernel has no such kind (EOPNOTSUPP).</exception>
    public async Task CreateLinkAsync(string name, string kind, CancellationToken cancellationToken)
    {
        CheckName(name);
        var operation = $"create {kind} link {name}";
        try
        {
            await ExecuteAsync(operation, connection => LinkMessages.WriteCreateLink(connection.Request, name, kind), cancellationToken);
        }
        catch (LinuxException e) when (e.Errno == EEXIST)
        {
            var taken = await TryGetLinkAsync(name, cancellationToken);
            throw new LinuxException(
                operation, EEXIST, $"the name is taken by a link of kind '{taken?.Kind}': use another name, or delete that link", e);
        }
        catch (LinuxException e) when (e.Errno == EOPNOTSUPP)
        {
            throw new LinuxException(
                operation, EOPNOTSUPP, $"the kernel knows no link of kind '{kind}': load its module (modprobe {kind})", e);
        }
    }

    /// <summary>Deletes a link. One that is not there is fine; one of another kind is somebody else's and stays.</summary>
    /// <param name="name">One that a link may have.</param>
    /// <param name="kind">What it has to be.</param>
    /// <param name="cancellationToken">Checked before the call.</param>
    /// <exception cref="LinuxException">It is of another kind (EOPNOTSUPP), or the system refused.</exception>
    public Task DeleteLinkAsync(string name, string kind, CancellationToken cancellationToken)
    {
        CheckName(name);
        return RunAsync($"delete {kind} link {name}", connection => DeleteLink(connection, name, kind), cancellationToken);
    }

    /// <summary>Reads the addresses of a link; none if there is no such link.</summary>
    public Task<EquatableArray<LinkAddress>> GetAddressesAsync(string name, CancellationToken cancellationToken)
    {
        CheckName(name);
        return RunAsync($"read the addresses of link {name}", connection => GetAddresses(connection, name, Families), cancellationToken);
    }

    /// <summary>Adds an address to a link. One that is there is fine.</summary>
    /// <exception cref="LinuxException">There is no such link (ENODEV), or the system refused.</exception>
    public Task AddAddressAsync(string name, LinkAddress address, CancellationToken cancellationToken)
    {
        CheckName(name);
        ArgumentNullException.ThrowIfNull(address);
        return ExecuteAsync(
            $"add address {address} to link {name}",
            connection => LinkMessages.WriteAddress(connection.Request, RTM_NEWADDR, GetIndex(connection, name), address),
            cancellationToken);
    }

    /// <summary>Deletes an address of a link. One that is not there is fine.</summary>
    /// <exception cref="LinuxException">There is no such link (ENODEV), or the system refused.</exception>
    public Task DeleteAddressAsync(string name, LinkAddress address, CancellationToken cancellationToken)
    {
        CheckName(name);
        ArgumentNullException.ThrowIfNull(address);
        return ExecuteAsync(
            $"delete address {address} of link {name}",
            connection => LinkMessages.WriteAddress(connection.Request, RTM_DELADDR, GetIndex(connection, name), address),
            cancellationToken,
            ignored: EADDRNOTAVAIL);
    }

    private static Link? TryGetLink(NetlinkConnection connection, string name)
    {
        Link? link = null;
        try
        {
            connection.Execute(
                LinkMessages.WriteGetLink(connection.Request, name), (in NetlinkMessage message) => link = LinkMessages.ReadLink(message));
            return link;
        }
        catch (LinuxException e) when (e.Errno == ENODEV)
        {
            return null;
        }
    }

    private static Link? TryGetLink(NetlinkConnection connection, int index)
    {
        Link? link = null;
        try
        {
            connection.Execute(
                LinkMessages.WriteGetLink(connection.Request, index), (in NetlinkMessage message) => link = LinkMessages.ReadLink(message));
            return link;
        }
        catch (LinuxException e) when (e.Errno == ENODEV)
        {
            return null;
        }
    }

    private static SourceCheck GetSourceCheck(NetlinkConnection connection, string name)
    {
        var isLoose = false;
        try
        {
            connection.Execute(
                LinkMessages.WriteGetLink(connection.Request, name), (in NetlinkMessage message) =>
                    isLoose = DumpMessages.ReadLink(message).SourceCheck == LinkMessages.LooseSourceCheck);
        }
        catch (LinuxException e) when (e.Errno == ENODEV)
        {
            return SourceCheck.None;
        }

        return new SourceCheck(isLoose, GetAddresses(connection, name, [AF_INET]).Contains(LooseAddress));
    }

    private static LinkTraffic GetTraffic(NetlinkConnection connection, string name)
    {
        LinkTraffic traffic = default;
        connection.Execute(
            LinkMessages.WriteGetCounters(connection.Request, name),
            (in NetlinkMessage message) => traffic = LinkMessages.ReadTraffic(message));
        return traffic;
    }

    private static int GetIndex(NetlinkConnection connection, string name) => TryGetLink(connection, name)?.Index
        ?? throw new LinuxException(connection.Operation, ENODEV, $"there is no link '{name}'");

    private static bool DeleteLink(NetlinkConnection connection, string name, string kind)
    {
        var link = TryGetLink(connection, name);
        if (link is null)
        {
            return false;
        }

        if (link.Kind != kind)
        {
            throw new LinuxException(
                connection.Operation, EOPNOTSUPP,
                $"the link is of kind '{link.Kind}', so it is not ours; delete it by hand if it is in the way");
        }

        return Execute(connection, LinkMessages.WriteDeleteLink(connection.Request, link.Index), ENODEV);
    }

    private static EquatableArray<LinkAddress> GetAddresses(NetlinkConnection connection, string name, IEnumerable<int> families)
    {
        if (TryGetLink(connection, name) is not { } link)
        {
            return [];
        }

        List<LinkAddress> addresses = [];
        foreach (var family in families)
        {
            connection.Execute(LinkMessages.WriteGetAddresses(connection.Request, family), (in NetlinkMessage message) =>
            {
                if (LinkMessages.TryReadAddress(message, link.Index) is { } address)
                {
                    addresses.Add(address);
                }
            });
        }

        return [.. addresses];
    }

    // Returns whether the kernel did it; false if it answered with the errno that means there is nothing to do.
    private static bool Execute(NetlinkConnection connection, Span<byte> message, int ignored)
    {
        try
        {
            connection.Execute(message);
            return true;
        }
        catch (LinuxException e) when (e.Errno == ignored && ignored != 0)
        {
            return false;
        }
    }

    private delegate Span<byte> WriteRequest(NetlinkConnection connection);

    private Task<bool> ExecuteAsync(string operation, WriteRequest write, CancellationToken cancellationToken, int ignored = 0) =>
        RunAsync(operation, connection => Execute(connection, write(connection), ignored), cancellationToken);

    private Task<T> RunAsync<T>(string operation, Func<NetlinkConnection, T> exchange, CancellationToken cancellationToken) =>
        _transport.RunAsync(operation, exchange, Hint, cancellationToken);

    private static string? Hint(int errno) => errno switch
    {
        ENODEV => "there is no such link",
        EADDRINUSE => "the UDP port of the device is taken: see 'ss -lunp' for by whom, or use another one",
        _ => null,
    };
}
