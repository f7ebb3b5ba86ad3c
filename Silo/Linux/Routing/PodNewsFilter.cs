// Reads what rtnetlink(7) tells everybody, as far as it takes to tell whether pods may have come or gone.
using System.Buffers.Binary;
using Orleans.WireGuard.Linux.Netlink;
using static Orleans.WireGuard.Linux.Netlink.NetlinkConstants;

namespace Orleans.WireGuard.Linux.Routing;

/// <summary>
/// Tells which news of the kernel may be about this node's pods. Immutable, pure, and allocates nothing for what it passes over.
/// </summary>
/// <remarks>
/// A network plugin adds the route to a pod some milliseconds before the pod may start, so that comes first of all. When the pod's link
/// goes, its route goes without a word, so links are told of too, in no hurry. Our own routes lead to other nodes' pods.
/// </remarks>
/// <param name="ranges">Where pods have their addresses; if there are none, no route is more urgent than another.</param>
public sealed class PodNewsFilter(EquatableArray<IPPrefix> ranges)
{
    private const int RouteHeaderSize = 12;
    private const int IPv4Size = 4;
    private const int IPv6Size = 16;

    private readonly AddressRanges _ranges = new(ranges);

    /// <summary>What a datagram tells of.</summary>
    public PodNews Judge(ReadOnlySpan<byte> datagram)
    {
        var news = PodNews.None;
        var reader = new NetlinkReader(datagram);
        try
        {
            while (reader.TryReadMessage(out var message))
            {
                news |= message.Type switch
                {
                    RTM_NEWLINK or RTM_DELLINK or RTM_NEWADDR or RTM_DELADDR => PodNews.Other,
                    RTM_NEWROUTE or RTM_DELROUTE => JudgeRoute(message.Payload, message.Type == RTM_NEWROUTE),
                    _ => PodNews.None,
                };
            }

            return news;
        }
        catch (NetlinkFormatException)
        {
            return news | PodNews.Lost;
        }
    }

    private PodNews JudgeRoute(ReadOnlySpan<byte> payload, bool isNew)
    {
        var reader = new NetlinkReader(payload);
        var (family, length) = (reader.ReadByte(), reader.ReadByte());
        reader.ReadPast(2); // rtm_src_len, rtm_tos
        var (table, protocol) = (reader.ReadByte(), reader.ReadByte());
        reader.ReadPast(RouteHeaderSize - (6 * sizeof(byte)));
        if (protocol == RouteTable.Protocol || table == RouteTable.Local || family is not (AF_INET or AF_INET6))
        {
            return PodNews.None;
        }

        if (ranges.Count == 0)
        {
            return PodNews.Other;
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

        // A shift by all bits would be one by none.
        var rest = length < IPv6Size * 8 ? UInt128.MaxValue >> length : 0;
        return length == 0 || !_ranges.Overlap(family == AF_INET6, destination, destination + rest) ? PodNews.None
            : isNew ? PodNews.RouteCame
            : PodNews.Other;
    }

    private static UInt128 ToBits(ReadOnlySpan<byte> address)
    {
        Span<byte> whole = stackalloc byte[IPv6Size];
        whole.Clear();
        address.CopyTo(whole);
        return BinaryPrimitives.ReadUInt128BigEndian(whole);
    }
}
