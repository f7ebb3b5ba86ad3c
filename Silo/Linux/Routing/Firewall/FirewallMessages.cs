using System.Text;
using Orleans.WireGuard.Linux.Netlink;
using Orleans.WireGuard.Linux.Routing.Nftables;
using static Orleans.WireGuard.Linux.Netlink.NetlinkConstants;
using static Orleans.WireGuard.Linux.Routing.Nftables.NftablesExpressions;

namespace Orleans.WireGuard.Linux.Routing.Firewall;

/// <summary>The rules of our table (<see cref="FirewallTable"/>), as the expressions that nft(8) compiles them to.</summary>
internal static class FirewallMessages
{
    /// <summary>The user data of our rules.</summary>
    public static ReadOnlySpan<byte> RuleUserData => RuleUserDataBytes;

    private static readonly byte[] RuleUserDataBytes = NftablesMessages.CommentData(FirewallTable.RuleComment);

    /// <summary>Adds a rule behind those that are there.</summary>
    public static Span<byte> WriteAddRule(Span<byte> buffer, FirewallRule rule, ushort flags = 0) => NftablesMessages.WriteAddRule(
        buffer,
        FirewallTable.Table,
        rule.Chain.Name,
        FirewallTable.RuleComment,
        (ref NetlinkWriter writer) =>
        {
            // Without the terminating zero the comparison is with the first bytes of the name only.
            LoadMeta(ref writer, rule.Destination is null ? NFT_META_IIFNAME : NFT_META_OIFNAME);
            Compare(ref writer, NFT_CMP_NEQ, Encoding.ASCII.GetBytes(FirewallTable.DevicePrefix));
            LoadMeta(ref writer, NFT_META_NFPROTO);
            Compare(ref writer, NFT_CMP_EQ, [rule.Source.IsIPv6 ? NFPROTO_IPV6 : NFPROTO_IPV4]);
            LoadSource(ref writer, rule.Source.IsIPv6);
            Lookup(ref writer, rule.Source.Name, rule.Source.Id);
            if (rule.Destination is { } destination)
            {
                LoadDestination(ref writer, destination.IsIPv6);
                Lookup(ref writer, destination.Name, destination.Id);
            }

            Count(ref writer, rule.Counter);
            Drop(ref writer);
        },
        flags);
}
