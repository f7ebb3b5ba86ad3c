// The witness through nfnetlink, subsystem nf_tables.
using Orleans.WireGuard.Linux.Netlink;
using Orleans.WireGuard.Linux.Routing.Nftables;
using static Orleans.WireGuard.Linux.Errno;
using static Orleans.WireGuard.Linux.Netlink.NetlinkConstants;

namespace Orleans.WireGuard.Linux.Routing.Witness;

/// <summary>The witness through netlink. Needs CAP_NET_ADMIN and a kernel with nf_tables.</summary>
/// <remarks>Calls run to their end on the caller's thread, in its network namespace (<see cref="NetlinkTransport"/>).</remarks>
public sealed class NetlinkWitness : IWitness
{
    /// <summary>How many prefixes go into one transaction: an IPv6 prefix takes 68 bytes.</summary>
    public const int MaxPrefixes = 128;

    /// <summary>
    /// The largest transaction in bytes. All rules of a table go into one, and it holds the most of <see cref="WitnessTable"/>.
    /// </summary>
    public const int MaxTransaction = 64 * 1024;

    private static readonly NftablesTable Full = new(NFPROTO_NETDEV, WitnessTable.Name);
    private static readonly NftablesTable Partial = new(NFPROTO_INET, WitnessTable.PartialName);

    private readonly NetlinkTransport _transport;
    private readonly bool _hasEgressHook;

    /// <summary>Makes a client. It touches nothing yet.</summary>
    /// <param name="timeProvider">Times the pauses before repetitions.</param>
    public NetlinkWitness(TimeProvider timeProvider)
        : this(timeProvider, hasEgressHook: true)
    {
    }

    /// <summary>Makes one that does not ask the kernel for its egress hook, to be where it has none.</summary>
    internal NetlinkWitness(TimeProvider timeProvider, bool hasEgressHook)
    {
        _transport = new NetlinkTransport(NETLINK_NETFILTER, timeProvider, NetlinkSocket.Open, MaxTransaction);
        _hasEgressHook = hasEgressHook;
    }

    /// <inheritdoc/>
    public async Task<WitnessState?> TryGetAsync(CancellationToken cancellationToken) =>
        await TryGetAsync(Full, isPartial: false, cancellationToken) ?? await TryGetAsync(Partial, isPartial: true, cancellationToken);

    /// <inheritdoc/>
    public async Task<bool> CreateAsync(WitnessSpec spec, WitnessState? former, CancellationToken cancellationToken)
    {
        if (former is { Own: not null, Remote: not null, IsPartial: false })
        {
            try
            {
                await CreateAsync(Full, spec, former, isKept: true, cancellationToken);
                return false;
            }

            // Something of it is gone since it was read, or is not what it was.
            catch (LinuxException e) when (e.Errno is ENOENT or EEXIST or EBUSY or EINVAL or EBADMSG)
            {
            }
        }

        if (_hasEgressHook)
        {
            try
            {
                await CreateAsync(Full, spec, former, isKept: false, cancellationToken);
                await DeleteAsync(Partial, cancellationToken);
                return false;
            }

            // A kernel before 5.16 does not know the hook (nft_chain_parse_netdev). What else is wrong shows with the other hooks too.
            catch (LinuxException e) when (e.Errno is EOPNOTSUPP or EINVAL)
            {
            }
        }

        await DeleteAsync(Full, cancellationToken);
        await CreateAsync(Partial, spec, former, isKept: false, cancellationToken);
        return true;
    }

    /// <inheritdoc/>
    public async Task ChangeAsync(WitnessState from, WitnessSpec to, CancellationToken cancellationToken)
    {
        var table = from.IsPartial ? Partial : Full;
        await ChangeAsync(table, isOwn: true, from.Own ?? [], to.Own, cancellationToken);
        await ChangeAsync(table, isOwn: false, from.Remote ?? [], to.Remote, cancellationToken);
    }

    /// <inheritdoc/>
    public async Task DeleteAsync(CancellationToken cancellationToken)
    {
        await DeleteAsync(Full, cancellationToken);
        await DeleteAsync(Partial, cancellationToken);
    }

