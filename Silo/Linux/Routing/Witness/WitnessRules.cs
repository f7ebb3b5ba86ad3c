using System.Buffers.Binary;
using System.Globalization;
using System.Net;
using System.Text;
using Orleans.WireGuard.Linux.Netlink;
using Orleans.WireGuard.Linux.Routing.Nftables;
using static Orleans.WireGuard.Linux.Netlink.NetlinkConstants;
using static Orleans.WireGuard.Linux.Routing.Nftables.NftablesExpressions;

namespace Orleans.WireGuard.Linux.Routing.Witness;

/// <summary>The rules that a specification leads to, in their order. Pure.</summary>
internal static class WitnessRules
{
    private const ushort EtherTypeIPv4 = 0x0800;
    private const ushort EtherTypeIPv6 = 0x86DD;
    private const byte UdpProtocol = 17;

    // An IPv4 header without options, as every packet of a tunnel has it: version 4, five words.
    private const byte PlainIPv4 = 0x45;

    // RFC 791 section 3.1, RFC 8200 section 3.
    private const uint IPv4ProtocolOffset = 9;
    private const uint IPv6NextHeaderOffset = 6;
    private const uint PortOffset = 2; // RFC 768: the destination port

    // Behind the UDP header come eight bytes of VXLAN (RFC 7348) or Geneve (RFC 8926), for Geneve its options, and an Ethernet frame.
    private const uint UdpSize = 8;
    private const uint EncapsulationSize = 8;
    private const uint EtherTypeOffset = 12;
    private const uint EthernetSize = 14;

    // Options are counted in words of four bytes. Cilium sends none, or three words; OVN two. More are not looked into.
    private static readonly byte[] GeneveOptionWords = [0, 1, 2, 3];

    // Where the addresses are: RFC 791 section 3.1, RFC 8200 section 3.
    private static uint SourceOffset(bool isIPv6) => isIPv6 ? 8u : 12u;

    /// <summary>The rules.</summary>
    /// <param name="spec">What is counted.</param>
    /// <param name="isPartial">Whether the base chains are for all links, so that each link needs a rule by its name.</param>
    public static IReadOnlyList<WitnessRule> Build(WitnessSpec spec, bool isPartial) =>
    [
        .. BuildDirection(spec, isArriving: false),
        .. BuildDirection(spec, isArriving: true),
        .. spec.Links.SelectMany(link => BuildLink(link, isPartial)),
        .. isPartial ? [] : spec.Devices.Select(BuildSeen),
    ];

    /// <summary>
    /// The chains: two that are called by the others, and those with the links that they are called from; in partial mode one for each
    /// direction.
    /// </summary>
    public static IReadOnlyList<WitnessChain> BuildChains(WitnessSpec spec, bool isPartial) =>
    [
        new(WitnessTable.Leaving, null),
        new(WitnessTable.Arriving, null),
        .. isPartial
            ? (IEnumerable<WitnessChain>)[
                new("out", new(NF_INET_POST_ROUTING, LastPriority)), new("in", new(NF_INET_PRE_ROUTING, NF_IP_PRI_RAW))]
            : [
                .. spec.Links.Concat(spec.Devices)
                    .Select(link => new WitnessChain(ChainOf(link, isArriving: false), new(NF_NETDEV_EGRESS, 0, link.Name))),
                .. spec.Links.Select(link => new WitnessChain(ChainOf(link, isArriving: true), new(NF_NETDEV_INGRESS, 0, link.Name))),
            ],
    ];

    // Behind every translation of addresses, which decides where a packet really comes from.
    private const int LastPriority = 300;

    private static string ChainOf(WitnessLink link, bool isArriving) =>
        string.Create(CultureInfo.InvariantCulture, $"{(isArriving ? "in" : "out")}{link.Index}");

    private static WitnessRule BuildSeen(WitnessLink link) => new(
        ChainOf(link, isArriving: false), WitnessTable.Comment
            + "seen", (ref writer) => Count(ref writer, WitnessTable.SeenCounter(link.Index)));

