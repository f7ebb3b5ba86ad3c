// Reads what rtnetlink(7) and nf_tables tell everybody, as far as it takes to tell whose business it is.
using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Orleans.WireGuard.Linux.Netlink;
using Orleans.WireGuard.Linux.Routing.Firewall;
using static Orleans.WireGuard.Linux.Netlink.NetlinkConstants;

namespace Orleans.WireGuard.Linux.Routing;

/// <summary>
/// Tells which news of the kernel concern us. On a node where pods come and go most do not: each pod makes several about links, addresses
/// and routes of its own. Immutable, pure, and allocates nothing for what it passes over.
/// </summary>
/// <remarks>
/// <code>
/// link     one of our names, or the number of a device of ours (it was renamed) ─▶ Devices
///          the number of a link to peers: its MTU, and whether it is up         ─▶ Underlay
///          of a kind that encapsulates                                          ─▶ Encapsulation
/// address  taken from a link to peers: routes from it go without a word         ─▶ Underlay
///          taken from a device of ours, as are all its IPv4 routes with it      ─▶ Devices
/// setting  of a device of ours, such as rp_filter                               ─▶ Devices
/// route    in our table                                                         ─▶ Routes
///          in another one, and an address of a peer lies in its destination     ─▶ Underlay
///          in another one, and its destination has to do with a remote pod      ─▶ Ways
/// rule     into our table                                                       ─▶ Routes
///          into another one, and packets of our pods to others may meet it      ─▶ Ways
/// nftables our table                                                            ─▶ Firewall
/// </code>
/// Addresses that are added without a route are left to the resync.
/// </remarks>
public sealed partial class NewsFilter
{
    // In struct rtmsg and in struct fib_rule_hdr alike, and so are the numbers of the attributes: RTA_DST is FRA_DST, RTA_TABLE is
    // FRA_TABLE.
    private const int TableOffset = 4;

    // struct ifinfomsg and struct ifaddrmsg have the number of the link at the same place.
    private const int IndexOffset = 4;
    private const int RouteHeaderSize = 12;

    // struct nfgenmsg.
    private const int FirewallHeaderSize = 4;

    private const int IPv4Size = 4;
    private const int IPv6Size = 16;

    private readonly byte[][] _names;
    private readonly HashSet<int> _devices;
    private readonly HashSet<int> _links;

    // Left-aligned and sorted, so that the addresses within a prefix are neighbours.
    private readonly UInt128[] _ipv4;
    private readonly UInt128[] _ipv6;

    private readonly uint _table;
    private readonly AddressRanges _pods;
    private readonly AddressRanges _remotePods;

    /// <summary>Makes a filter.</summary>
    /// <param name="names">Names that links of ours have.</param>
    /// <param name="devices">Numbers of our links.</param>
    /// <param name="links">Numbers of the links by which peers are reached.</param>
    /// <param name="destinations">Addresses of the peers.</param>
    /// <param name="table">Our routing table; the default one if not given.</param>
    /// <param name="pods">This node's pods; nobody's if not given.</param>
    /// <param name="remotePods">Other nodes' pods; nobody's if not given.</param>
    public NewsFilter(
        IEnumerable<string> names,
        IEnumerable<int> devices,
        IEnumerable<int> links,
        IEnumerable<IPAddress> destinations,
        RouteTable? table = null,
        IEnumerable<IPPrefix>? pods = null,
        IEnumerable<IPPrefix>? remotePods = null)
    {
        _names = [.. names.Select(Encoding.UTF8.GetBytes)];
        _table = (table ?? RouteTable.Default).Number;
        (_pods, _remotePods) = (new AddressRanges(pods ?? []), new AddressRanges(remotePods ?? []));
        (_devices, _links) = ([.. devices], [.. links]);
        var byFamily = destinations
            .Select(address => address.Unmap())
            .ToLookup(address => address.AddressFamily, address => ToBits(address.GetAddressBytes()));
        _ipv4 = [.. byFamily[AddressFamily.InterNetwork].Distinct().Order()];
        _ipv6 = [.. byFamily[AddressFamily.InterNetworkV6].Distinct().Order()];
    }

    /// <summary>What a datagram tells of that concerns us.</summary>
    public KernelNews Judge(ReadOnlySpan<byte> datagram)
    {
        var news = KernelNews.None;
        var reader = new NetlinkReader(datagram);
        try
        {
            while (reader.TryReadMessage(out var message))
            {
                news |= Judge(message);
            }

            return news;
        }
        catch (NetlinkFormatException)
        {
            return news | KernelNews.Lost;
        }
    }

    private KernelNews Judge(in NetlinkMessage message) => message.Type switch
    {
        RTM_NEWLINK or RTM_DELLINK => JudgeLink(message.Payload),
        RTM_DELADDR => JudgeAddress(Index(message.Payload)),
        RTM_NEWNETCONF => JudgeSetting(message.Payload),
        RTM_NEWROUTE or RTM_DELROUTE => IsOurRoutingTable(message.Payload) ? KernelNews.Routes : JudgeRoute(message.Payload),
        RTM_NEWRULE or RTM_DELRULE => IsOurRoutingTable(message.Payload) ? KernelNews.Routes : JudgeRule(message.Payload),
        _ => message.Type >> 8 == NFNL_SUBSYS_NFTABLES && IsOurFirewallTable(message) ? KernelNews.Firewall : KernelNews.None,
    };

