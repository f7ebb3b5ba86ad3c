using System.Net;
using static Orleans.WireGuard.Linux.Netlink.NetlinkConstants;

namespace Orleans.WireGuard.Linux.Routing;

/// <summary>A rule of the routing policy (<c>ip rule</c>), as far as what is checked needs it.</summary>
/// <param name="IsIPv6">The family.</param>
/// <param name="Priority">Lower comes first.</param>
/// <param name="Table">Which table is looked up; 0 if none is.</param>
/// <param name="Action">FR_ACT_*: look up, refuse, or something else.</param>
public sealed record RuleEntry(bool IsIPv6, uint Priority, uint Table, byte Action)
{
    /// <summary>The link by which rules mean packets of the node itself.</summary>
    internal const string LoopbackLink = "lo";

    /// <summary>Who added it.</summary>
    public byte Protocol { get; init; }

    /// <summary>From where; <see langword="null"/> from anywhere.</summary>
    public IPPrefix? Source { get; init; }

    /// <summary>Where to; <see langword="null"/> anywhere.</summary>
    public IPPrefix? Destination { get; init; }

    /// <summary>Name of the link by which packets came in; empty if any.</summary>
    public string IncomingLink { get; init; } = "";

    /// <summary>Routes of at most this length count as none; <see langword="null"/> if all count.</summary>
    public int? SuppressedLength { get; init; }

    /// <summary>
    /// Whether it asks for something that a dump cannot tell of a pod's packet, such as a mark or a port, or is inverted. Such a rule is
    /// left out of account.
    /// </summary>
    public bool IsNarrowed { get; init; }

    /// <summary>The protocol above IP that it is about; 0 if any.</summary>
    public byte IPProtocol { get; init; }

    /// <summary>The destination port that it is about; 0 if any, or more than one.</summary>
    public ushort Port { get; init; }

    /// <summary>Whether it leads to a table.</summary>
    public bool IsLookup => Action == FR_ACT_TO_TBL;

    /// <summary>Whether it drops packets, or refuses them with a message.</summary>
    public bool IsRefusal => Action is >= FR_ACT_BLACKHOLE and <= FR_ACT_PROHIBIT;

    /// <summary>Whether this node's silos added it: their rules carry our protocol, lead to a table, and ask for a source alone.</summary>
    public bool IsOurs =>
        Protocol == RouteTable.Protocol && IsLookup && Source is not null && Destination is null && IncomingLink.Length == 0 && !IsNarrowed;

    /// <summary>
    /// Whether this node's silos added it for packets that another data plane of the node packs: they leave this node itself, so a pod's
    /// packet to the same port is none of them.
    /// </summary>
    public bool IsOursOfPackets =>
        Protocol == RouteTable.Protocol && IsLookup && Source is null && Destination is null && IncomingLink == LoopbackLink
            && (IPProtocol == IPPROTO_UDP ? Port != 0 : IPProtocol != 0);

    /// <summary>Whether it may be about a packet with this source and destination that comes in by this link.</summary>
    public bool MayDecide(IPAddress source, string incomingLink, IPAddress destination) =>
        Source?.Contains(source) != false && Destination?.Contains(destination) != false
            && (IncomingLink.Length == 0 || IncomingLink == incomingLink);

    /// <summary>As ip(8) shows it.</summary>
    public override string ToString()
    {
        var text = FormattableString.Invariant($"{Priority}: from {Source?.ToString() ?? "all"}");
        text += Destination is { } destination ? $" to {destination}" : "";
        text += IncomingLink.Length > 0 ? $" iif {IncomingLink}" : "";
        text += IsNarrowed ? " ..." : "";
        text += Table switch
        {
            0 => "",
            RT_TABLE_MAIN => " lookup main",
            RT_TABLE_LOCAL => " lookup local",
            RT_TABLE_DEFAULT => " lookup default",
            _ => FormattableString.Invariant($" lookup {Table}"),
        };
        return text + (SuppressedLength is { } length ? FormattableString.Invariant($" suppress_prefixlength {length}") : "");
    }
}
