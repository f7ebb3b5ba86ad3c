using System.Globalization;
using Orleans.WireGuard.Linux.Routing.Nftables;
using static Orleans.WireGuard.Linux.Netlink.NetlinkConstants;

namespace Orleans.WireGuard.Linux.Routing.Firewall;

/// <summary>Our nftables table and what is in it, as <c>nft list table inet orleans_wireguard</c> shows it.</summary>
/// <remarks>
/// <code>
/// table inet orleans_wireguard {
///   counter dropped { }
///   counter dropped_out { }
///   set remote4 { type ipv4_addr; flags interval; }          and local4, spared4, outer4; all of them for IPv6 too
///   chain forward { type filter hook forward priority raw; policy accept;
///     iifname "cilium_vxlan" accept
///     iifname != "cilium_wg0" iifname != "cilium_wg1" ip saddr @remote4 ip saddr != @spared4 counter name "dropped" drop
///   }
///   chain postrouting { type filter hook postrouting priority raw; policy accept;
///     oifname != "cilium_wg0" oifname != "cilium_wg1" ip saddr @local4 ip daddr @remote4 ip daddr != @spared4
///       counter name "dropped_out" drop
///   }
///   chain outer_in { type filter hook prerouting priority -450; policy accept;
///     iifname != "cilium_wg0" iifname != "cilium_wg1" udp dport 8472 ip saddr @outer4 counter name "dropped" drop
///   }
///   chain outer_out { type filter hook postrouting priority raw; policy accept;
///     oifname != "cilium_wg0" oifname != "cilium_wg1" udp dport 8472 ip daddr @outer4 counter name "dropped_out" drop
///   }
///   chain mss { type filter hook prerouting priority mangle; policy accept;
///     iifname "cilium_wg0" tcp flags syn tcp option maxseg size set 1390
///   }
/// }
/// </code>
/// In: the hook is forward, not prerouting, because what a pod of another node sends to this node itself is traffic of the node, which is
/// not encrypted. Out: the hook is postrouting, which every packet passes behind all rules and routes, whoever set them, and also one that
/// a proxy on this node sends with the address of a pod. A service's address is the pod's by then; the source is the pod's still, because
/// the priority is before the one at which it becomes the node's. The priority is before every filter of others too, so that none of them
/// accepts what has to be dropped, or counts it.
/// The sets of others' pods hold whole ranges; what is in a range and no pod of another node is spared, so a pod that comes or goes is one
/// element, and no range is cut into pieces. This node's pods are spared by what the roster gives them and not by what it lists: what two
/// nodes claim is not let in by the one that lost it.
/// Outer: what another data plane packs, from and to nodes between which it has to take the tunnels. In: before fragments are put
/// together, or the last one, from a tunnel, would vouch for a first one that came in clear. So what a link has unpacked has come through
/// a tunnel, and what the stack forwards of it, an answer to a NodePort for instance, passes.
/// Segments: of what comes in only. A program that sends past netfilter is seen by nobody on the way out, and each side sees the other's
/// first packet come in.
/// </remarks>
internal static class FirewallTable
{
    /// <summary>Name of the table.</summary>
    public const string Name = "orleans_wireguard";

    /// <summary>Name of the counter of packets that came in clear.</summary>
    public const string Counter = "dropped";

    /// <summary>Name of the counter of packets that would have left in clear.</summary>
    public const string OutgoingCounter = "dropped_out";

    /// <summary>Comments of our rules begin so. The number counts their versions: a table with another one is made anew.</summary>
    public const string RuleComment = "owg 4";

    /// <summary>The table.</summary>
    public static NftablesTable Table { get; } = new(NFPROTO_INET, Name);

    /// <summary>What our devices are called unless somebody says otherwise.</summary>
    public static IReadOnlyList<string> DefaultDevices { get; } = ["cilium_wg0", "cilium_wg1"];

    /// <summary>The pods of other nodes.</summary>
    public static FirewallSet Remote4 { get; } = new("remote4", IsIPv6: false, Id: 1);

    /// <inheritdoc cref="Remote4"/>
    public static FirewallSet Remote6 { get; } = new("remote6", IsIPv6: true, Id: 2);

    /// <summary>This node's pods.</summary>
    public static FirewallSet Local4 { get; } = new("local4", IsIPv6: false, Id: 3);

    /// <inheritdoc cref="Local4"/>
    public static FirewallSet Local6 { get; } = new("local6", IsIPv6: true, Id: 4);

    /// <summary>This node's pods, nodes, and what cannot be encrypted, among the pods of other nodes.</summary>
    public static FirewallSet Spared4 { get; } = new("spared4", IsIPv6: false, Id: 5);

    /// <inheritdoc cref="Spared4"/>
    public static FirewallSet Spared6 { get; } = new("spared6", IsIPv6: true, Id: 6);

    /// <summary>Nodes from and to which packed packets have to take the tunnels.</summary>
    public static FirewallSet Outer4 { get; } = new("outer4", IsIPv6: false, Id: 7);

    /// <inheritdoc cref="Outer4"/>
    public static FirewallSet Outer6 { get; } = new("outer6", IsIPv6: true, Id: 8);

    /// <summary>What is forwarded.</summary>
    public static FirewallChain Forward { get; } = new("forward", new NftablesHook(NF_INET_FORWARD, NF_IP_PRI_RAW));

    /// <summary>What leaves.</summary>
    public static FirewallChain Postrouting { get; } = new("postrouting", new NftablesHook(NF_INET_POST_ROUTING, NF_IP_PRI_RAW));

