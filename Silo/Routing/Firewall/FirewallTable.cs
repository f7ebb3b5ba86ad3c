namespace Orleans.WireGuard.Silo.Routing.Firewall;

/// <summary>The names of our nftables table and of what is in it, as <c>nft list table inet orleans_wireguard</c> shows them.</summary>
/// <remarks>
/// <code>
/// table inet orleans_wireguard {
///   counter dropped { }
///   set remote4 { type ipv4_addr; flags interval; }
///   set remote6 { type ipv6_addr; flags interval; }
///   chain forward { type filter hook forward priority raw; policy accept;
///     iifname != "cilium_wg*" ip saddr @remote4 counter name "dropped" drop comment "owg 1"
///     iifname != "cilium_wg*" ip6 saddr @remote6 counter name "dropped" drop comment "owg 1"
///   }
/// }
/// </code>
/// The hook is forward, not prerouting: what a pod of another node sends to this node itself is traffic of the node, which is not encrypted.
/// The priority is before every filter of others, so that none of them accepts what has to be dropped, or counts it.
/// </remarks>
internal static class FirewallTable
{
    /// <summary>Name of the table.</summary>
    public const string Name = "orleans_wireguard";

    /// <summary>Name of its only chain.</summary>
    public const string Chain = "forward";

    /// <summary>Name of the counter of dropped packets.</summary>
    public const string Counter = "dropped";

    /// <summary>Name of the set of IPv4 prefixes.</summary>
    public const string IPv4Set = "remote4";

    /// <summary>Name of the set of IPv6 prefixes.</summary>
    public const string IPv6Set = "remote6";

    /// <summary>What the names of our devices begin with: both slots.</summary>
    public const string DevicePrefix = "cilium_wg";

    /// <summary>Comment of our rules. The number counts their versions: a table with another one is made anew.</summary>
    public const string RuleComment = "owg 1";

    /// <summary>How many rules there are.</summary>
    public const int RuleCount = 2;
}
