using System.Buffers.Binary;
using System.Text;
using Orleans.WireGuard.Linux.Netlink;
using Orleans.WireGuard.Linux.Routing.Nftables;
using static Orleans.WireGuard.Linux.Netlink.NetlinkConstants;
using static Orleans.WireGuard.Linux.Routing.Nftables.NftablesExpressions;

namespace Orleans.WireGuard.Linux.Routing.Firewall;

/// <summary>The rules of our table (<see cref="FirewallTable"/>), as the expressions that nft(8) compiles them to.</summary>
internal static class FirewallMessages
{
    private const int NameSize = 16; // IFNAMSIZ
    private const byte Tcp = 6;

    // RFC 768: the second field of the header.
    private const uint UdpDestinationOffset = 2;

    // RFC 9293 section 3.1: where the flags are, and the one of a packet that opens a connection. Option 2 is the maximum segment size: a
    // kind, a length and two bytes of it.
    private const uint TcpFlagsOffset = 13;
    private const byte TcpSyn = 2;
    private const byte SegmentSizeOption = 2;

    /// <summary>Adds a rule behind those that are there.</summary>
    public static Span<byte> WriteAddRule(Span<byte> buffer, FirewallRule rule, ushort flags = 0) => NftablesMessages.WriteAddRule(
        buffer,
        FirewallTable.Table,
        rule.Chain.Name,
        rule.Comment,
        (ref NetlinkWriter writer) =>
        {
            switch (rule)
            {
                case DropRule drop:
                    Write(ref writer, drop);
                    break;
                case UnpackedRule unpacked:
                    LoadMeta(ref writer, NFT_META_IIFNAME);
                    CompareName(ref writer, NFT_CMP_EQ, unpacked.LinkName);
                    Accept(ref writer);
                    break;
                case PacketDropRule packed:
                    Write(ref writer, packed);
                    break;
                case SegmentRule segment:
                    Write(ref writer, segment);
                    break;
            }
        },
        flags);

    private static void Write(ref NetlinkWriter writer, DropRule rule)
    {
        ExceptDevices(ref writer, rule.IsOutgoing ? NFT_META_OIFNAME : NFT_META_IIFNAME, rule.Devices);
        CompareFamily(ref writer, rule.Remote.IsIPv6);
        if (rule.IsOutgoing)
        {
            LoadSource(ref writer, rule.Remote.IsIPv6);
            Lookup(ref writer, rule.Local.Name, rule.Local.Id);
            LoadDestination(ref writer, rule.Remote.IsIPv6);
        }
        else
        {
            LoadSource(ref writer, rule.Remote.IsIPv6);
        }

        // Each as nft writes it: it loads the address again before every comparison.
        Lookup(ref writer, rule.Remote.Name, rule.Remote.Id);
        if (rule.IsOutgoing)
        {
            LoadDestination(ref writer, rule.Remote.IsIPv6);
        }
        else
        {
            LoadSource(ref writer, rule.Remote.IsIPv6);
        }

        Lookup(ref writer, rule.Spared.Name, rule.Spared.Id, isInverted: true);
        Count(ref writer, rule.Counter);
        Drop(ref writer);
    }

    private static void Write(ref NetlinkWriter writer, PacketDropRule rule)
    {
        ExceptDevices(ref writer, rule.IsOutgoing ? NFT_META_OIFNAME : NFT_META_IIFNAME, rule.Devices);
        CompareFamily(ref writer, rule.Nodes.IsIPv6);
        LoadMeta(ref writer, NFT_META_L4PROTO);
        Compare(ref writer, NFT_CMP_EQ, [rule.Packet.Protocol]);
        if (rule.Packet.IsUdp)
        {
            LoadPayload(ref writer, NFT_PAYLOAD_TRANSPORT_HEADER, UdpDestinationOffset, sizeof(ushort));
            Span<byte> port = stackalloc byte[sizeof(ushort)];
            BinaryPrimitives.WriteUInt16BigEndian(port, rule.Packet.Port);
            Compare(ref writer, NFT_CMP_EQ, port);
        }

        if (rule.IsOutgoing)
        {
            LoadDestination(ref writer, rule.Nodes.IsIPv6);
        }
        else
        {
            LoadSource(ref writer, rule.Nodes.IsIPv6);
        }

        Lookup(ref writer, rule.Nodes.Name, rule.Nodes.Id);
        Count(ref writer, rule.Counter);
        Drop(ref writer);
    }

    private static void Write(ref NetlinkWriter writer, SegmentRule rule)
    {
        LoadMeta(ref writer, NFT_META_IIFNAME);
        CompareName(ref writer, NFT_CMP_EQ, rule.Limit.DeviceName);
        CompareFamily(ref writer, rule.IsIPv6);
        LoadMeta(ref writer, NFT_META_L4PROTO);
        Compare(ref writer, NFT_CMP_EQ, [Tcp]);
        LoadPayload(ref writer, NFT_PAYLOAD_TRANSPORT_HEADER, TcpFlagsOffset, sizeof(byte));
        Mask(ref writer, TcpSyn);
        Compare(ref writer, NFT_CMP_NEQ, [0]);
        Span<byte> size = stackalloc byte[sizeof(ushort)];
        BinaryPrimitives.WriteUInt16BigEndian(size, rule.Limit.Size(rule.IsIPv6));
        Load(ref writer, size);
        WriteTcpOption(ref writer, SegmentSizeOption, offset: 2, sizeof(ushort));
    }

    private static void ExceptDevices(ref NetlinkWriter writer, uint key, IReadOnlyList<string> devices)
    {
        foreach (var device in devices)
        {
            LoadMeta(ref writer, key);
            CompareName(ref writer, NFT_CMP_NEQ, device);
        }
    }

    // With its zeros the comparison is with the whole name.
    private static void CompareName(ref NetlinkWriter writer, uint operation, string device)
    {
        Span<byte> name = stackalloc byte[NameSize];
        name.Clear();
        _ = Encoding.ASCII.GetBytes(device, name);
        Compare(ref writer, operation, name);
    }

    private static void CompareFamily(ref NetlinkWriter writer, bool isIPv6)
    {
        LoadMeta(ref writer, NFT_META_NFPROTO);
        Compare(ref writer, NFT_CMP_EQ, [isIPv6 ? NFPROTO_IPV6 : NFPROTO_IPV4]);
    }
}
