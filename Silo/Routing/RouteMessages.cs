// Messages about routes and rules: rtnetlink(7), linux/rtnetlink.h, linux/fib_rules.h.
using System.Net;
using System.Net.Sockets;
using Orleans.WireGuard.Silo.Devices.Netlink;
using static Orleans.WireGuard.Silo.Devices.Netlink.NetlinkConstants;

namespace Orleans.WireGuard.Silo.Routing;

/// <summary>
/// Writes and reads RTM_*ROUTE (struct rtmsg) and RTM_*RULE (struct fib_rule_hdr). What is written always carries
/// <see cref="RouteTable.Number"/> and <see cref="RouteTable.Protocol"/>; what does not carry both is not read.
/// </summary>
internal static class RouteMessages
{
    private const ushort Acknowledged = NLM_F_REQUEST | NLM_F_ACK;

    /// <summary>Asks for the routes of our table, of one family.</summary>
    public static Span<byte> WriteGetRoutes(Span<byte> buffer, int family)
    {
        // A strict dump (NETLINK_GET_STRICT_CHK) is filtered by RTA_TABLE; a kernel that does not know this sends all tables.
        var writer = BeginRoute(buffer, RTM_GETROUTE, NLM_F_REQUEST | NLM_F_DUMP, family, 0, RT_TABLE_UNSPEC, 0, 0, RTN_UNSPEC);
        writer.WriteUInt32(RTA_TABLE, RouteTable.Number);
        return writer.Complete();
    }

    /// <summary>Adds a route, or replaces the one with the same destination and metric in one step.</summary>
    /// <param name="buffer">Where to.</param>
    /// <param name="route">The route.</param>
    /// <param name="index">Number of its link; 0 for an unreachable or throw route.</param>
    public static Span<byte> WriteReplaceRoute(Span<byte> buffer, Route route, int index) =>
        WriteRoute(buffer, RTM_NEWROUTE, Acknowledged | NLM_F_CREATE | NLM_F_REPLACE, route, index);

    /// <summary>Deletes a route.</summary>
    /// <inheritdoc cref="WriteReplaceRoute"/>
    public static Span<byte> WriteDeleteRoute(Span<byte> buffer, Route route, int index) =>
        WriteRoute(buffer, RTM_DELROUTE, Acknowledged, route, index);

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
    public static ObservedRoute? TryReadRoute(in NetlinkMessage message)
    {
        var reader = Begin(message, RTM_NEWROUTE);
        var family = reader.ReadByte();
        var length = reader.ReadByte();
        reader.ReadPast(2); // rtm_src_len, rtm_tos
        uint table = reader.ReadByte();
        var protocol = reader.ReadByte();
        reader.ReadPast(sizeof(byte)); // rtm_scope
        var type = reader.ReadByte();
        reader.ReadPast(sizeof(uint)); // rtm_flags
        IPAddress? destination = null;
        var index = 0;
        while (reader.TryReadAttribute(out var attribute))
        {
            switch (attribute.Type)
            {
                case RTA_TABLE:
                    table = attribute.AsUInt32();
                    break;
                case RTA_DST:
                    destination = attribute.AsIPAddress();
                    break;
                case RTA_OIF:
                    index = (int)attribute.AsUInt32();
                    break;
            }
        }

        return table == RouteTable.Number && protocol == RouteTable.Protocol
            && family is AF_INET or AF_INET6 && type is RTN_UNICAST or RTN_UNREACHABLE or RTN_THROW
            ? new ObservedRoute(ToPrefix(destination, length, family), type == RTN_UNICAST ? index : 0, type == RTN_THROW)
            : null;
    }

