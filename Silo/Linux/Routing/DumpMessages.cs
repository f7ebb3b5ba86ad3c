// What rtnetlink(7) tells of everybody's links, addresses, routes and rules: linux/if_link.h, linux/rtnetlink.h, linux/fib_rules.h,
// linux/netconf.h.
using System.Net;
using System.Runtime.InteropServices;
using Orleans.WireGuard.Linux.Netlink;
using static Orleans.WireGuard.Linux.Netlink.NetlinkConstants;

namespace Orleans.WireGuard.Linux.Routing;

/// <summary>
/// Writes the requests of a <see cref="NetworkDump"/> and reads the answers. Nothing here is ours, and nothing is written.
/// </summary>
internal static class DumpMessages
{
    private const int IfInfoSize = 16;
    private const int RtMsgSize = 12;
    private const int IfAddrSize = 8;

    /// <summary>Asks for all links, without their counters.</summary>
    public static Span<byte> WriteGetLinks(Span<byte> buffer)
    {
        var writer = new NetlinkWriter(buffer, RTM_GETLINK, NLM_F_REQUEST | NLM_F_DUMP);
        WriteZeros(ref writer, IfInfoSize);
        writer.WriteUInt32(IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
        return writer.Complete();
    }

    /// <summary>Asks for all addresses of a family.</summary>
    public static Span<byte> WriteGetAddresses(Span<byte> buffer, int family) => WriteDump(buffer, RTM_GETADDR, family, IfAddrSize);

    /// <summary>Asks for the routes of all tables, of a family.</summary>
    public static Span<byte> WriteGetRoutes(Span<byte> buffer, int family) => WriteDump(buffer, RTM_GETROUTE, family, RtMsgSize);

    /// <summary>Asks for all rules of a family.</summary>
    public static Span<byte> WriteGetRules(Span<byte> buffer, int family) => WriteDump(buffer, RTM_GETRULE, family, RtMsgSize);

    /// <summary>Asks what holds for all links, of a family.</summary>
    public static Span<byte> WriteGetForwarding(Span<byte> buffer, int family)
    {
        var writer = new NetlinkWriter(buffer, RTM_GETNETCONF, NLM_F_REQUEST | NLM_F_ACK);
        writer.WriteByte((byte)family);
        WriteZeros(ref writer, 3);
        writer.WriteUInt32(NETCONFA_IFINDEX, unchecked((uint)NETCONFA_IFINDEX_ALL));
        return writer.Complete();
    }

    /// <summary>Reads an RTM_NEWLINK.</summary>
    public static LinkEntry ReadLink(in NetlinkMessage message)
    {
        var reader = new NetlinkReader(message.Payload);
        reader.ReadPast(4); // ifi_family, padding, ifi_type
        var link = new LinkEntry("", (int)reader.ReadUInt32(), "", 0, (reader.ReadUInt32() & IFF_UP) != 0);
        reader.ReadPast(sizeof(uint)); // ifi_change
        while (reader.TryReadAttribute(out var attribute))
        {
            link = attribute.Type switch
            {
                IFLA_IFNAME => link with { Name = attribute.AsString() },
                IFLA_MTU => link with { Mtu = (int)attribute.AsUInt32() },
                IFLA_MASTER => link with { MasterIndex = (int)attribute.AsUInt32() },
                IFLA_LINK_NETNSID => link with { IsPeerElsewhere = true },
                IFLA_LINKINFO => WithKind(link, attribute.AsNested()),
                IFLA_AF_SPEC => WithSettings(link, attribute.AsNested()),
                _ => link,
            };
        }

        return link;
    }

    /// <summary>Reads an RTM_NEWADDR; <see langword="null"/> if it has no address.</summary>
    public static AddressEntry? ReadAddress(in NetlinkMessage message)
    {
        var reader = new NetlinkReader(message.Payload);
        reader.ReadPast(sizeof(byte)); // ifa_family
        var length = reader.ReadByte();
        reader.ReadPast(2); // ifa_flags, ifa_scope
        var index = (int)reader.ReadUInt32();
        IPAddress? address = null;
        while (reader.TryReadAttribute(out var attribute))
        {
            // On a point-to-point link IFA_ADDRESS is the other end; IFA_LOCAL, which IPv6 leaves out, is always the link's own.
            if (attribute.Type == IFA_LOCAL || (attribute.Type == IFA_ADDRESS && address is null))
            {
                address = attribute.AsIPAddress();
            }
        }

        return address is null ? null : new AddressEntry(index, address, length);
    }

    /// <summary>
    /// Reads an RTM_NEWROUTE; <see langword="null"/> if it is the kernel's own, or a kind that leads nowhere that matters.
    /// </summary>
    public static RouteEntry? ReadRoute(in NetlinkMessage message)
    {
        var route = RouteMessages.ReadAnyRoute(message);
        RouteAction? action = route.Type switch
        {
            RTN_UNICAST => RouteAction.Forward,
            RTN_BLACKHOLE or RTN_UNREACHABLE or RTN_PROHIBIT => RouteAction.Refuse,
            RTN_THROW => RouteAction.Throw,
            _ => null,
        };
        return action is null || route.Table == RT_TABLE_LOCAL || route.IsCached || route.Destination is not { } destination
            ? null
            : new RouteEntry(
                route.Table, destination, route.Index, action.Value)
            {
                HasGateway = route.HasHops,
                PreferredSource = route.PreferredSource,
                Protocol = route.Protocol,
            };
    }

    /// <summary>Reads an RTM_NEWRULE.</summary>
    public static RuleEntry ReadRule(in NetlinkMessage message)
    {
        var reader = new NetlinkReader(message.Payload);
        var family = reader.ReadByte();
        var (destinationLength, sourceLength, tos) = (reader.ReadByte(), reader.ReadByte(), reader.ReadByte());
        uint table = reader.ReadByte();
        reader.ReadPast(2); // reserved
        var action = reader.ReadByte();
        var flags = reader.ReadUInt32();
        var rule = new RuleEntry(family == AF_INET6, 0, table, action) { IsNarrowed = tos != 0 || (flags & FIB_RULE_INVERT) != 0 };
        while (reader.TryReadAttribute(out var attribute))
        {
            rule = attribute.Type switch
            {
                FRA_PROTOCOL => rule with { Protocol = attribute.AsByte() },
                FRA_PRIORITY => rule with { Priority = attribute.AsUInt32() },
                FRA_TABLE => rule with { Table = attribute.AsUInt32() },
                FRA_SRC => rule with { Source = ToPrefix(attribute.AsIPAddress(), sourceLength, family) },
                FRA_DST => rule with { Destination = ToPrefix(attribute.AsIPAddress(), destinationLength, family) },
                FRA_IIFNAME => rule with { IncomingLink = attribute.AsString() },
                FRA_SUPPRESS_PREFIXLEN when (int)attribute.AsUInt32() >= 0 => rule with { SuppressedLength = (int)attribute.AsUInt32() },

                // A forwarded packet has no process and no outgoing link yet; a mark, a protocol or a port can be any.
                FRA_FWMARK when attribute.AsUInt32() != 0 => rule with { IsNarrowed = true },
                FRA_IP_PROTO => rule with { IsNarrowed = true, IPProtocol = attribute.AsByte() },
                FRA_DPORT_RANGE => rule with { IsNarrowed = true, Port = ReadPort(attribute.Exactly(2 * sizeof(ushort))) },
                FRA_OIFNAME or FRA_UID_RANGE or FRA_SPORT_RANGE => rule with { IsNarrowed = true },
                _ => rule,
            };
        }

        return rule;
    }

    // struct fib_rule_port_range: the first and the last one.
    private static ushort ReadPort(ReadOnlySpan<byte> range)
    {
        var (first, last) = (MemoryMarshal.Read<ushort>(range), MemoryMarshal.Read<ushort>(range[sizeof(ushort)..]));
        return first == last ? first : (ushort)0;
    }

    /// <summary>Reads an RTM_NEWNETCONF.</summary>
    /// <returns>Whether packets are forwarded, and rp_filter, 0 for IPv6, which has none.</returns>
    public static (bool IsForwarding, int SourceCheck) ReadForwarding(in NetlinkMessage message)
    {
        var reader = new NetlinkReader(message.Payload);
        reader.ReadPast(4); // struct netconfmsg, aligned
        var (isForwarding, sourceCheck) = (false, 0);
        while (reader.TryReadAttribute(out var attribute))
        {
            switch (attribute.Type)
            {
                case NETCONFA_FORWARDING:
                    isForwarding = attribute.AsUInt32() != 0;
                    break;
                case NETCONFA_RP_FILTER:
                    sourceCheck = (int)attribute.AsUInt32();
                    break;
            }
        }

        return (isForwarding, sourceCheck);
    }

    private static LinkEntry WithKind(LinkEntry link, NetlinkReader reader)
    {
        while (reader.TryReadAttribute(out var attribute))
        {
            switch (attribute.Type)
            {
                // The kind comes before its settings (rtnl_link_info_fill).
                case IFLA_INFO_KIND:
                    link = link with { Kind = attribute.AsString() };
                    break;
                case IFLA_INFO_DATA when link.Kind == "vxlan":
                    link = WithEncapsulation(link, attribute.AsNested(), IFLA_VXLAN_PORT, IFLA_VXLAN_COLLECT_METADATA);
                    break;
                case IFLA_INFO_DATA when link.Kind == "geneve":
                    link = WithEncapsulation(link, attribute.AsNested(), IFLA_GENEVE_PORT, IFLA_GENEVE_COLLECT_METADATA);
                    break;
            }
        }

        return link;
    }

    private static LinkEntry WithEncapsulation(LinkEntry link, NetlinkReader reader, ushort port, ushort metadata)
    {
        while (reader.TryReadAttribute(out var attribute))
        {
            if (attribute.Type == port)
            {
                link = link with { EncapsulationPort = (ushort)IPAddress.NetworkToHostOrder((short)attribute.AsUInt16()) };
            }

            // A flag without a value (geneve), or a byte that is one (vxlan).
            if (attribute.Type == metadata)
            {
                link = link with { IsMetadata = attribute.Value.IsEmpty || attribute.Value[0] != 0 };
            }
        }

        return link;
    }

    // IFLA_AF_SPEC, AF_INET, IFLA_INET_CONF: all settings as an array of 32 bits, in the order of linux/ip.h, which counts from one.
    private static LinkEntry WithSettings(LinkEntry link, NetlinkReader families)
    {
        while (families.TryReadAttribute(out var family))
        {
            if (family.Type != AF_INET)
            {
                continue;
            }

            var reader = family.AsNested();
            while (reader.TryReadAttribute(out var attribute))
            {
                if (attribute.Type == IFLA_INET_CONF)
                {
                    link = link with
                    {
                        IsForwardingIPv4 = ReadSetting(attribute.Value, IPV4_DEVCONF_FORWARDING) is { } forwarding ? forwarding != 0 : null,
                        SourceCheck = ReadSetting(attribute.Value, IPV4_DEVCONF_RP_FILTER),
                    };
                }
            }
        }

        return link;
    }

    private static int? ReadSetting(ReadOnlySpan<byte> settings, int number) =>
        settings.Length >= number * sizeof(int) ? MemoryMarshal.Read<int>(settings[((number - 1) * sizeof(int))..]) : null;

    // The kernel leaves the address of a default route out. A route that is no prefix cannot come from it.
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

    private static Span<byte> WriteDump(Span<byte> buffer, ushort type, int family, int headerSize)
    {
        var writer = new NetlinkWriter(buffer, type, NLM_F_REQUEST | NLM_F_DUMP);
        writer.WriteByte((byte)family);
        WriteZeros(ref writer, headerSize - 1);
        return writer.Complete();
    }

    private static void WriteZeros(ref NetlinkWriter writer, int count)
    {
        for (var written = 0; written < count; written++)
        {
            writer.WriteByte(0);
        }
    }
}