    private static IEnumerable<WitnessRule> BuildLink(WitnessLink link, bool isPartial)
    {
        if (!isPartial)
        {
            yield return BuildSeen(link);
        }

        foreach (var isArriving in (bool[])[false, true])
        {
            var target = isArriving ? WitnessTable.Arriving : WitnessTable.Leaving;
            if (!isPartial)
            {
                yield return new(ChainOf(link, isArriving), WitnessTable.Comment + "link", (ref writer) => Jump(ref writer, target));
                continue;
            }

            yield return new(isArriving ? "in" : "out", WitnessTable.Comment + "link " + link.Name, (ref writer) =>
            {
                CompareName(ref writer, isArriving ? NFT_META_IIFNAME : NFT_META_OIFNAME, link.Name);
                Jump(ref writer, target);
            });
        }
    }

    private static IEnumerable<WitnessRule> BuildDirection(WitnessSpec spec, bool isArriving)
    {
        var chain = isArriving ? WitnessTable.Arriving : WitnessTable.Leaving;
        foreach (var (address, port) in spec.TunnelAddresses.SelectMany(address => spec.TunnelPorts.Select(port => (address, port))))
        {
            yield return new(
                chain,
                string.Create(CultureInfo.InvariantCulture, $"{WitnessTable.Comment}tunnel {port} of {address}"),
                (ref writer) => BuildTunnel(ref writer, address, port, isArriving));
        }

        foreach (var isIPv6 in (bool[])[false, true])
        {
            yield return new(chain, WitnessTable.Comment + "clear", (ref writer) =>
            {
                CompareProtocol(ref writer, isIPv6);
                LookUpPair(ref writer, NFT_PAYLOAD_NETWORK_HEADER, SourceOffset(isIPv6), isIPv6, isArriving);
                Finish(ref writer, WitnessClass.Clear, isArriving);
            });
        }

        foreach (var port in spec.TunnelPorts)
        {
            yield return new(chain, string.Create(CultureInfo.InvariantCulture, $"{WitnessTable.Comment}tunnel {port}"), (ref writer) =>
            {
                ComparePort(ref writer, port);
                Finish(ref writer, WitnessClass.Tunnel, isArriving);
            });
        }

        foreach (var port in spec.Ports)
        {
            foreach (var words in port.IsGeneve ? GeneveOptionWords : [0])
            {
                foreach (var isIPv6 in (bool[])[false, true])
                {
                    var name = string.Create(
                        CultureInfo.InvariantCulture, $"{WitnessTable.Comment}{(port.IsGeneve ? "geneve" : "vxlan")} {port.Port}");
                    yield return new(chain, name, (ref writer) => BuildEncapsulated(ref writer, port, words, isIPv6, isArriving));
                }
            }
        }
    }

    // For IPv4 what the kernel decides without a call: loads of at most four bytes, and comparisons. So it is not asked for the protocol,
    // which the header tells.
    private static void BuildTunnel(ref NetlinkWriter writer, IPAddress address, ushort port, bool isArriving)
    {
        var bytes = address.GetAddressBytes();
        var isIPv6 = bytes.Length != sizeof(uint);
        if (isIPv6)
        {
            CompareProtocol(ref writer, isIPv6);
            LoadPayload(ref writer, NFT_PAYLOAD_NETWORK_HEADER, IPv6NextHeaderOffset, sizeof(byte));
        }
        else
        {
            LoadPayload(ref writer, NFT_PAYLOAD_NETWORK_HEADER, 0, sizeof(byte));
            Compare(ref writer, NFT_CMP_EQ, [PlainIPv4]);
            LoadPayload(ref writer, NFT_PAYLOAD_NETWORK_HEADER, IPv4ProtocolOffset, sizeof(byte));
        }

        Compare(ref writer, NFT_CMP_EQ, [UdpProtocol]);
        LoadPayload(
            ref writer, NFT_PAYLOAD_NETWORK_HEADER, SourceOffset(isIPv6) + (isArriving ? (uint)bytes.Length : 0), (uint)bytes.Length);
        Compare(ref writer, NFT_CMP_EQ, bytes);
        LoadPayload(ref writer, NFT_PAYLOAD_TRANSPORT_HEADER, PortOffset, sizeof(ushort));
        Compare(ref writer, NFT_CMP_EQ, BigEndian(port));
        Finish(ref writer, WitnessClass.Tunnel, isArriving);
    }

