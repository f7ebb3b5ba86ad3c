// Messages about links and addresses: rtnetlink(7), linux/if_link.h, linux/if_addr.h.
using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using Orleans.WireGuard.Linux.Netlink;
using static Orleans.WireGuard.Linux.Netlink.NetlinkConstants;

namespace Orleans.WireGuard.Linux.Routing;

/// <summary>Writes and reads RTM_*LINK (struct ifinfomsg) and RTM_*ADDR (struct ifaddrmsg).</summary>
internal static class LinkMessages
{
    /// <summary>rp_filter, as Documentation/networking/ip-sysctl.rst counts it: any link may lead back to the source.</summary>
    public const int LooseSourceCheck = 2;

    private const ushort Acknowledged = NLM_F_REQUEST | NLM_F_ACK;

    /// <summary>Asks for a link by its name.</summary>
    public static Span<byte> WriteGetLink(Span<byte> buffer, string name)
    {
        var writer = BeginLink(buffer, RTM_GETLINK, Acknowledged);
        writer.WriteString(IFLA_IFNAME, name);
        writer.WriteUInt32(IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
        return writer.Complete();
    }

    /// <summary>Asks for a link by its number.</summary>
    public static Span<byte> WriteGetLink(Span<byte> buffer, int index)
    {
        var writer = BeginLink(buffer, RTM_GETLINK, Acknowledged, index);
        writer.WriteUInt32(IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
        return writer.Complete();
    }

    /// <summary>Makes a link; refused if the name is taken.</summary>
    public static Span<byte> WriteCreateLink(Span<byte> buffer, string name, string kind)
    {
        var writer = BeginLink(buffer, RTM_NEWLINK, Acknowledged | NLM_F_CREATE | NLM_F_EXCL);
        writer.WriteString(IFLA_IFNAME, name);
        var info = writer.BeginNested(IFLA_LINKINFO);
        writer.WriteString(IFLA_INFO_KIND, kind);
        writer.EndNested(info);
        return writer.Complete();
    }

    /// <summary>Sets the MTU of a link that exists. RTM_SETLINK, unlike RTM_NEWLINK, never makes one.</summary>
    public static Span<byte> WriteSetMtu(Span<byte> buffer, string name, int mtu)
    {
        var writer = BeginLink(buffer, RTM_SETLINK, Acknowledged);
        writer.WriteString(IFLA_IFNAME, name);
        writer.WriteUInt32(IFLA_MTU, (uint)mtu);
        return writer.Complete();
    }

    /// <summary>Renames a link by its number.</summary>
    public static Span<byte> WriteRename(Span<byte> buffer, int index, string name)
    {
        var writer = BeginLink(buffer, RTM_SETLINK, Acknowledged, index);
        writer.WriteString(IFLA_IFNAME, name);
        return writer.Complete();
    }

    /// <summary>Takes a link down by its number.</summary>
    public static Span<byte> WriteSetDown(Span<byte> buffer, int index) =>
        BeginLink(buffer, RTM_SETLINK, Acknowledged, index, flags: 0, change: IFF_UP).Complete();

    /// <summary>Brings a link up.</summary>
    public static Span<byte> WriteSetUp(Span<byte> buffer, string name)
    {
        var writer = BeginLink(buffer, RTM_SETLINK, Acknowledged, flags: IFF_UP, change: IFF_UP);
        writer.WriteString(IFLA_IFNAME, name);
        return writer.Complete();
    }

    /// <summary>
    /// Has a link accept IPv4 packets from any source that some link leads to (rp_filter 2, "loose"), also where
    /// <c>net.ipv4.conf.all.rp_filter</c> is 1: the kernel takes the larger of the two. By netlink, because <c>/proc/sys</c> is read-only
    /// in a container.
    /// </summary>
    public static Span<byte> WriteLooseSourceCheck(Span<byte> buffer, string name)
    {
        var writer = BeginLink(buffer, RTM_SETLINK, Acknowledged);
        writer.WriteString(IFLA_IFNAME, name);
        var families = writer.BeginNested(IFLA_AF_SPEC);
        var family = writer.BeginNested(AF_INET);
        var settings = writer.BeginNested(IFLA_INET_CONF);
        writer.WriteUInt32(IPV4_DEVCONF_RP_FILTER, LooseSourceCheck);
        writer.EndNested(settings);
        writer.EndNested(family);
        writer.EndNested(families);
        return writer.Complete();
    }

    /// <summary>Asks for a link with its counters.</summary>
    public static Span<byte> WriteGetCounters(Span<byte> buffer, string name)
    {
        var writer = BeginLink(buffer, RTM_GETLINK, Acknowledged);
        writer.WriteString(IFLA_IFNAME, name);
        return writer.Complete();
    }

    /// <summary>Reads what a link has counted, from an RTM_NEWLINK; zeros if it does not say.</summary>
    /// <exception cref="NetlinkFormatException">It is none.</exception>
    public static LinkTraffic ReadTraffic(in NetlinkMessage message)
    {
        var reader = Begin(message, RTM_NEWLINK);
        reader.ReadPast(4 + (3 * sizeof(uint))); // struct ifinfomsg
        while (reader.TryReadAttribute(out var attribute))
        {
            if (attribute.Type == IFLA_STATS64)
            {
                // struct rtnl_link_stats64 begins with rx_packets, tx_packets, rx_bytes, tx_bytes.
                var counters = MemoryMarshal.Cast<byte, ulong>(attribute.Value);
                return counters.Length < 4 ? default : new LinkTraffic((long)counters[0], (long)counters[1], (long)counters[3]);
            }
        }

        return default;
    }

    /// <summary>Deletes a link by its number, so that another one that took the name meanwhile is left alone.</summary>
    public static Span<byte> WriteDeleteLink(Span<byte> buffer, int index) =>
        BeginLink(buffer, RTM_DELLINK, Acknowledged, index).Complete();

    /// <summary>Reads an RTM_NEWLINK.</summary>
    /// <exception cref="NetlinkFormatException">It is none.</exception>
    public static Link ReadLink(in NetlinkMessage message)
    {
        var reader = Begin(message, RTM_NEWLINK);
        reader.ReadPast(4); // ifi_family, padding, ifi_type
        var index = (int)reader.ReadUInt32();
        var flags = reader.ReadUInt32();
        reader.ReadPast(sizeof(uint)); // ifi_change
        var (name, kind, mtu) = ("", "", 0);
        while (reader.TryReadAttribute(out var attribute))
        {
            switch (attribute.Type)
            {
                case IFLA_IFNAME:
                    name = attribute.AsString();
                    break;
                case IFLA_MTU:
                    mtu = (int)attribute.AsUInt32();
                    break;
                case IFLA_LINKINFO:
                    kind = ReadKind(attribute.AsNested());
                    break;
            }
        }

        return new Link(name, index, mtu, (flags & IFF_UP) != 0, kind);
    }

    /// <summary>
    /// Asks for the addresses of all links, of one family. The kernel's filter by link is newer than the kernels we run on.
    /// </summary>
    public static Span<byte> WriteGetAddresses(Span<byte> buffer, int family)
    {
        var writer = BeginAddress(buffer, RTM_GETADDR, NLM_F_REQUEST | NLM_F_DUMP, family, prefixLength: 0, index: 0);
        return writer.Complete();
    }

    /// <summary>Adds an address to a link, or makes its prefix length what is said; or deletes it.</summary>
    /// <param name="buffer">Where to.</param>
    /// <param name="type">RTM_NEWADDR or RTM_DELADDR.</param>
    /// <param name="index">Number of the link.</param>
    /// <param name="address">With the length of its prefix.</param>
    /// <param name="scope">How far it is valid; RT_SCOPE_HOST for one that no packet shall carry.</param>
    public static Span<byte> WriteAddress(Span<byte> buffer, ushort type, int index, LinkAddress address, byte scope = RT_SCOPE_UNIVERSE)
    {
        var flags = (ushort)(Acknowledged | (type == RTM_NEWADDR ? NLM_F_CREATE | NLM_F_REPLACE : 0));
        var isIPv6 = address.Address.AddressFamily == AddressFamily.InterNetworkV6;
        var writer = BeginAddress(
            buffer,
            type,
            flags,
            isIPv6 ? AF_INET6 : AF_INET,
            address.PrefixLength,
            index,

            // A WireGuard device carries no neighbour discovery, and a fresh address must be usable at once.
            isIPv6 && type == RTM_NEWADDR ? IFA_F_NODAD : (byte)0,
            scope);
        writer.WriteAddress(IFA_LOCAL, address.Address);
        writer.WriteAddress(IFA_ADDRESS, address.Address);
        return writer.Complete();
    }

    /// <summary>Reads an RTM_NEWADDR, or returns <see langword="null"/> if it is of another link.</summary>
    /// <exception cref="NetlinkFormatException">It is none.</exception>
    public static LinkAddress? TryReadAddress(in NetlinkMessage message, int index)
    {
        var reader = Begin(message, RTM_NEWADDR);
        reader.ReadPast(sizeof(byte)); // ifa_family
        var prefixLength = reader.ReadByte();
        reader.ReadPast(2); // ifa_flags, ifa_scope
        var link = (int)reader.ReadUInt32();
        IPAddress? address = null;
        while (reader.TryReadAttribute(out var attribute))
        {
            // On a point-to-point link IFA_ADDRESS is the other end; IFA_LOCAL, which IPv6 leaves out, is always ours.
            if (attribute.Type == IFA_LOCAL || (attribute.Type == IFA_ADDRESS && address is null))
            {
                address = attribute.AsIPAddress();
            }
        }

        return link == index && address is not null ? new LinkAddress(address, prefixLength) : null;
    }

    private static string ReadKind(NetlinkReader reader)
    {
        while (reader.TryReadAttribute(out var attribute))
        {
            if (attribute.Type == IFLA_INFO_KIND)
            {
                return attribute.AsString();
            }
        }

        return "";
    }

    private static NetlinkReader Begin(in NetlinkMessage message, ushort type) => message.Type == type
        ? new NetlinkReader(message.Payload)
        : throw new NetlinkFormatException($"A message of type {type} was expected, one of type {message.Type} came.");

    // struct ifinfomsg
    private static NetlinkWriter BeginLink(
        Span<byte> buffer, ushort type, ushort messageFlags, int index = 0, uint flags = 0, uint change = 0)
    {
        var writer = new NetlinkWriter(buffer, type, messageFlags);
        writer.WriteUInt32(0); // AF_UNSPEC, padding, ifi_type
        writer.WriteUInt32((uint)index);
        writer.WriteUInt32(flags);
        writer.WriteUInt32(change);
        return writer;
    }

    // struct ifaddrmsg
    private static NetlinkWriter BeginAddress(
        Span<byte> buffer, ushort type, ushort messageFlags, int family, int prefixLength, int index, byte flags =
            0, byte scope = RT_SCOPE_UNIVERSE)
    {
        var writer = new NetlinkWriter(buffer, type, messageFlags);
        writer.WriteByte((byte)family);
        writer.WriteByte((byte)prefixLength);
        writer.WriteByte(flags);
        writer.WriteByte(scope);
        writer.WriteUInt32((uint)index);
        return writer;
    }
}