    /// <summary>Reads the answer to <see cref="WriteGetPath"/>.</summary>
    /// <returns>Number of the link, 0 if there is no way; the MTU that the route itself is known to carry, or <see langword="null"/>.</returns>
    /// <exception cref="NetlinkFormatException">It is none.</exception>
    public static (int Index, int? Mtu) ReadPath(in NetlinkMessage message)
    {
        var reader = Begin(message, RTM_NEWROUTE);
        reader.ReadPast(7); // up to rtm_scope
        var type = reader.ReadByte();
        reader.ReadPast(sizeof(uint)); // rtm_flags
        var index = 0;
        int? mtu = null;
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
            }
        }

        return type == RTN_UNREACHABLE ? (0, null) : (index, mtu);
    }

    /// <summary>Asks for the rules of one family.</summary>
    public static Span<byte> WriteGetRules(Span<byte> buffer, int family) =>
        BeginRule(buffer, RTM_GETRULE, NLM_F_REQUEST | NLM_F_DUMP, family, 0, RT_TABLE_UNSPEC, 0).Complete();

    /// <summary>Adds the rule for a source; refused if it is there.</summary>
    public static Span<byte> WriteAddRule(Span<byte> buffer, IPPrefix source) =>
        WriteRule(buffer, RTM_NEWRULE, Acknowledged | NLM_F_CREATE | NLM_F_EXCL, source);

    /// <summary>Deletes the rule for a source.</summary>
    public static Span<byte> WriteDeleteRule(Span<byte> buffer, IPPrefix source) => WriteRule(buffer, RTM_DELRULE, Acknowledged, source);

    /// <summary>Reads an RTM_NEWRULE, or returns <see langword="null"/> if it is not one of ours.</summary>
    /// <exception cref="NetlinkFormatException">It is none.</exception>
    public static IPPrefix? TryReadRule(in NetlinkMessage message)
    {
        var reader = Begin(message, RTM_NEWRULE);
        var family = reader.ReadByte();
        reader.ReadPast(sizeof(byte)); // dst_len
        var length = reader.ReadByte();
        reader.ReadPast(sizeof(byte)); // tos
        uint table = reader.ReadByte();
        reader.ReadPast(7); // reserved, action, flags
        uint priority = 0;
        byte protocol = 0;
        IPAddress? source = null;
        while (reader.TryReadAttribute(out var attribute))
        {
            switch (attribute.Type)
            {
                case FRA_TABLE:
                    table = attribute.AsUInt32();
                    break;
                case FRA_PRIORITY:
                    priority = attribute.AsUInt32();
                    break;
                case FRA_PROTOCOL:
                    protocol = attribute.AsByte();
                    break;
                case FRA_SRC:
                    source = attribute.AsIPAddress();
                    break;
            }
        }

        return table == RouteTable.Number && priority == RouteTable.RulePriority && protocol == RouteTable.Protocol
            && family is AF_INET or AF_INET6
            ? ToPrefix(source, length, family)
            : null;
    }

    private static Span<byte> WriteRoute(Span<byte> buffer, ushort type, ushort flags, Route route, int index)
    {
        var writer = BeginRoute(
            buffer,
            type,
            flags,
            Family(route.Destination),
            route.Destination.Length,
            RouteTable.Number,
            RouteTable.Protocol,
            Scope(type, route),
            route.IsUnreachable ? RTN_UNREACHABLE : route.IsThrow ? RTN_THROW : RTN_UNICAST);
        writer.WriteAddress(RTA_DST, route.Destination.Address);
        if (route.IsUnreachable)
        {
            writer.WriteUInt32(RTA_PRIORITY, RouteTable.UnreachableMetric);
        }
        else if (!route.IsThrow)
        {
            writer.WriteUInt32(RTA_OIF, (uint)index);
        }

        return writer.Complete();
    }

    // What ip(8) sends: a route without a gateway reaches what is on the link; RT_SCOPE_NOWHERE in a deletion matches any (fib_table_delete).
    private static byte Scope(ushort type, Route route) => type == RTM_DELROUTE
        ? RT_SCOPE_NOWHERE
        : route.DeviceName.Length == 0 || route.Destination.IsIPv6 ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK;

    private static Span<byte> WriteRule(Span<byte> buffer, ushort type, ushort flags, IPPrefix source)
    {
        // The kernel compares sources only if the length is not zero (fib4_rule_compare, fib6_rule_compare): a rule for all sources passes for
        // any other of ours, so adding it would do nothing, and deleting it would hit a stranger's.
        if (source.Length == 0)
        {
            throw new ArgumentException($"{source} is every packet of this node; a rule is for a pod CIDR.", nameof(source));
        }

        var writer = BeginRule(buffer, type, flags, Family(source), source.Length, RouteTable.Number, FR_ACT_TO_TBL);
        writer.WriteAddress(FRA_SRC, source.Address);
        writer.WriteUInt32(FRA_PRIORITY, RouteTable.RulePriority);
        writer.WriteByte(FRA_PROTOCOL, RouteTable.Protocol);
        return writer.Complete();
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

    private static int Family(IPPrefix prefix) => prefix.IsIPv6 ? AF_INET6 : AF_INET;

    private static NetlinkReader Begin(in NetlinkMessage message, ushort type) => message.Type == type
        ? new NetlinkReader(message.Payload)
        : throw new NetlinkFormatException($"A message of type {type} was expected, one of type {message.Type} came.");

    // struct rtmsg
    private static NetlinkWriter BeginRoute(
        Span<byte> buffer, ushort type, ushort flags, int family, int length, byte table, byte protocol, byte scope, byte routeType)
    {
        var writer = new NetlinkWriter(buffer, type, flags);
        writer.WriteByte((byte)family);
        writer.WriteByte((byte)length);
        writer.WriteByte(0); // rtm_src_len
        writer.WriteByte(0); // rtm_tos
        writer.WriteByte(table);
        writer.WriteByte(protocol);
        writer.WriteByte(scope);
        writer.WriteByte(routeType);
        writer.WriteUInt32(0); // rtm_flags
        return writer;
    }

    // struct fib_rule_hdr
    private static NetlinkWriter BeginRule(Span<byte> buffer, ushort type, ushort flags, int family, int sourceLength, byte table, byte action)
    {
        var writer = new NetlinkWriter(buffer, type, flags);
        writer.WriteByte((byte)family);
        writer.WriteByte(0); // dst_len
        writer.WriteByte((byte)sourceLength);
        writer.WriteByte(0); // tos
        writer.WriteByte(table);
        writer.WriteByte(0); // reserved
        writer.WriteByte(0); // reserved
        writer.WriteByte(action);
        writer.WriteUInt32(0); // flags
        return writer;
    }
}

/// <summary>One of our routes as it was read, with the number of its link.</summary>
/// <param name="Destination">Where to.</param>
/// <param name="Index">The kernel's number of the link; 0 for an unreachable or throw route.</param>
/// <param name="IsThrow">Whether it is a throw route.</param>
internal readonly record struct ObservedRoute(IPPrefix Destination, int Index, bool IsThrow = false);
