// The table through nfnetlink, subsystem nf_tables.
using Orleans.WireGuard.Silo.Devices;
using Orleans.WireGuard.Silo.Devices.Netlink;
using Orleans.WireGuard.Silo.Routing.Nftables;
using static Orleans.WireGuard.Silo.Devices.Netlink.NetlinkConstants;

namespace Orleans.WireGuard.Silo.Routing.Firewall;

/// <summary>Our nftables table through netlink. Needs CAP_NET_ADMIN and a kernel with nf_tables.</summary>
/// <remarks>Calls run to their end on the caller's thread, in its network namespace (<see cref="NetlinkTransport"/>).</remarks>
internal sealed class NetlinkFirewall : IFirewall
{
    /// <summary>
    /// How many prefixes go into one transaction. An IPv6 prefix takes 68 bytes, so all of them fit <see cref="NetlinkConnection.MaxRequestSize"/>
    /// next to the table itself.
    /// </summary>
    public const int MaxPrefixes = 256;

    private readonly NetlinkTransport _transport;

    /// <summary>Makes it.</summary>
    /// <param name="timeProvider">Times the pauses before repetitions.</param>
    /// <param name="open">Opens a channel for a netlink protocol; <see cref="NetlinkSocket.Open"/> outside of tests.</param>
    public NetlinkFirewall(TimeProvider timeProvider, Func<int, INetlinkChannel>? open = null) =>
        _transport = new NetlinkTransport(NETLINK_NETFILTER, timeProvider, open);

    /// <inheritdoc/>
    public Task<FirewallState?> TryGet(CancellationToken cancellationToken) =>
        Run($"read nftables table {FirewallTable.Name}", TryGet, cancellationToken);

    /// <inheritdoc/>
    public async Task Create(EquatableArray<IPPrefix> sources, CancellationToken cancellationToken)
    {
        // What does not fit into the first transaction follows; a rule with half of its set is better than none.
        var first = sources.Take(MaxPrefixes).ToArray();
        await Run(
            $"make nftables table {FirewallTable.Name}",
            connection =>
            {
                var batch = new NftablesBatch(connection.Request);
                batch.Take(FirewallMessages.WriteAddTable(batch.Rest));
                batch.Take(FirewallMessages.WriteDeleteTable(batch.Rest));
                batch.Take(FirewallMessages.WriteAddTable(batch.Rest));
                batch.Take(FirewallMessages.WriteAddChain(batch.Rest));
                batch.Take(FirewallMessages.WriteAddCounter(batch.Rest));
                foreach (var isIPv6 in (bool[])[false, true])
                {
                    batch.Take(FirewallMessages.WriteAddSet(batch.Rest, isIPv6));
                    AddSources(ref batch, isIPv6, first, acknowledged: 0);
                }

                batch.Take(FirewallMessages.WriteAddRule(batch.Rest, isIPv6: false));
                batch.Take(FirewallMessages.WriteAddRule(batch.Rest, isIPv6: true, NLM_F_ACK));
                connection.ExecuteBatch(batch.Complete());
                return true;
            },
            cancellationToken);
        await Change([], sources.Skip(MaxPrefixes).ToEquatableArray(), cancellationToken);
    }

    /// <inheritdoc/>
    public async Task Change(EquatableArray<IPPrefix> remove, EquatableArray<IPPrefix> add, CancellationToken cancellationToken)
    {
        // Removals first: a prefix that holds one that goes can come only then. Few enough, and it is one transaction.
        var changes = remove.Select(prefix => (Prefix: prefix, IsAdded: false)).Concat(add.Select(prefix => (Prefix: prefix, IsAdded: true)));
        foreach (var chunk in changes.Chunk(MaxPrefixes))
        {
            await Run(
                $"change the sources of nftables table {FirewallTable.Name}",
                connection =>
                {
                    var groups = chunk.GroupBy(change => (change.IsAdded, change.Prefix.IsIPv6)).OrderBy(group => group.Key.IsAdded).ToList();
                    var batch = new NftablesBatch(connection.Request);
                    foreach (var group in groups)
                    {
                        var prefixes = group.Select(change => change.Prefix).ToArray();
                        var flags = group == groups[^1] ? NLM_F_ACK : (ushort)0;
                        batch.Take(group.Key.IsAdded
                            ? FirewallMessages.WriteAddSources(batch.Rest, group.Key.IsIPv6, prefixes, flags)
                            : FirewallMessages.WriteRemoveSources(batch.Rest, group.Key.IsIPv6, prefixes, flags));
                    }

                    connection.ExecuteBatch(batch.Complete());
                    return true;
                },
                cancellationToken);
        }
    }

