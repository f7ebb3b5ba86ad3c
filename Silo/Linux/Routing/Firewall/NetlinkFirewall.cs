// The table through nfnetlink, subsystem nf_tables.
using Orleans.WireGuard.Linux.Netlink;
using Orleans.WireGuard.Linux.Routing.Nftables;
using static Orleans.WireGuard.Linux.Errno;
using static Orleans.WireGuard.Linux.Netlink.NetlinkConstants;

namespace Orleans.WireGuard.Linux.Routing.Firewall;

/// <summary>Our nftables table through netlink. Needs CAP_NET_ADMIN and a kernel with nf_tables.</summary>
/// <remarks>Calls run to their end on the caller's thread, in its network namespace (<see cref="NetlinkTransport"/>).</remarks>
public sealed class NetlinkFirewall : IFirewall
{
    /// <summary>
    /// How many prefixes go into one transaction. An IPv6 prefix takes 68 bytes, so all of them fit
    /// <see cref="NetlinkConnection.MaxRequestSize"/> next to the table itself.
    /// </summary>
    public const int MaxPrefixes = 256;

    private static readonly NftablesTable Table = FirewallTable.Table;

    private readonly NetlinkTransport _transport;
    private readonly IReadOnlyList<FirewallRule> _dropRules;
    private readonly IReadOnlyList<string> _deviceNames;

    /// <summary>Makes a client. It touches nothing yet.</summary>
    /// <param name="timeProvider">Times the pauses before repetitions.</param>
    /// <param name="deviceNames">What our devices are called; <c>cilium_wg0</c> and <c>cilium_wg1</c> if not given.</param>
    public NetlinkFirewall(TimeProvider timeProvider, IReadOnlyList<string>? deviceNames = null)
    {
        _transport = new NetlinkTransport(NETLINK_NETFILTER, timeProvider, NetlinkSocket.Open);
        _deviceNames = deviceNames ?? FirewallTable.DefaultDevices;
        _dropRules = FirewallTable.BuildDropRules(_deviceNames);
    }

    /// <inheritdoc/>
    public Task<FirewallState?> TryGetAsync(CancellationToken cancellationToken) =>
        RunAsync($"read nftables table {Table.Name}", TryGet, cancellationToken);

    /// <inheritdoc/>
    public async Task CreateAsync(FirewallPrefixes prefixes, CancellationToken cancellationToken)
    {
        // What does not fit into the first transaction follows; a rule with half of its set is better than none.
        var changes = Changes(prefixes, isAdded: true).ToList();
        await RunAsync(
            $"make nftables table {Table.Name}",
            connection =>
            {
                var batch = new NftablesBatch(connection.Request);
                batch.Take(NftablesMessages.WriteAddTable(batch.Rest, Table));
                batch.Take(NftablesMessages.WriteDeleteTable(batch.Rest, Table));
                batch.Take(NftablesMessages.WriteAddTable(batch.Rest, Table));
                foreach (var chain in FirewallTable.Chains)
                {
                    batch.Take(NftablesMessages.WriteAddChain(batch.Rest, Table, chain.Name, chain.Hook));
                }

                foreach (var counter in FirewallTable.Counters)
                {
                    batch.Take(NftablesMessages.WriteAddCounter(batch.Rest, Table, counter));
                }

                foreach (var set in FirewallTable.Sets)
                {
                    batch.Take(NftablesMessages.WriteAddSet(batch.Rest, Table, set.Name, set.IsIPv6, set.Id));
                }

                Write(ref batch, changes.Take(MaxPrefixes), lastFlags: 0);
                WriteRules(ref batch, _dropRules);
                connection.ExecuteBatch(batch.Complete());
                return true;
            },
            cancellationToken);
        await ChangeAsync(changes.Skip(MaxPrefixes), cancellationToken);
    }

    /// <inheritdoc/>
    public Task ChangeAsync(FirewallPrefixes remove, FirewallPrefixes add, CancellationToken cancellationToken) =>

        // Removals first: a prefix that holds one that goes can come only then. Few enough, and it is one transaction.
        ChangeAsync(Changes(remove, isAdded: false).Concat(Changes(add, isAdded: true)), cancellationToken);

    /// <inheritdoc/>
    public Task LimitSegmentsAsync(EquatableArray<SegmentLimit> limits, CancellationToken cancellationToken) => ReplaceRulesAsync(
        "segment sizes", [FirewallTable.Segments], FirewallTable.BuildSegmentRules(limits), cancellationToken);

