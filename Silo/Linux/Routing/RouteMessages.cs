// Messages about routes: rtnetlink(7), linux/rtnetlink.h.
using System.Net;
using System.Net.Sockets;
using Orleans.WireGuard.Linux.Netlink;
using static Orleans.WireGuard.Linux.Netlink.NetlinkConstants;

namespace Orleans.WireGuard.Linux.Routing;

/// <summary>
/// Writes and reads RTM_*ROUTE (struct rtmsg) and RTM_*RULE (struct fib_rule_hdr). What is written always carries
/// <see cref="RouteTable.Number"/> and <see cref="RouteTable.Protocol"/>; what does not carry both is read as somebody else's.
/// </summary>
internal static partial class RouteMessages
{
    private const ushort Acknowledged = NLM_F_REQUEST | NLM_F_ACK;

    /// <summary>Asks for the routes of a table, of one family.</summary>
    public static Span<byte> WriteGetRoutes(Span<byte> buffer, uint table, int family)
    {
        // A strict dump (NETLINK_GET_STRICT_CHK) is filtered by RTA_TABLE; a kernel that does not know this sends all tables.
        var writer = BeginRoute(buffer, RTM_GETROUTE, NLM_F_REQUEST | NLM_F_DUMP, family, 0, RT_TABLE_UNSPEC, 0, 0, RTN_UNSPEC);
        writer.WriteUInt32(RTA_TABLE, table);
        return writer.Complete();
    }

    /// <summary>
    /// Adds a route, or replaces the one with the same destination and metric in one step. An unreachable or throw route has the link 0.
    /// </summary>
    public static Span<byte> WriteReplaceRoute(Span<byte> buffer, RouteTable table, Route route, int index) =>
        WriteRoute(buffer, RTM_NEWROUTE, Acknowledged | NLM_F_CREATE | NLM_F_REPLACE, table, route, index);

    /// <summary>Deletes a route.</summary>
    /// <inheritdoc cref="WriteReplaceRoute"/>
    public static Span<byte> WriteDeleteRoute(Span<byte> buffer, RouteTable table, Route route, int index) =>
        WriteRoute(buffer, RTM_DELROUTE, Acknowledged, table, route, index);

    /// <summary>Asks which way a packet to <paramref name="destination"/> would go.</summary>
    public static Span<byte> WriteGetPath(Span<byte> buffer, IPAddress destination)
    {
        var isIPv6 = destination.AddressFamily == AddressFamily.InterNetworkV6;
        var writer = BeginRoute(
            buffer, RTM_GETROUTE, Acknowledged, isIPv6 ? AF_INET6 : AF_INET, isIPv6 ? 128 : 32, RT_TABLE_UNSPEC, 0, 0, RTN_UNSPEC);
        writer.WriteAddress(RTA_DST, destination);
        return writer.Complete();
    }

    /// <summary>Reads an RTM_NEWROUTE, or returns <see langword="null"/> if it is not one of ours.</summary>
    /// <exception cref="NetlinkFormatException">It is none.</exception>
    public static ObservedRoute? TryReadRoute(in NetlinkMessage message, uint ourTable)
    {
        // We write no gateways, so one that has some is somebody else's although it carries our protocol.
        var route = ReadAnyRoute(message);
        return route.Table == ourTable
            && route is { Protocol: RouteTable.Protocol, HasHops: false, Type: RTN_UNICAST or RTN_UNREACHABLE or RTN_THROW }
            && route.Destination is { } destination
            ? new ObservedRoute(destination, route.Type == RTN_UNICAST ? route.Index : 0, route.Type == RTN_THROW, route.PreferredSource)
            : null;
    }

    /// <summary>Reads the answer to <see cref="WriteGetPath"/>.</summary>
    /// <returns>
    /// Number of the link, 0 if there is no way; the MTU that the route itself is known to carry, or <see langword="null"/>; whether a
    /// router said so, which the kernel forgets after ten minutes.
    /// </returns>
    /// <exception cref="NetlinkFormatException">It is none.</exception>
    public static (int Index, int? Mtu, bool IsLearned) ReadPath(in NetlinkMessage message)
    {
        var reader = Begin(message, RTM_NEWROUTE);
        reader.ReadPast(7); // up to rtm_scope
        var type = reader.ReadByte();
        reader.ReadPast(sizeof(uint)); // rtm_flags
        var index = 0;
        int? mtu = null;
        var isLearned = false;
        while (reader.TryReadAttribute(out var attribute))
        {
            switch (attribute.Type)
            {
                case RTA_OIF:
                    index = (int)attribute.AsUInt32();
                    break;
                case RTA_METRICS:
                    mtu = ReadMtu(attribute.AsNested());
                    break;
                case RTA_CACHEINFO:
                    isLearned = ExpiresLater(attribute.AsNested());
                    break;
            }
        }

        return type == RTN_UNREACHABLE ? (0, null, false) : (index, mtu, mtu is not null && isLearned);
    }