    private async Task CreateAsync(
        NftablesTable table, WitnessSpec spec, WitnessState? former, bool isKept, CancellationToken cancellationToken)
    {
        var isPartial = table == Partial;
        // A chain that stays is not touched: for a moment, one that takes its place would count beside it.
        var chains = WitnessRules.BuildChains(spec, isPartial);
        var kept = (isKept ? former!.Chains : []).Intersect(chains.Select(chain => chain.Key)).ToHashSet();
        var links = isPartial ? [] : spec.Links.Concat(spec.Devices).Select(link => link.Index).ToList();
        await RunAsync(
            $"make nftables table {table.Name}",
            connection =>
            {
                var batch = new NftablesBatch(connection.Request);
                if (isKept)
                {
                    Clear(ref batch, table, former!, kept, links);
                }
                else
                {
                    batch.Take(NftablesMessages.WriteAddTable(batch.Rest, table));
                    batch.Take(NftablesMessages.WriteDeleteTable(batch.Rest, table));
                    batch.Take(NftablesMessages.WriteAddTable(batch.Rest, table));
                }

                foreach (var (name, packets) in WitnessTable.Counters.Zip((former?.Counts ?? new WitnessCounts()).InOrder))
                {
                    batch.Take(NftablesMessages.WriteAddCounter(batch.Rest, table, name, packets));
                }

                foreach (var link in links)
                {
                    batch.Take(NftablesMessages.WriteAddCounter(batch.Rest, table, WitnessTable.SeenCounter(link)));
                }

                foreach (var (isOwn, isIPv6) in Sets)
                {
                    batch.Take(NftablesMessages.WriteAddSet(
                        batch.Rest, table, WitnessTable.SetName(isOwn, isIPv6), isIPv6, WitnessRules.SetId(isOwn, isIPv6)));
                }

                foreach (var chain in chains.Where(chain => !kept.Contains(chain.Key)))
                {
                    batch.Take(NftablesMessages.WriteAddChain(batch.Rest, table, chain.Name, chain.Hook));
                }

                var rules = WitnessRules.Build(spec, isPartial);
                for (var i = 0; i < rules.Count; i++)
                {
                    var flags = i == rules.Count - 1 ? NLM_F_ACK : (ushort)0;
                    batch.Take(NftablesMessages.WriteAddRule(batch.Rest, table, rules[i].Chain, rules[i].Comment, rules[i].Body, flags));
                }

                connection.ExecuteBatch(batch.Complete());
                return true;
            },
            cancellationToken);

        // In a table that is new, counting begins when the prefixes are there.
        await ChangeAsync(table, isOwn: true, isKept ? former!.Own!.Value : [], spec.Own, cancellationToken);
        await ChangeAsync(table, isOwn: false, isKept ? former!.Remote!.Value : [], spec.Remote, cancellationToken);
    }

    // Counters and sets stay, and so does what is in them.
    private static void Clear(
        ref NftablesBatch batch, NftablesTable table, WitnessState former,
        HashSet<(string Chain, string Link)> kept, IReadOnlyCollection<int> links)
    {
        batch.Take(NftablesMessages.WriteDeleteRules(batch.Rest, table));
        foreach (var (chain, _) in former.Chains.Where(chain => !kept.Contains(chain)))
        {
            batch.Take(NftablesMessages.WriteDeleteChain(batch.Rest, table, chain));
        }

        foreach (var count in former.Seen.Where(count => !links.Contains(count.Index)))
        {
            batch.Take(NftablesMessages.WriteDeleteCounter(batch.Rest, table, WitnessTable.SeenCounter(count.Index)));
        }
    }

    private async Task ChangeAsync(
        NftablesTable table, bool isOwn, EquatableArray<IPPrefix> from, EquatableArray<IPPrefix> to, CancellationToken cancellationToken)
    {
        // Removals first: a prefix that holds one that goes can come only then.
        var changes = from.Except(to).Select(prefix => (Prefix: prefix, IsAdded: false))
            .Concat(to.Except(from).Select(prefix => (Prefix: prefix, IsAdded: true)));
        foreach (var chunk in changes.Chunk(MaxPrefixes))
        {
            await RunAsync(
                $"change the prefixes of nftables table {table.Name}",
                connection =>
                {
                    var groups = chunk.GroupBy(change => (change.IsAdded, change.Prefix.IsIPv6))
                        .OrderBy(group => group.Key.IsAdded).ToList();
                    var batch = new NftablesBatch(connection.Request);
                    foreach (var group in groups)
                    {
                        var prefixes = group.Select(change => change.Prefix).ToArray();
                        var flags = group == groups[^1] ? NLM_F_ACK : (ushort)0;
                        var set = WitnessTable.SetName(isOwn, group.Key.IsIPv6);
                        batch.Take(group.Key.IsAdded
                            ? NftablesMessages.WriteAddPrefixes(batch.Rest, table, set, group.Key.IsIPv6, prefixes, flags)
                            : NftablesMessages.WriteRemovePrefixes(batch.Rest, table, set, group.Key.IsIPv6, prefixes, flags));
                    }

                    connection.ExecuteBatch(batch.Complete());
                    return true;
                },
                cancellationToken);
        }
    }