    /// <inheritdoc/>
    public Task DropPacketsAsync(
        EquatableArray<OuterPacket> packets, EquatableArray<string> unpacking, CancellationToken cancellationToken) => ReplaceRulesAsync(
        "packed packets",
        [FirewallTable.Forward, FirewallTable.OuterIn, FirewallTable.OuterOut],
        [
            .. FirewallTable.BuildUnpackedRules(unpacking), .. _dropRules.Where(rule => rule.Chain == FirewallTable.Forward),
            .. FirewallTable.BuildPacketRules(packets, _deviceNames),
        ],
        cancellationToken);

    /// <inheritdoc/>
    public Task DeleteAsync(CancellationToken cancellationToken) => RunAsync(
        $"delete nftables table {Table.Name}",
        connection =>
        {
            // Deleting a table that is not there is an error, adding one that is there is none.
            var batch = new NftablesBatch(connection.Request);
            batch.Take(NftablesMessages.WriteAddTable(batch.Rest, Table));
            batch.Take(NftablesMessages.WriteDeleteTable(batch.Rest, Table, NLM_F_ACK));
            connection.ExecuteBatch(batch.Complete());
            return true;
        },
        cancellationToken);

    // This node's own and what is spared first: without the one nothing is dropped on the way out, without the other too much is.
    private static IEnumerable<SetChange> Changes(FirewallPrefixes prefixes, bool isAdded) =>
        Changes(prefixes.Local, FirewallTable.Local4, FirewallTable.Local6, isAdded)
            .Concat(Changes(prefixes.Spared, FirewallTable.Spared4, FirewallTable.Spared6, isAdded))
            .Concat(Changes(prefixes.Encapsulating, FirewallTable.Outer4, FirewallTable.Outer6, isAdded))
            .Concat(Changes(prefixes.Remote, FirewallTable.Remote4, FirewallTable.Remote6, isAdded));

    private static IEnumerable<SetChange> Changes(EquatableArray<IPPrefix> prefixes, FirewallSet ipv4, FirewallSet ipv6, bool isAdded) =>
        prefixes.Select(prefix => new SetChange(prefix.IsIPv6 ? ipv6 : ipv4, prefix, isAdded));

    private static void WriteRules(ref NftablesBatch batch, IReadOnlyList<FirewallRule> rules)
    {
        for (var i = 0; i < rules.Count; i++)
        {
            batch.Take(FirewallMessages.WriteAddRule(batch.Rest, rules[i], i == rules.Count - 1 ? NLM_F_ACK : (ushort)0));
        }
    }

    // All rules of some chains in one transaction.
    private Task<bool> ReplaceRulesAsync(
        string what, FirewallChain[] chains, IReadOnlyList<FirewallRule> rules, CancellationToken cancellationToken) => RunAsync(
        $"change the {what} of nftables table {Table.Name}",
        connection =>
        {
            var batch = new NftablesBatch(connection.Request);
            foreach (var chain in chains)
            {
                var isLast = rules.Count == 0 && chain == chains[^1];
                batch.Take(NftablesMessages.WriteDeleteRules(batch.Rest, Table, chain.Name, isLast ? NLM_F_ACK : (ushort)0));
            }

            WriteRules(ref batch, rules);
            connection.ExecuteBatch(batch.Complete());
            return true;
        },
        cancellationToken);

    private async Task ChangeAsync(IEnumerable<SetChange> changes, CancellationToken cancellationToken)
    {
        foreach (var chunk in changes.Chunk(MaxPrefixes))
        {
            await RunAsync(
                $"change the sets of nftables table {Table.Name}",
                connection =>
                {
                    var batch = new NftablesBatch(connection.Request);
                    Write(ref batch, chunk, NLM_F_ACK);
                    connection.ExecuteBatch(batch.Complete());
                    return true;
                },
                cancellationToken);
        }
    }

    private static void Write(ref NftablesBatch batch, IEnumerable<SetChange> changes, ushort lastFlags)
    {
        var groups = changes.GroupBy(change => (change.IsAdded, change.Set)).OrderBy(group => group.Key.IsAdded).ToList();
        foreach (var group in groups)
        {
            var (set, prefixes) = (group.Key.Set, group.Select(change => change.Prefix).ToArray());
            var flags = group == groups[^1] ? lastFlags : (ushort)0;
            batch.Take(group.Key.IsAdded
                ? NftablesMessages.WriteAddPrefixes(batch.Rest, Table, set.Name, set.IsIPv6, prefixes, flags)
                : NftablesMessages.WriteRemovePrefixes(batch.Rest, Table, set.Name, set.IsIPv6, prefixes, flags));
        }
    }