    /// <summary>What came in packed.</summary>
    public static FirewallChain OuterIn { get; } =
        new("outer_in", new NftablesHook(NF_INET_PRE_ROUTING, NF_IP_PRI_RAW_BEFORE_DEFRAG));

    /// <summary>What leaves packed.</summary>
    public static FirewallChain OuterOut { get; } = new("outer_out", new NftablesHook(NF_INET_POST_ROUTING, NF_IP_PRI_RAW));

    /// <summary>How large segments may be.</summary>
    public static FirewallChain Segments { get; } = new("mss", new NftablesHook(NF_INET_PRE_ROUTING, NF_IP_PRI_MANGLE));

    /// <summary>All chains.</summary>
    public static IReadOnlyList<FirewallChain> Chains { get; } = [Forward, Postrouting, OuterIn, OuterOut, Segments];

    /// <summary>All counters.</summary>
    public static IReadOnlyList<string> Counters { get; } = [Counter, OutgoingCounter];

    /// <summary>All sets.</summary>
    public static IReadOnlyList<FirewallSet> Sets { get; } = [Remote4, Remote6, Local4, Local6, Spared4, Spared6, Outer4, Outer6];

    /// <summary>The rules that drop, for devices of these names.</summary>
    public static IReadOnlyList<FirewallRule> BuildDropRules(IReadOnlyList<string> devices)
    {
        var comment = $"{RuleComment} {string.Join(' ', devices)}";
        return
        [
            new DropRule(Forward, comment, devices, Remote4, Local4, Spared4, IsOutgoing: false, Counter),
            new DropRule(Forward, comment, devices, Remote6, Local6, Spared6, IsOutgoing: false, Counter),
            new DropRule(Postrouting, comment, devices, Remote4, Local4, Spared4, IsOutgoing: true, OutgoingCounter),
            new DropRule(Postrouting, comment, devices, Remote6, Local6, Spared6, IsOutgoing: true, OutgoingCounter),
        ];
    }

    /// <summary>The rules that drop packed packets, for devices of these names.</summary>
    public static IReadOnlyList<FirewallRule> BuildPacketRules(IEnumerable<OuterPacket> packets, IReadOnlyList<string> devices) =>
    [
        .. new[] { OuterIn, OuterOut }.SelectMany(chain => packets.SelectMany(packet => new[] { Outer4, Outer6 }
            .Where(set => packet.IsUdp || !set.IsIPv6)
            .Select(set => BuildPacketRule(chain, packet, set, devices)))),
    ];

    private static PacketDropRule BuildPacketRule(
        FirewallChain chain, OuterPacket packet, FirewallSet set, IReadOnlyList<string> devices)
    {
        var isOutgoing = chain == OuterOut;
        return new PacketDropRule(
            chain, Describe(packet, devices), devices, packet, set, isOutgoing, isOutgoing ? OutgoingCounter : Counter);
    }

    /// <summary>The rules that let pass what links have unpacked; before those that drop.</summary>
    public static IReadOnlyList<FirewallRule> BuildUnpackedRules(IEnumerable<string> links) =>
        [.. links.Select(link => new UnpackedRule(Forward, $"{RuleComment} unpacks {link}", link))];

    /// <summary>The link that the comment of a rule says to unpack; <see langword="null"/> if it says none.</summary>
    public static string? TryParseUnpacking(string comment) =>
        comment.Split(' ') is ["owg", var version, "unpacks", var link] && $"owg {version}" == RuleComment ? link : null;

    /// <summary>The packet that the comment of a rule tells; <see langword="null"/> if it tells none.</summary>
    public static OuterPacket? TryParsePacket(string comment) =>
        comment.Split(' ') is ["owg", var version, "packet", var protocol, var port, ..] && $"owg {version}" == RuleComment
            && byte.TryParse(protocol, NumberStyles.None, CultureInfo.InvariantCulture, out var number)
            && ushort.TryParse(port, NumberStyles.None, CultureInfo.InvariantCulture, out var destination)
            ? new OuterPacket(number, destination)
            : null;

    /// <summary>The rules that limit segments.</summary>
    public static IReadOnlyList<FirewallRule> BuildSegmentRules(IEnumerable<SegmentLimit> limits) =>
    [
        .. limits.SelectMany(limit => new FirewallRule[]
        {
            new SegmentRule(Segments, Describe(limit), limit, IsIPv6: false),
            new SegmentRule(Segments, Describe(limit), limit, IsIPv6: true),
        }),
    ];

    /// <summary>The limit that the comment of a rule tells; <see langword="null"/> if it tells none.</summary>
    public static SegmentLimit? TryParseLimit(string comment) =>
        comment.Split(' ') is ["owg", var version, var device, "mtu", var mtu] && $"owg {version}" == RuleComment
            && int.TryParse(mtu, NumberStyles.None, CultureInfo.InvariantCulture, out var bytes)
            ? new SegmentLimit(device, bytes)
            : null;

    private static string Describe(OuterPacket packet, IReadOnlyList<string> devices) =>
        string.Create(
            CultureInfo.InvariantCulture, $"{RuleComment} packet {packet.Protocol} {packet.Port} {string.Join(' ', devices)}");

    private static string Describe(SegmentLimit limit) =>
        string.Create(CultureInfo.InvariantCulture, $"{RuleComment} {limit.DeviceName} mtu {limit.Mtu}");
}

/// <summary>A chain of our table, and where packets meet it.</summary>
internal sealed record FirewallChain(string Name, NftablesHook Hook);

/// <summary>A set of prefixes of one family, with the number by which the rules of the same transaction refer to it.</summary>
internal sealed record FirewallSet(string Name, bool IsIPv6, uint Id);