    /// <inheritdoc/>
    public Task Delete(CancellationToken cancellationToken) => Run(
        $"delete nftables table {FirewallTable.Name}",
        connection =>
        {
            // Deleting a table that is not there is an error, adding one that is there is none.
            var batch = new NftablesBatch(connection.Request);
            batch.Take(FirewallMessages.WriteAddTable(batch.Rest));
            batch.Take(FirewallMessages.WriteDeleteTable(batch.Rest, NLM_F_ACK));
            connection.ExecuteBatch(batch.Complete());
            return true;
        },
        cancellationToken);

    private static FirewallState? TryGet(NetlinkConnection connection)
    {
        (ulong Packets, ulong Bytes)? counter = null;
        List<(byte[] Address, bool IsEnd)> ipv4 = [];
        List<(byte[] Address, bool IsEnd)> ipv6 = [];
        var (rules, ownRules) = (0, 0);
        try
        {
            connection.Execute(
                FirewallMessages.WriteGetCounters(connection.Request),
                (in NetlinkMessage message) => counter = FirewallReader.TryReadCounter(message) ?? counter);
            connection.Execute(FirewallMessages.WriteGetRules(connection.Request), (in NetlinkMessage message) =>
            {
                rules++;
                ownRules += FirewallReader.ReadIsOurRule(message) ? 1 : 0;
            });
            if (counter is not { } count)
            {
                return null;
            }

            connection.Execute(
                FirewallMessages.WriteGetSources(connection.Request, isIPv6: false), (in NetlinkMessage message) => FirewallReader.ReadSources(message, ipv4));
            connection.Execute(
                FirewallMessages.WriteGetSources(connection.Request, isIPv6: true), (in NetlinkMessage message) => FirewallReader.ReadSources(message, ipv6));
            var (sources4, sources6) = (PrefixInterval.TryJoin(ipv4), PrefixInterval.TryJoin(ipv6));
            var isIntact = rules == FirewallTable.RuleCount && ownRules == rules && sources4 is not null && sources6 is not null;
            return new FirewallState((sources4 ?? []).Concat(sources6 ?? []).Order().ToEquatableArray(), isIntact, count.Packets, count.Bytes);
        }

        // The table or a part of it is not there.
        catch (DeviceException e) when (e.Errno == ENOENT)
        {
            return null;
        }
    }

    private static void AddSources(ref NftablesBatch batch, bool isIPv6, IPPrefix[] sources, ushort acknowledged)
    {
        var own = sources.Where(source => source.IsIPv6 == isIPv6).ToArray();
        if (own.Length > 0)
        {
            batch.Take(FirewallMessages.WriteAddSources(batch.Rest, isIPv6, own, acknowledged));
        }
    }

    private Task<T> Run<T>(string operation, Func<NetlinkConnection, T> exchange, CancellationToken cancellationToken) =>
        _transport.Run(operation, exchange, Hint, cancellationToken);

    private static string? Hint(int errno) => errno switch
    {
        EOPNOTSUPP or EPROTONOSUPPORT or EINVAL or EAFNOSUPPORT =>
            "the kernel needs nf_tables with the family inet (modprobe nf_tables); without it set Encryption:DropPlaintext to false",
        _ => null,
    };
}