    private static void BuildEncapsulated(ref NetlinkWriter writer, EncapsulationPort port, byte words, bool isIPv6, bool isArriving)
    {
        ComparePort(ref writer, port.Port);
        if (port.IsGeneve)
        {
            // The first byte is the version, which is 0, and the length of the options.
            LoadPayload(ref writer, NFT_PAYLOAD_TRANSPORT_HEADER, UdpSize, sizeof(byte));
            Compare(ref writer, NFT_CMP_EQ, [words]);
        }

        var frame = UdpSize + EncapsulationSize + (4u * words);
        LoadPayload(ref writer, NFT_PAYLOAD_TRANSPORT_HEADER, frame + EtherTypeOffset, sizeof(ushort));
        Compare(ref writer, NFT_CMP_EQ, BigEndian(isIPv6 ? EtherTypeIPv6 : EtherTypeIPv4));
        LookUpPair(ref writer, NFT_PAYLOAD_TRANSPORT_HEADER, frame + EthernetSize + SourceOffset(isIPv6), isIPv6, isArriving);
        Finish(ref writer, WitnessClass.ClearEncapsulated, isArriving);
    }

    private static void CompareProtocol(ref NetlinkWriter writer, bool isIPv6)
    {
        LoadMeta(ref writer, NFT_META_PROTOCOL);
        Compare(ref writer, NFT_CMP_EQ, BigEndian(isIPv6 ? EtherTypeIPv6 : EtherTypeIPv4));
    }

    // With its terminating zero, the name is compared whole.
    private static void CompareName(ref NetlinkWriter writer, uint key, string name)
    {
        LoadMeta(ref writer, key);
        Compare(ref writer, NFT_CMP_EQ, Encoding.ASCII.GetBytes(name.PadRight(IFNAMSIZ, '\0')));
    }

    private static void ComparePort(ref NetlinkWriter writer, ushort port)
    {
        LoadMeta(ref writer, NFT_META_L4PROTO);
        Compare(ref writer, NFT_CMP_EQ, [UdpProtocol]);
        LoadPayload(ref writer, NFT_PAYLOAD_TRANSPORT_HEADER, PortOffset, sizeof(ushort));
        Compare(ref writer, NFT_CMP_EQ, BigEndian(port));
    }

    private static void LookUpPair(ref NetlinkWriter writer, uint header, uint offset, bool isIPv6, bool isArriving)
    {
        var size = (uint)NftablesMessages.AddressSize(isIPv6);
        LoadPayload(ref writer, header, offset, size);
        Lookup(ref writer, WitnessTable.SetName(isOwn: !isArriving, isIPv6), SetId(isOwn: !isArriving, isIPv6));
        LoadPayload(ref writer, header, offset + size, size);
        Lookup(ref writer, WitnessTable.SetName(isOwn: isArriving, isIPv6), SetId(isOwn: isArriving, isIPv6));
    }

    private static void Finish(ref NetlinkWriter writer, WitnessClass kind, bool isArriving)
    {
        Count(ref writer, WitnessTable.Counter(kind, isArriving));
        Accept(ref writer);
    }

    /// <summary>The number by which rules of one transaction name a set.</summary>
    public static uint SetId(bool isOwn, bool isIPv6) => (isOwn ? 1u : 3u) + (isIPv6 ? 1u : 0u);

    private static byte[] BigEndian(ushort value)
    {
        var bytes = new byte[sizeof(ushort)];
        BinaryPrimitives.WriteUInt16BigEndian(bytes, value);
        return bytes;
    }
}
