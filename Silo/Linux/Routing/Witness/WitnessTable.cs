using System.Globalization;

namespace Orleans.WireGuard.Linux.Routing.Witness;

/// <summary>
/// The names of the witness's nftables table and of what is in it, as <c>nft list table netdev orleans_wireguard</c> shows them.
/// </summary>
/// <remarks>
/// <code>
/// table netdev orleans_wireguard {
///   counter clear { }  counter clear_encapsulated { }  counter tunnel { }                    what leaves
///   counter arrived_clear { }  counter arrived_clear_encapsulated { }  counter arrived_tunnel { }
///   counter seen2 { }  counter seen5 { }                                                     what netfilter sees leave by each link
///   set own4, own6, remote4, remote6
///   chain leaving {
///     ip saddr 192.168.7.1 udp dport 51871 counter name "tunnel" accept comment "owg 2 tunnel 51871 of 192.168.7.1"
///     ip saddr @own4 ip daddr @remote4 counter name "clear" accept comment "owg 2 clear"                       (and IPv6)
///     udp dport 51871 counter name "tunnel" accept comment "owg 2 tunnel 51871"
///     udp dport 8472, inside: ip saddr @own4 ip daddr @remote4 counter name "clear_encapsulated" accept comment "owg 2 vxlan 8472"
///   }
///   chain arriving { … }                                                                                       the same, mirrored
///   chain out2 { type filter hook egress device "eth0" priority 0; policy accept;
///     counter name "seen2" comment "owg 2 seen"
///     jump leaving comment "owg 2 link"
///   }
///   chain in2 { type filter hook ingress device "eth0" priority 0; policy accept; jump arriving comment "owg 2 link" }
///   chain out5 { type filter hook egress device "cilium_wg0" priority 0; policy accept; counter name "seen5" comment "owg 2 seen" }
/// }
/// </code>
/// The first rule is for nearly all packets, and the cheapest: it looks nothing up.
/// The hooks are those of the link itself, so no rule or route decides whether a packet meets them. Nothing is dropped and nothing is
/// copied. A chain bears the number of its link, so that one that was renamed is told from one that was replaced.
/// <para>
/// One kind of packet is not seen: what a BPF program at the ingress of one link redirects to another one skips netfilter there (the
/// kernel's <c>nf_skip_egress</c>). The link counts it all the same, and from the difference to <c>seen</c> is told that there is such
/// traffic. What a program takes away where it arrives does not come to netfilter either; of that its sender tells.
/// </para>
/// <para>
/// A kernel before 5.16 has no egress hook. It gets the table <c>inet orleans_wireguard_witness</c> with the same rules in
/// <c>postrouting</c> and <c>prerouting</c>, for the names of the links, and without <c>seen</c>.
/// </para>
/// </remarks>
public static class WitnessTable
{
    /// <summary>Name of the table of the family netdev.</summary>
    public const string Name = "orleans_wireguard";

    /// <summary>Name of the table of the family inet, where the kernel has no egress hook.</summary>
    public const string PartialName = "orleans_wireguard_witness";

    /// <summary>What the comments of our rules begin with. The number counts their versions.</summary>
    public const string Comment = "owg 2 ";

    /// <summary>The counters of what leaves and of what arrives, by <see cref="WitnessClass"/>.</summary>
    public static IReadOnlyList<string> Counters { get; } =
        ["clear", "clear_encapsulated", "tunnel", "arrived_clear", "arrived_clear_encapsulated", "arrived_tunnel"];

    // What the names of the counters begin with that each belong to a link.
    private const string Seen = "seen";

    /// <summary>Name of the chain of what leaves.</summary>
    public const string Leaving = "leaving";

    /// <summary>Name of the chain of what arrives.</summary>
    public const string Arriving = "arriving";

    /// <summary>The most links at which is counted. A node has a few; each costs two chains.</summary>
    public const int MaxLinks = 16;

    /// <summary>The most ports of encapsulations that are looked into. A node has one or two; each Geneve port takes 16 rules.</summary>
    public const int MaxPorts = 2;

    /// <summary>
    /// The most addresses of this node for which its tunnels' packets are told without a look-up; those of others are told with one.
    /// </summary>
    public const int MaxAddresses = 4;

    /// <summary>Name of a set.</summary>
    /// <param name="isOwn">Whether it has this node's pods, or those of the others.</param>
    /// <param name="isIPv6">The family.</param>
    public static string SetName(bool isOwn, bool isIPv6) => (isOwn ? "own" : "remote") + (isIPv6 ? "6" : "4");

    /// <summary>The counter of all that netfilter sees leave by a link.</summary>
    public static string SeenCounter(int linkIndex) => string.Create(CultureInfo.InvariantCulture, $"{Seen}{linkIndex}");

    /// <summary>What the counters of <see cref="SeenCounter"/> say.</summary>
    public static IEnumerable<LinkCount> ReadSeen(IReadOnlyDictionary<string, (ulong Packets, ulong Bytes)> counters) =>
        from counter in counters
        where counter.Key.StartsWith(Seen, StringComparison.Ordinal)
        let index = int.TryParse(counter.Key.AsSpan(Seen.Length), NumberStyles.None, CultureInfo.InvariantCulture, out var number)
            ? number
            : 0
        where index > 0
        orderby index
        select new LinkCount(index, counter.Value.Packets, counter.Value.Bytes);

    /// <summary>The counter of a class of packets.</summary>
    public static string Counter(WitnessClass kind, bool isArriving) => Counters[(int)kind + (isArriving ? Counters.Count / 2 : 0)];
}