    private static Span<byte> WriteRoute(Span<byte> buffer, ushort type, ushort flags, RouteTable table, Route route, int index)
    {
        var writer = BeginRoute(
            buffer,
            type,
            flags,
            Family(route.Destination),
            route.Destination.Length,
            ShortTable(table),
            RouteTable.Protocol,
            Scope(type, route),
            route.IsUnreachable ? RTN_UNREACHABLE : route.IsThrow ? RTN_THROW : RTN_UNICAST);
        WriteLongTable(ref writer, RTA_TABLE, table);
        writer.WriteAddress(RTA_DST, route.Destination.Address);
        if (route.IsUnreachable)
        {
            writer.WriteUInt32(RTA_PRIORITY, RouteTable.UnreachableMetric);
        }
        else if (!route.IsThrow)
        {
            writer.WriteUInt32(RTA_OIF, (uint)index);
        }

        if (route.Source is { } source)
        {
            writer.WriteAddress(RTA_PREFSRC, source);
        }

        return writer.Complete();
    }

    // What ip(8) sends: a route without a gateway reaches what is on the link; RT_SCOPE_NOWHERE in a deletion matches any
    // (fib_table_delete).
    private static byte Scope(ushort type, Route route) => type == RTM_DELROUTE
        ? RT_SCOPE_NOWHERE
        : route.DeviceName.Length == 0 || route.Destination.IsIPv6 ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK;

    // struct rta_cacheinfo of linux/rtnetlink.h: clntref, lastuse, expires.
    private static bool ExpiresLater(NetlinkReader cacheInfo)
    {
        cacheInfo.ReadPast(2 * sizeof(uint));
        return cacheInfo.ReadUInt32() != 0;
    }

    private static int? ReadMtu(NetlinkReader metrics)
    {
        while (metrics.TryReadAttribute(out var metric))
        {
            if (metric.Type == RTAX_MTU && metric.AsUInt32() is > 0 and <= int.MaxValue and var mtu)
            {
                return (int)mtu;
            }
        }

        return null;
    }

    // The kernel leaves the address of a default route or rule out.
    private static IPPrefix ToPrefix(IPAddress? address, int length, int family)
    {
        try
        {
            return new IPPrefix(address ?? (family == AF_INET6 ? IPAddress.IPv6Any : IPAddress.Any), length);
        }
        catch (ArgumentException e)
        {
            throw new NetlinkFormatException($"A prefix that is none came: {e.Message}");
        }
    }

    // The field of the header has eight bits. What is larger goes into an attribute, as ip(8) does it.
    private static byte ShortTable(RouteTable table) => table.Number <= byte.MaxValue ? (byte)table.Number : RT_TABLE_UNSPEC;

    private static void WriteLongTable(ref NetlinkWriter writer, ushort attribute, RouteTable table)
    {
        if (table.Number > byte.MaxValue)
        {
            writer.WriteUInt32(attribute, table.Number);
        }
    }

    private static int Family(IPPrefix prefix) => prefix.IsIPv6 ? AF_INET6 : AF_INET;

    private static NetlinkReader Begin(in NetlinkMessage message, ushort type) => message.Type == type
        ? new NetlinkReader(message.Payload)
        : throw new NetlinkFormatException($"A message of type {type} was expected, one of type {message.Type} came.");

    // struct rtmsg
    private static NetlinkWriter BeginRoute(
        Span<byte> buffer,
        ushort type,
        ushort flags,
        int family,
        int length,
        byte table,
        byte protocol,
        byte scope,
        byte routeType,
        int sourceLength = 0,
        uint routeFlags = 0)
    {
        var writer = new NetlinkWriter(buffer, type, flags);
        writer.WriteByte((byte)family);
        writer.WriteByte((byte)length);
        writer.WriteByte((byte)sourceLength);
        writer.WriteByte(0); // rtm_tos
        writer.WriteByte(table);
        writer.WriteByte(protocol);
        writer.WriteByte(scope);
        writer.WriteByte(routeType);
        writer.WriteUInt32(routeFlags);
        return writer;
    }
}
