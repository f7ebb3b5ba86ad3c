using System.Net;
using static Orleans.WireGuard.Linux.Netlink.NetlinkConstants;

namespace Orleans.WireGuard.Linux.Routing;

/// <summary>What rtnetlink tells of a network namespace: everybody's links, addresses, routes and rules, not only ours.</summary>
/// <param name="Links">All links, by number.</param>
/// <param name="Addresses">All addresses of all links.</param>
/// <param name="Routes">Routes of all tables that lead to a link or nowhere, without the kernel's own of table local.</param>
/// <param name="Rules">All rules, by family and priority.</param>
/// <param name="Forwarding">What holds for all links.</param>
/// <remarks>Read by several requests, so a link that a route names may be missing from the links.</remarks>
public sealed record NetworkDump(
    EquatableArray<LinkEntry> Links,
    EquatableArray<AddressEntry> Addresses,
    EquatableArray<RouteEntry> Routes,
    EquatableArray<RuleEntry> Rules,
    ForwardingEntry Forwarding);

/// <summary>A link.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Index">The kernel's number for it; 1 or more.</param>
/// <param name="Kind">What it is, such as <c>veth</c>; empty for hardware.</param>
/// <param name="Mtu">Bytes.</param>
/// <param name="IsUp">Whether it is administratively up.</param>
public sealed record LinkEntry(string Name, int Index, string Kind, int Mtu, bool IsUp)
{
    /// <summary>Number of the bridge or bond that it belongs to; 0 if to none.</summary>
    public int MasterIndex { get; init; }

    /// <summary>Whether its other end lies in another network namespace, as that of a pod's cable does.</summary>
    public bool IsPeerElsewhere { get; init; }

    /// <summary>The UDP port to which a <c>vxlan</c> or <c>geneve</c> link sends; 0 for other kinds.</summary>
    public ushort EncapsulationPort { get; init; }

    /// <summary>
    /// Whether a program chooses for every packet where the link sends it (<c>external</c>, IFLA_VXLAN_COLLECT_METADATA).
    /// </summary>
    public bool IsMetadata { get; init; }

    /// <summary>Whether IPv4 packets that come in by it are forwarded; <see langword="null"/> if the kernel does not say.</summary>
    public bool? IsForwardingIPv4 { get; init; }

    /// <summary>
    /// Its own rp_filter, of which the kernel takes the larger one of this and that of all links; <see langword="null"/> as above.
    /// </summary>
    public int? SourceCheck { get; init; }
}

/// <summary>An address of a link.</summary>
/// <param name="LinkIndex">Number of the link.</param>
/// <param name="Address">The address.</param>
/// <param name="PrefixLength">How many of its bits are the network's.</param>
public sealed record AddressEntry(int LinkIndex, IPAddress Address, int PrefixLength)
{
    /// <summary>The network that the link is in by this address.</summary>
    public IPPrefix Network => IPPrefix.Host(Address).Shorten(PrefixLength);
}

/// <summary>What a route does with its packets.</summary>
public enum RouteAction
{
    /// <summary>They leave by a link.</summary>
    Forward,

    /// <summary>They are dropped, or refused with a message.</summary>
    Refuse,

    /// <summary>The lookup goes on with the next rule.</summary>
    Throw,
}

/// <summary>A route of any table.</summary>
/// <param name="Table">Number of the table; 254 is main.</param>
/// <param name="Destination">Where to.</param>
/// <param name="LinkIndex">Number of the link, the first one of several; 0 if there is none.</param>
/// <param name="Action">What becomes of the packets.</param>
public sealed record RouteEntry(uint Table, IPPrefix Destination, int LinkIndex, RouteAction Action)
{
    /// <summary>Whether the next hop is a router, not the destination itself.</summary>
    public bool HasGateway { get; init; }

    /// <summary>The source of the node's own packets; <see langword="null"/> if the link's address is.</summary>
    public IPAddress? PreferredSource { get; init; }
}

/// <summary>A rule of the routing policy (<c>ip rule</c>), as far as what is checked needs it.</summary>
/// <param name="IsIPv6">The family.</param>
/// <param name="Priority">Lower comes first.</param>
/// <param name="Table">Which table is looked up; 0 if none is.</param>
/// <param name="Action">FR_ACT_*: look up, refuse, or something else.</param>
public sealed record RuleEntry(bool IsIPv6, uint Priority, uint Table, byte Action)
{
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

    /// <summary>Whether it leads to a table.</summary>
    public bool IsLookup => Action == FR_ACT_TO_TBL;

    /// <summary>Whether it drops packets, or refuses them with a message.</summary>
    public bool IsRefusal => Action is >= FR_ACT_BLACKHOLE and <= FR_ACT_PROHIBIT;

    /// <summary>Whether this node's silos added it: their rules carry our protocol, lead to a table, and ask for a source alone.</summary>
    public bool IsOurs =>
        Protocol == RouteTable.Protocol && IsLookup && Source is not null && Destination is null && IncomingLink.Length == 0 && !IsNarrowed;

    /// <summary>Whether it may be about a packet.</summary>
    /// <param name="source">Its source.</param>
    /// <param name="incomingLink">The link that it comes in by.</param>
    /// <param name="destination">Its destination.</param>
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

/// <summary>What holds for all links of a network namespace.</summary>
/// <param name="IsIPv6">Whether IPv6 packets are forwarded; <see langword="null"/> without IPv6.</param>
/// <param name="SourceCheck">rp_filter of all links.</param>
public sealed record ForwardingEntry(bool? IsIPv6, int SourceCheck);
