namespace Orleans.WireGuard.Silo.Routing.Witness;

/// <summary>The names of the witness's nftables table and of what is in it, as <c>nft list table netdev orleans_wireguard</c> shows them.</summary>
/// <remarks>
/// <code>
/// table netdev orleans_wireguard {
///   counter clear { }  counter clear_encapsulated { }  counter tunnel { }                    what leaves
///   counter arrived_clear { }  counter arrived_clear_encapsulated { }  counter arrived_tunnel { }
///   set own4, own6, remote4, remote6
///   chain leaving {
///     ip saddr @own4 ip daddr @remote4 counter name "clear" accept comment "owg 1 clear"                       (and IPv6)
///     udp dport 51871 counter name "tunnel" accept comment "owg 1 tunnel 51871"
///     udp dport 8472, inside: ip saddr @own4 ip daddr @remote4 counter name "clear_encapsulated" accept comment "owg 1 vxlan 8472"
///   }
///   chain arriving { … }                                                                                       the same, mirrored
///   chain out2 { type filter hook egress device "eth0" priority 0; policy accept; jump leaving comment "owg 1 link" }
///   chain in2 { type filter hook ingress device "eth0" priority 0; policy accept; jump arriving comment "owg 1 link" }
/// }
/// </code>
/// The hooks are those of the link itself: a packet that a BPF program redirected to it never meets another one. Nothing is dropped and nothing is
/// copied. A chain bears the number of its link, so that one that was renamed is told from one that was replaced.
/// <para>
/// A kernel before 5.16 has no egress hook. It gets the table <c>inet orleans_wireguard_witness</c> with the same rules in <c>postrouting</c> and
/// <c>prerouting</c>, for the names of the links; it does not see what BPF redirects past them.
/// </para>
/// </remarks>
internal static class WitnessTable
{
    /// <summary>Name of the table of the family netdev.</summary>
    public const string Name = "orleans_wireguard";

    /// <summary>Name of the table of the family inet, where the kernel has no egress hook.</summary>
    public const string PartialName = "orleans_wireguard_witness";

    /// <summary>What the comments of our rules begin with. The number counts their versions.</summary>
    public const string Comment = "owg 1 ";

    /// <summary>The counters of what leaves and of what arrives, by <see cref="WitnessClass"/>.</summary>
    public static readonly string[] Counters = ["clear", "clear_encapsulated", "tunnel", "arrived_clear", "arrived_clear_encapsulated", "arrived_tunnel"];

    /// <summary>Name of the chain of what leaves.</summary>
    public const string Leaving = "leaving";

    /// <summary>Name of the chain of what arrives.</summary>
    public const string Arriving = "arriving";

    /// <summary>The most links at which is counted. A node has a few; each costs two chains.</summary>
    public const int MaxLinks = 16;

    /// <summary>The most ports of encapsulations that are looked into. A node has one or two; all rules fit one transaction.</summary>
    public const int MaxPorts = 4;

    /// <summary>Name of a set.</summary>
    /// <param name="isOwn">Whether it has this node's pods, or those of the others.</param>
    /// <param name="isIPv6">The family.</param>
    public static string SetName(bool isOwn, bool isIPv6) => (isOwn ? "own" : "remote") + (isIPv6 ? "6" : "4");

    /// <summary>The counter of a class of packets.</summary>
    public static string Counter(WitnessClass kind, bool isArriving) => Counters[(int)kind + (isArriving ? Counters.Length / 2 : 0)];
}

/// <summary>What is counted.</summary>
internal enum WitnessClass
{
    /// <summary>A packet from a pod of ours to a pod of another node, as it is.</summary>
    Clear,

    /// <summary>The same inside VXLAN or Geneve, which hide nothing.</summary>
    ClearEncapsulated,

    /// <summary>Our own WireGuard.</summary>
    Tunnel,
}