    private KernelNews JudgeRoute(ReadOnlySpan<byte> payload)
    {
        var reader = new NetlinkReader(payload);
        var family = reader.ReadByte();
        var length = reader.ReadByte();
        reader.ReadPast(RouteHeaderSize - (2 * sizeof(byte)));
        if (family is not (AF_INET or AF_INET6))
        {
            return KernelNews.None;
        }

        // The kernel leaves the address of a default route out.
        UInt128 destination = 0;
        while (reader.TryReadAttribute(out var attribute))
        {
            if (attribute.Type == RTA_DST)
            {
                destination = ToBits(attribute.Exactly(family == AF_INET6 ? IPv6Size : IPv4Size));
                break;
            }
        }

        var isIPv6 = family == AF_INET6;
        return (HasAny(isIPv6 ? _ipv6 : _ipv4, destination, length) ? KernelNews.Underlay : KernelNews.None)
            | (_remotePods.Overlap(isIPv6, destination, destination + Rest(length)) ? KernelNews.Ways : KernelNews.None);
    }

    // Of a node that gives each pod a rule most are about that pod alone.
    private KernelNews JudgeRule(ReadOnlySpan<byte> payload)
    {
        var reader = new NetlinkReader(payload);
        var family = reader.ReadByte();
        var (destinationLength, sourceLength) = (reader.ReadByte(), reader.ReadByte());
        reader.ReadPast(5); // tos, table, reserved, action
        if (family is not (AF_INET or AF_INET6))
        {
            return KernelNews.None;
        }

        var isIPv6 = family == AF_INET6;
        var isInverted = (reader.ReadUInt32() & FIB_RULE_INVERT) != 0;
        UInt128 source = 0;
        UInt128 destination = 0;
        while (reader.TryReadAttribute(out var attribute))
        {
            switch (attribute.Type)
            {
                case FRA_SRC:
                    source = ToBits(attribute.Exactly(isIPv6 ? IPv6Size : IPv4Size));
                    break;
                case FRA_DST:
                    destination = ToBits(attribute.Exactly(isIPv6 ? IPv6Size : IPv4Size));
                    break;
            }
        }

        var isAboutUs = isInverted || (_pods.Overlap(isIPv6, source, source + Rest(sourceLength))
            && _remotePods.Overlap(isIPv6, destination, destination + Rest(destinationLength)));
        return isAboutUs ? KernelNews.Ways : KernelNews.None;
    }

    // The first address that is not below the prefix is within it, or none is.
    private static bool HasAny(UInt128[] addresses, UInt128 prefix, int length)
    {
        var at = Array.BinarySearch(addresses, prefix);
        at = at < 0 ? ~at : at;
        return at < addresses.Length && addresses[at] - prefix <= Rest(length);
    }

    // A shift by all bits would be one by none.
    private static UInt128 Rest(int length) => length < IPv6Size * 8 ? UInt128.MaxValue >> length : 0;

    private static int Index(ReadOnlySpan<byte> payload)
    {
        var reader = new NetlinkReader(payload);
        reader.ReadPast(IndexOffset);
        return (int)reader.ReadUInt32();
    }

    private bool IsOurRoutingTable(ReadOnlySpan<byte> payload)
    {
        var reader = new NetlinkReader(payload);
        reader.ReadPast(TableOffset);
        var table = reader.ReadByte();

        // And the next one, for packed packets (RouteTable.OfEncapsulated).
        if (_table < byte.MaxValue)
        {
            return table == _table || table == _table + 1;
        }

        // The field has eight bits; of a larger number an attribute tells.
        reader.ReadPast(RouteHeaderSize - TableOffset - sizeof(byte));
        while (reader.TryReadAttribute(out var attribute))
        {
            if (attribute.Type == RTA_TABLE)
            {
                return attribute.AsUInt32() is var number && (number == _table || number == _table + 1);
            }
        }

        return false;
    }

    // On a node whose services are in nftables too, most news are of other tables. Of every message but the last one of a transaction, the
    // first attribute is the name of the table.
    private static bool IsOurFirewallTable(in NetlinkMessage message)
    {
        if ((byte)message.Type == NFT_MSG_NEWGEN)
        {
            return false;
        }

        var reader = new NetlinkReader(message.Payload);
        reader.ReadPast(FirewallHeaderSize);
        while (reader.TryReadAttribute(out var attribute))
        {
            if (attribute.Type == NFTA_TABLE_NAME)
            {
                return attribute.AsString() == FirewallTable.Name;
            }
        }

        return false;
    }

    private static UInt128 ToBits(ReadOnlySpan<byte> address)
    {
        Span<byte> whole = stackalloc byte[IPv6Size];
        whole.Clear();
        address.CopyTo(whole);
        return BinaryPrimitives.ReadUInt128BigEndian(whole);
    }
}
