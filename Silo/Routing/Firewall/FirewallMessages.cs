using System.Text;
using Orleans.WireGuard.Silo.Devices.Netlink;
using Orleans.WireGuard.Silo.Routing.Nftables;
using static Orleans.WireGuard.Silo.Devices.Netlink.NetlinkConstants;
using static Orleans.WireGuard.Silo.Routing.Nftables.NftablesExpressions;

namespace Orleans.WireGuard.Silo.Routing.Firewall;

/// <summary>The messages of our table (<see cref="FirewallTable"/>).</summary>
internal static class FirewallMessages
{
    private const uint IPv4SetId = 1;
    private const uint IPv6SetId = 2;

    private static readonly NftablesTable Table = new(NFPROTO_INET, FirewallTable.Name);
    private static readonly NftablesHook Hook = new(NF_INET_FORWARD, NF_IP_PRI_RAW);

    /// <summary>The user data of our rules.</summary>
    public static ReadOnlySpan<byte> RuleUserData => RuleUserDataBytes;

    private static readonly byte[] RuleUserDataBytes = NftablesMessages.CommentData(FirewallTable.RuleComment);

    /// <summary>Adds the table; one that is there is fine.</summary>
    public static Span<byte> WriteAddTable(Span<byte> buffer, ushort flags = 0) => NftablesMessages.WriteAddTable(buffer, Table, flags);

    /// <summary>Deletes the table and everything in it.</summary>
    public static Span<byte> WriteDeleteTable(Span<byte> buffer, ushort flags = 0) => NftablesMessages.WriteDeleteTable(buffer, Table, flags);

    /// <summary>Adds the chain.</summary>
    public static Span<byte> WriteAddChain(Span<byte> buffer) => NftablesMessages.WriteAddChain(buffer, Table, FirewallTable.Chain, Hook);

    /// <summary>Adds the counter.</summary>
    public static Span<byte> WriteAddCounter(Span<byte> buffer) => NftablesMessages.WriteAddCounter(buffer, Table, FirewallTable.Counter);

    /// <summary>Adds the set of a family.</summary>
    public static Span<byte> WriteAddSet(Span<byte> buffer, bool isIPv6) => NftablesMessages.WriteAddSet(buffer, Table, SetName(isIPv6), isIPv6, SetId(isIPv6));

    /// <summary>Adds prefixes of one family to their set.</summary>
    public static Span<byte> WriteAddSources(Span<byte> buffer, bool isIPv6, ReadOnlySpan<IPPrefix> sources, ushort flags = 0) =>
        NftablesMessages.WriteAddPrefixes(buffer, Table, SetName(isIPv6), isIPv6, sources, flags);

    /// <summary>Removes prefixes of one family from their set.</summary>
    public static Span<byte> WriteRemoveSources(Span<byte> buffer, bool isIPv6, ReadOnlySpan<IPPrefix> sources, ushort flags = 0) =>
        NftablesMessages.WriteRemovePrefixes(buffer, Table, SetName(isIPv6), isIPv6, sources, flags);

    /// <summary>Asks for the prefixes of one family.</summary>
    public static Span<byte> WriteGetSources(Span<byte> buffer, bool isIPv6) => NftablesMessages.WriteGetPrefixes(buffer, Table, SetName(isIPv6));

    /// <summary>Asks for the objects of the table: the counter.</summary>
    public static Span<byte> WriteGetCounters(Span<byte> buffer) => NftablesMessages.WriteGetCounters(buffer, Table);

    /// <summary>Asks for the rules of the table.</summary>
    public static Span<byte> WriteGetRules(Span<byte> buffer) => NftablesMessages.WriteGetRules(buffer, Table);

    /// <summary>Adds the rule of a family behind those that are there.</summary>
    public static Span<byte> WriteAddRule(Span<byte> buffer, bool isIPv6, ushort flags = 0) => NftablesMessages.WriteAddRule(
        buffer,
        Table,
        FirewallTable.Chain,
        FirewallTable.RuleComment,
        (ref NetlinkWriter writer) =>
        {
            // Without the terminating zero the comparison is with the first bytes of the name only.
            LoadMeta(ref writer, NFT_META_IIFNAME);
            Compare(ref writer, NFT_CMP_NEQ, Encoding.ASCII.GetBytes(FirewallTable.DevicePrefix));
            LoadMeta(ref writer, NFT_META_NFPROTO);
            Compare(ref writer, NFT_CMP_EQ, [isIPv6 ? NFPROTO_IPV6 : NFPROTO_IPV4]);
            LoadSource(ref writer, isIPv6);
            Lookup(ref writer, SetName(isIPv6), SetId(isIPv6));
            Count(ref writer, FirewallTable.Counter);
            Drop(ref writer);
        },
        flags);

    /// <summary>Name of the set of a family.</summary>
    public static string SetName(bool isIPv6) => isIPv6 ? FirewallTable.IPv6Set : FirewallTable.IPv4Set;

    private static uint SetId(bool isIPv6) => isIPv6 ? IPv6SetId : IPv4SetId;
}
