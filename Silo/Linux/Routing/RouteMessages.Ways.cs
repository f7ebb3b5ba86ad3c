// What tells which way a packet takes, and what is not ours in our table.
using System.Globalization;
using System.Net;
using System.Runtime.InteropServices;
using Orleans.WireGuard.Linux.Netlink;
using static Orleans.WireGuard.Linux.Netlink.NetlinkConstants;

namespace Orleans.WireGuard.Linux.Routing;

internal static partial class RouteMessages
{
    /// <summary>Asks which way a packet would take that comes in by a link.</summary>
    /// <param name="buffer">Where to.</param>
    /// <param name="source">Where it comes from. Without a link that it comes in by the kernel takes no address but its own.</param>
    /// <param name="inputIndex">Number of that link.</param>
    /// <param name="destination">Where it goes to.</param>
    public static Span<byte> WriteGetWay(Span<byte> buffer, IPAddress source, int inputIndex, IPAddress destination)
    {
        var isIPv6 = IPPrefix.Host(destination).IsIPv6;
        var bits = isIPv6 ? 128 : 32;

        // An answer about IPv4 names the main table unless it is asked for the one that decided; about IPv6 it always does, and refuses the
        // flag.
        var flags = isIPv6 ? 0 : RTM_F_LOOKUP_TABLE;
        var writer = BeginRoute(
            buffer, RTM_GETROUTE, Acknowledged, isIPv6 ? AF_INET6 : AF_INET, bits, RT_TABLE_UNSPEC, 0, 0, RTN_UNSPEC, bits, flags);
        writer.WriteAddress(RTA_DST, destination);
        writer.WriteAddress(RTA_SRC, source);
        writer.WriteUInt32(RTA_IIF, (uint)inputIndex);
        return writer.Complete();
    }

    /// <summary>Reads the answer to <see cref="WriteGetWay"/>.</summary>
    /// <returns>Number of the link that it leaves by, 0 if it does not; and the table that decides.</returns>
    /// <exception cref="NetlinkFormatException">It is none.</exception>
    public static (int Index, uint Table) ReadWay(in NetlinkMessage message)
    {
        var route = ReadAnyRoute(message);
        return (route.Type is RTN_UNREACHABLE or RTN_BLACKHOLE or RTN_PROHIBIT ? 0 : route.Index, route.Table);
    }

    /// <summary>Reads any RTM_NEWROUTE, whoever added it.</summary>
    /// <exception cref="NetlinkFormatException">It is none.</exception>
    public static AnyRoute ReadAnyRoute(in NetlinkMessage message)
    {
        var reader = Begin(message, RTM_NEWROUTE);
        var family = reader.ReadByte();
        var length = reader.ReadByte();
        reader.ReadPast(2); // rtm_src_len, rtm_tos
        uint table = reader.ReadByte();
        var protocol = reader.ReadByte();
        reader.ReadPast(sizeof(byte)); // rtm_scope
        var type = reader.ReadByte();
        var isCached = (reader.ReadUInt32() & RTM_F_CLONED) != 0;
        var (index, metric) = (0, 0u);
        (IPAddress? destination, IPAddress? gateway, IPAddress? preferredSource) = (null, null, null);
        var hasHops = false;
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
                case RTA_PRIORITY:
                    metric = attribute.AsUInt32();
                    break;
                case RTA_PREFSRC:
                    preferredSource = attribute.AsIPAddress();
                    break;
                case RTA_GATEWAY:
                    (gateway, hasHops) = (attribute.AsIPAddress(), true);
                    break;
                case RTA_VIA:
                    hasHops = true;
                    break;
                case RTA_MULTIPATH:
                    // struct rtnexthop: its number of the link lies behind two bytes of length, flags and hops.
                    index = attribute.Value.Length >= 8 ? MemoryMarshal.Read<int>(attribute.Value[4..]) : index;
                    hasHops = true;
                    break;
            }
        }

        return new AnyRoute(family is AF_INET or AF_INET6 ? ToPrefix(destination, length, family) : null, table, type, protocol)
        {
            Index = index,
            Metric = metric,
            Gateway = gateway,
            PreferredSource = preferredSource,
            HasHops = hasHops,
            IsCached = isCached,
        };
    }

    /// <summary>Deletes a route that was read: what the kernel told, as <c>ip route flush</c> sends it back.</summary>
    public static Span<byte> WriteDeleteRoute(Span<byte> buffer, ForeignRoute route)
    {
        var writer = new NetlinkWriter(buffer, RTM_DELROUTE, Acknowledged);
        foreach (var part in route.Message)
        {
            writer.WriteByte(part);
        }

        return writer.Complete();
    }

    /// <summary>A route as <c>ip route</c> would say it, with the name of its link; empty if it has none.</summary>
    public static string Describe(AnyRoute route, string linkName)
    {
        var type = route.Type switch
        {
            RTN_UNICAST => "",
            RTN_BLACKHOLE => "blackhole ",
            RTN_UNREACHABLE => "unreachable ",
            RTN_PROHIBIT => "prohibit ",
            RTN_THROW => "throw ",
            _ => string.Create(CultureInfo.InvariantCulture, $"type {route.Type} "),
        };
        var destination = route.Destination is { Length: > 0 } prefix ? prefix.ToString() : "default";
        return string.Create(
            CultureInfo.InvariantCulture,
            $"{type}{destination}{(route.Gateway is { } gateway ? $" via {gateway}" : "")}{(linkName.Length > 0 ? $" dev {linkName}" : "")} proto {route.Protocol}");
    }
}