    private Task<bool> DeleteAsync(NftablesTable table, CancellationToken cancellationToken) => RunAsync(
        $"delete nftables table {table.Name}",
        connection =>
        {
            // Deleting a table that is not there is an error, adding one that is there is none.
            var batch = new NftablesBatch(connection.Request);
            batch.Take(NftablesMessages.WriteAddTable(batch.Rest, table));
            batch.Take(NftablesMessages.WriteDeleteTable(batch.Rest, table, NLM_F_ACK));
            connection.ExecuteBatch(batch.Complete());
            return true;
        },
        cancellationToken);

    private Task<WitnessState?> TryGetAsync(NftablesTable table, bool isPartial, CancellationToken cancellationToken) =>
        RunAsync($"read nftables table {table.Name}", connection => TryGet(connection, table, isPartial), cancellationToken);

    private static WitnessState? TryGet(NetlinkConnection connection, NftablesTable table, bool isPartial)
    {
        var counters = new Dictionary<string, (ulong Packets, ulong Bytes)>(StringComparer.Ordinal);
        List<(string Chain, string Link)> chains = [];
        List<string> comments = [];
        try
        {
            connection.Execute(NftablesMessages.WriteGetCounters(connection.Request, table), (in NetlinkMessage message) =>
            {
                if (NftablesReader.TryReadCounter(message) is { } counter && counter.Table == table.Name)
                {
                    counters[counter.Name] = (counter.Packets, counter.Bytes);
                }
            });
            if (counters.Count == 0)
            {
                return null;
            }

            connection.Execute(NftablesMessages.WriteGetChains(connection.Request, table), (in NetlinkMessage message) =>
            {
                if (NftablesReader.ReadChain(message) is { } chain && chain.Table == table.Name)
                {
                    chains.Add((chain.Name, chain.Device));
                }
            });
            connection.Execute(
                NftablesMessages.WriteGetRules(connection.Request, table), (in NetlinkMessage message) => comments.Add(
                    NftablesReader.ReadComment(message)));
            chains.Sort();
            comments.Sort(StringComparer.Ordinal);
            return new WitnessState(
                chains.ToEquatableArray(),
                comments.ToEquatableArray(),
                ReadPrefixes(connection, table, isOwn: true),
                ReadPrefixes(connection, table, isOwn: false),
                WitnessCounts.Of(counters),
                isPartial)
            {
                Seen = WitnessTable.ReadSeen(counters).ToEquatableArray(),
            };
        }

        // The table or a part of it is not there.
        catch (LinuxException e) when (e.Errno == ENOENT)
        {
            return null;
        }
    }

    private static EquatableArray<IPPrefix>? ReadPrefixes(NetlinkConnection connection, NftablesTable table, bool isOwn)
    {
        List<IPPrefix> prefixes = [];
        foreach (var isIPv6 in (bool[])[false, true])
        {
            List<(byte[] Address, bool IsEnd)> ends = [];
            connection.Execute(
                NftablesMessages.WriteGetPrefixes(connection.Request, table, WitnessTable.SetName(isOwn, isIPv6)),
                (in NetlinkMessage message) => NftablesReader.ReadPrefixes(message, ends));
            if (PrefixInterval.TryJoin(ends) is not { } joined)
            {
                return null;
            }

            prefixes.AddRange(joined);
        }

        return prefixes.Order().ToEquatableArray();
    }

    private static readonly (bool IsOwn, bool IsIPv6)[] Sets = [(true, false), (true, true), (false, false), (false, true)];

    private Task<T> RunAsync<T>(string operation, Func<NetlinkConnection, T> exchange, CancellationToken cancellationToken) =>
        _transport.RunAsync(operation, exchange, Hint, cancellationToken);

    private static string? Hint(int errno) => errno switch
    {
        EOPNOTSUPP or EPROTONOSUPPORT or EAFNOSUPPORT => "the kernel needs nf_tables with the families netdev or inet (modprobe nf_tables)",
        _ => null,
    };
}
