using Orleans.WireGuard.Linux.Routing.Nftables;
using static Orleans.WireGuard.Linux.Netlink.NetlinkConstants;

namespace Orleans.WireGuard.Linux.Routing.Firewall;

/// <summary>Our nftables table and what is in it, as <c>nft list table inet orleans_wireguard</c> shows it.</summary>
/// <remarks>
/// <code>
/// table inet orleans_wireguard {
///   counter dropped { }
///   counter dropped_out { }
///   set remote4 { type ipv4_addr; flags interval; }
///   set remote6 { type ipv6_addr; flags interval; }
///   set local4 { type ipv4_addr; flags interval; }
///   set local6 { type ipv6_addr; flags interval; }
///   chain forward { type filter hook forward priority raw; policy accept;
///     iifname != "cilium_wg*" ip saddr @remote4 counter name "dropped" drop comment "owg 2"
///     iifname != "cilium_wg*" ip6 saddr @remote6 counter name "dropped" drop comment "owg 2"
///   }
///   chain postrouting { type filter hook postrouting priority raw; policy accept;
///     oifname != "cilium_wg*" ip saddr @local4 ip daddr @remote4 counter name "dropped_out" drop comment "owg 2"
///     oifname != "cilium_wg*" ip6 saddr @local6 ip6 daddr @remote6 counter name "dropped_out" drop comment "owg 2"
///   }
/// }
/// </code>
/// In: the hook is forward, not prerouting, because what a pod of another node sends to this node itself is traffic of the node, which is
/// not encrypted. Out: the hook is postrouting, which every packet passes behind all rules and routes, whoever set them, and also one that
/// a proxy on this node sends with the address of a pod. A service's address is the pod's by then; the source is the pod's still, because
/// the priority is before the one at which it becomes the node's. The priority is before every filter of others too, so that none of them
/// accepts what has to be dropped, or counts it.
/// </remarks>
internal static class FirewallTable
{
    /// <summary>Name of the table.</summary>
    public const string Name = "orleans_wireguard";

    /// <summary>Name of the counter of packets that came in clear.</summary>
    public const string Counter = "dropped";

    /// <summary>Name of the counter of packets that would have left in clear.</summary>
    public const string OutgoingCounter = "dropped_out";

    /// <summary>What the names of our devices begin with: both slots.</summary>
    public const string DevicePrefix = "cilium_wg";

    /// <summary>Comment of our rules. The number counts their versions: a table with another one is made anew.</summary>
    public const string RuleComment = "owg 2";

    /// <summary>The table.</summary>
    public static NftablesTable Table { get; } = new(NFPROTO_INET, Name);

    /// <summary>The pods of other nodes.</summary>
    public static FirewallSet Remote4 { get; } = new("remote4", IsIPv6: false, Id: 1);

    /// <inheritdoc cref="Remote4"/>
    public static FirewallSet Remote6 { get; } = new("remote6", IsIPv6: true, Id: 2);

    /// <summary>This node's pods.</summary>
    public static FirewallSet Local4 { get; } = new("local4", IsIPv6: false, Id: 3);

    /// <inheritdoc cref="Local4"/>
    public static FirewallSet Local6 { get; } = new("local6", IsIPv6: true, Id: 4);

    /// <summary>What is forwarded.</summary>
    public static FirewallChain Forward { get; } = new("forward", new NftablesHook(NF_INET_FORWARD, NF_IP_PRI_RAW));

    /// <summary>What leaves.</summary>
    public static FirewallChain Postrouting { get; } = new("postrouting", new NftablesHook(NF_INET_POST_ROUTING, NF_IP_PRI_RAW));

    /// <summary>All chains.</summary>
    public static IReadOnlyList<FirewallChain> Chains { get; } = [Forward, Postrouting];

    /// <summary>All counters.</summary>
    public static IReadOnlyList<string> Counters { get; } = [Counter, OutgoingCounter];

    /// <summary>All sets.</summary>
    public static IReadOnlyList<FirewallSet> Sets { get; } = [Remote4, Remote6, Local4, Local6];

    /// <summary>All rules.</summary>
    public static IReadOnlyList<FirewallRule> Rules { get; } =
    [
        new(Forward, Remote4, Destination: null, Counter),
        new(Forward, Remote6, Destination: null, Counter),
        new(Postrouting, Local4, Remote4, OutgoingCounter),
        new(Postrouting, Local6, Remote6, OutgoingCounter),
    ];
}

/// <summary>A chain of our table, and where packets meet it.</summary>
internal sealed record FirewallChain(string Name, NftablesHook Hook);

/// <summary>A set of prefixes of one family, with the number by which the rules of the same transaction refer to it.</summary>
internal sealed record FirewallSet(string Name, bool IsIPv6, uint Id);

/// <summary>A rule that counts and drops packets that take another link than ours.</summary>
/// <param name="Chain">Where it is.</param>
/// <param name="Source">The set that holds the source.</param>
/// <param name="Destination">
/// The set that holds the destination; <see langword="null"/> for any. Then the link is the one that the packet came in by, else the one
/// that it leaves by.
/// </param>
/// <param name="Counter">The named counter.</param>
internal sealed record FirewallRule(FirewallChain Chain, FirewallSet Source, FirewallSet? Destination, string Counter);