    private FirewallState? TryGet(NetlinkConnection connection)
    {
        var counters = new Dictionary<string, ulong>();
        var rules = new List<(string Chain, string Comment)>();
        connection.Execute(NftablesMessages.WriteGetCounters(connection.Request, Table), (in NetlinkMessage message) =>
        {
            if (NftablesReader.TryReadCounter(message) is { Table: FirewallTable.Name } counter)
            {
                counters[counter.Name] = counter.Packets;
            }
        });
        connection.Execute(
            NftablesMessages.WriteGetRules(connection.Request, Table), (in NetlinkMessage message) => rules.Add(
                NftablesReader.ReadRule(message)));
        if (counters.Count == 0)
        {
            return null;
        }

        var sets = FirewallTable.Sets.ToDictionary(set => set, set => ReadSet(connection, set));
        var limits = rules.Where(rule => rule.Chain == FirewallTable.Segments.Name)
            .Select(rule => FirewallTable.TryParseLimit(rule.Comment))
            .OfType<SegmentLimit>().Distinct().ToEquatableArray();
        var packets = rules.Where(rule => rule.Chain == FirewallTable.OuterIn.Name)
            .Select(rule => FirewallTable.TryParsePacket(rule.Comment))
            .OfType<OuterPacket>().Distinct().Order(OuterPacket.Order).ToEquatableArray();
        var unpacking = rules.Where(rule => rule.Chain == FirewallTable.Forward.Name)
            .Select(rule => FirewallTable.TryParseUnpacking(rule.Comment))
            .OfType<string>().Distinct().ToEquatableArray();
        var isIntact = FirewallTable.BuildUnpackedRules(unpacking).Concat(_dropRules)
            .Concat(FirewallTable.BuildPacketRules(packets, _deviceNames))
            .Concat(FirewallTable.BuildSegmentRules(limits)).Select(rule => (rule.Chain.Name, rule.Comment))
            .SequenceEqual(rules)
            && FirewallTable.Counters.All(counters.ContainsKey) && sets.Values.All(set => set is not null);
        var prefixes = new FirewallPrefixes(
            Join(sets[FirewallTable.Remote4], sets[FirewallTable.Remote6]), Join(sets[FirewallTable.Local4], sets[FirewallTable.Local6]))
        {
            Spared = Join(sets[FirewallTable.Spared4], sets[FirewallTable.Spared6]),
            Encapsulating = Join(sets[FirewallTable.Outer4], sets[FirewallTable.Outer6]),
        };
        return new FirewallState(prefixes, isIntact)
        {
            Limits = limits,
            Packets = packets,
            Unpacking = unpacking,
            DroppedPackets = counters.GetValueOrDefault(FirewallTable.Counter),
            DroppedOutgoingPackets = counters.GetValueOrDefault(FirewallTable.OutgoingCounter),
        };
    }

    private static EquatableArray<IPPrefix> Join(List<IPPrefix>? ipv4, List<IPPrefix>? ipv6) =>
        (ipv4 ?? []).Concat(ipv6 ?? []).Order().ToEquatableArray();

    // Null if it is not there, as in a table of a former version, or holds what is no prefix.
    private static List<IPPrefix>? ReadSet(NetlinkConnection connection, FirewallSet set)
    {
        List<(byte[] Address, bool IsEnd)> ends = [];
        try
        {
            connection.Execute(
                NftablesMessages.WriteGetPrefixes(connection.Request, Table, set.Name), (in NetlinkMessage message) =>
                    NftablesReader.ReadPrefixes(message, ends));
            return PrefixInterval.TryJoin(ends);
        }
        catch (LinuxException e) when (e.Errno == ENOENT)
        {
            return null;
        }
    }

    private Task<T> RunAsync<T>(string operation, Func<NetlinkConnection, T> exchange, CancellationToken cancellationToken) =>
        _transport.RunAsync(operation, exchange, Hint, cancellationToken);

    private static string? Hint(int errno) => errno switch
    {
        EOPNOTSUPP or EPROTONOSUPPORT or EINVAL or EAFNOSUPPORT =>
            "the kernel needs nf_tables with the family inet (modprobe nf_tables); without it set Encryption:DropPlaintext to false",
        _ => null,
    };

    private readonly record struct SetChange(FirewallSet Set, IPPrefix Prefix, bool IsAdded);
}
