using System.Buffers.Binary;
using System.Net;
using Orleans.WireGuard.LocalMesh.Topology;

namespace Orleans.WireGuard.LocalMesh.Capture;

/// <summary>What a frame on the underlay is.</summary>
internal enum FrameKind
{
    /// <summary>A WireGuard message between nodes.</summary>
    WireGuard,

    /// <summary>TCP between silos.</summary>
    Silo,

    /// <summary>Zeros from node to node that ask the routers in between what the way carries.</summary>
    PathProbe,

    /// <summary>TCP between a node and the membership store, the API server or the dashboard's reader, both on the host.</summary>
    Host,

    /// <summary>Address resolution between nodes.</summary>
    Arp,

    /// <summary>A node's ICMP answer that a WireGuard or silo port is closed, as while a silo starts. It quotes no pod packet.</summary>
    PortClosed,

    /// <summary>A pod's address or payload that anyone on the underlay can read.</summary>
    PodInClear,

    /// <summary>Anything else: nothing that a node may send.</summary>
    Foreign,
}

/// <summary>Decides what a frame on the underlay is; the same decision for a run with tunnels and for the control run without.</summary>
/// <param name="plan">The addresses.</param>
/// <param name="marker">The payload of our pings; empty if none were sent.</param>
internal sealed class FrameClassifier(MeshPlan plan, ReadOnlyMemory<byte> marker)
{
    private const int EthernetHeaderLength = 14;
    private const int MinIPv4HeaderLength = 20;
    private const ushort EtherTypeIPv4 = 0x0800;
    private const ushort EtherTypeArp = 0x0806;
    private const ushort EtherTypeIPv6 = 0x86DD;
    private const byte ProtocolIcmp = 1;
    private const byte ProtocolTcp = 6;
    private const byte ProtocolUdp = 17;
    private const int AddressLength = 4;

    private readonly HashSet<uint> _nodes = [.. plan.Nodes.Select(n => ToNumber(n.Address))];
    private readonly HashSet<uint> _pods = [.. plan.Nodes.Select(n => ToNumber(n.PodAddress))];
    private readonly byte[][] _podsIPv6 = [.. plan.Nodes.Select(n => n.IPv6?.PodAddress.GetAddressBytes()).OfType<byte[]>()];
    private readonly HashSet<IPAddress> _nodesIPv6 = [.. plan.Nodes.Select(n => n.IPv6?.Address).OfType<IPAddress>()];
    private readonly uint _host = ToNumber(plan.HostAddress);

    /// <summary>Classifies an Ethernet frame.</summary>
    public FrameKind Classify(ReadOnlySpan<byte> frame)
    {
        if (frame.Length < EthernetHeaderLength)
        {
            return FrameKind.Foreign;
        }

        // First of all, whatever the frame pretends to be: encapsulation must not hide a pod packet.
        if (ShowsPod(frame))
        {
            return FrameKind.PodInClear;
        }

        var payload = frame[EthernetHeaderLength..];
        return BinaryPrimitives.ReadUInt16BigEndian(frame[12..]) switch
        {
            EtherTypeIPv4 => ClassifyIPv4(payload),
            EtherTypeArp => ClassifyArp(payload),
            EtherTypeIPv6 when plan.IsDualStack => ClassifyIPv6(payload),
            _ => FrameKind.Foreign,
        };
    }

    /// <summary>Addresses, protocol and ports of a frame, for a message.</summary>
    public static string Describe(ReadOnlySpan<byte> frame)
    {
        if (frame.Length < EthernetHeaderLength + MinIPv4HeaderLength || BinaryPrimitives.ReadUInt16BigEndian(frame[12..]) != EtherTypeIPv4)
        {
            return frame.Length < EthernetHeaderLength
                ? "short frame"
                : $"EtherType 0x{BinaryPrimitives.ReadUInt16BigEndian(frame[12..]):x4}";
        }

        var packet = frame[EthernetHeaderLength..];
        var text =
            $"{new IPAddress(packet.Slice(12, AddressLength))} > {new IPAddress(packet.Slice(16, AddressLength))} protocol {packet[9]}";
        return TryReadPorts(packet, out var source, out var destination) ? $"{text} ports {source} > {destination}" : text;
    }

    private FrameKind ClassifyIPv4(ReadOnlySpan<byte> packet)
    {
        if (packet.Length < MinIPv4HeaderLength)
        {
            return FrameKind.Foreign;
        }

        var from = ReadAddress(packet, 12);
        var to = ReadAddress(packet, 16);
        if (IsPodNetwork(from) || IsPodNetwork(to))
        {
            return FrameKind.PodInClear;
        }

        if (!_nodes.Contains(from))
        {
            // The host may talk to a node, and to the segment as hosts do; it is no node and carries no pods.
            return from == _host ? FrameKind.Host : FrameKind.Foreign;
        }

        if (packet[9] == ProtocolIcmp)
        {
            return IsPortClosed(packet) ? FrameKind.PortClosed : FrameKind.Foreign;
        }

        if (!TryReadPorts(packet, out var source, out var destination))
        {
            return FrameKind.Foreign;
        }

        return (packet[9], to == _host, _nodes.Contains(to)) switch
        {
            (ProtocolUdp, false, true) when source == destination && MeshPlan.WireGuardPorts.Contains(destination) && IsWireGuard(packet) =>
                FrameKind.WireGuard,
            (ProtocolUdp, false, true) when MeshPlan.WireGuardPorts.Contains(destination) && IsPathProbe(packet[HeaderLength(packet)..]) =>
                FrameKind.PathProbe,
            (ProtocolTcp, false, true) when source == MeshPlan.SiloPort || destination == MeshPlan.SiloPort => FrameKind.Silo,
            (ProtocolTcp, true, false) when destination is MeshPlan.RedisPort or MeshPlan.ApiServerPort || source == MeshPlan.WebPort =>
                FrameKind.Host,
            _ => FrameKind.Foreign,
        };
    }

    // "Port unreachable" (RFC 792) quotes the packet it is about; that one has to be permitted itself.
    private bool IsPortClosed(ReadOnlySpan<byte> packet)
    {
        const int IcmpHeaderLength = 8;
        const byte DestinationUnreachable = 3;
        const byte PortUnreachable = 3;
        var message = packet[HeaderLength(packet)..];
        return message.Length >= IcmpHeaderLength + MinIPv4HeaderLength
            && message[0] == DestinationUnreachable
            && message[1] == PortUnreachable
            && ClassifyIPv4(message[IcmpHeaderLength..]) is FrameKind.WireGuard or FrameKind.Silo or FrameKind.PathProbe;
    }

    private FrameKind ClassifyArp(ReadOnlySpan<byte> message)
    {
        const int SenderOffset = 14;
        const int TargetOffset = 24;
        if (message.Length < TargetOffset + AddressLength)
        {
            return FrameKind.Foreign;
        }

        return IsPodNetwork(ReadAddress(message, SenderOffset)) || IsPodNetwork(ReadAddress(message, TargetOffset))
            ? FrameKind.PodInClear
            : FrameKind.Arp;
    }

    // An IPv4 header has source and destination side by side, at whatever depth it lies; eight chosen bytes do not occur
    // by chance in cipher text, which four would do once in a few thousand runs.
    private bool ShowsPod(ReadOnlySpan<byte> frame)
    {
        if (!marker.IsEmpty && frame.IndexOf(marker.Span) >= 0)
        {
            return true;
        }

        for (var i = 0; i + (2 * AddressLength) <= frame.Length; i++)
        {
            if (_pods.Contains(ReadAddress(frame, i)) && _pods.Contains(ReadAddress(frame, i + AddressLength)))
            {
                return true;
            }
        }

        return _podsIPv6.Any(ShowsIn(frame));
    }

    // Sixteen chosen bytes: one of them is enough.
    private static Func<byte[], bool> ShowsIn(ReadOnlySpan<byte> frame)
    {
        var bytes = frame.ToArray();
        return address => bytes.AsSpan().IndexOf(address) >= 0;
    }

    // RFC 8200 section 3. Link-local neighbour and multicast discovery (RFC 4861, RFC 3810) is to IPv6 what ARP is to IPv4.
    private FrameKind ClassifyIPv6(ReadOnlySpan<byte> packet)
    {
        const int HeaderLength = 40;
        const int UdpHeaderLength = 8;
        const byte HopByHop = 0;
        const byte ProtocolIcmpV6 = 58;
        if (packet.Length < HeaderLength + UdpHeaderLength)
        {
            return FrameKind.Foreign;
        }

        var (from, to) = (new IPAddress(packet.Slice(8, 16)), new IPAddress(packet.Slice(24, 16)));
        if (plan.Nodes.Any(n => n.IPv6!.PodCIDR.Contains(from) || n.IPv6.PodCIDR.Contains(to)))
        {
            return FrameKind.PodInClear;
        }

        var body = packet[HeaderLength..];
        return packet[6] switch
        {
            HopByHop or ProtocolIcmpV6 when to.IsIPv6Multicast || from.IsIPv6LinkLocal
                || to.IsIPv6LinkLocal || (_nodesIPv6.Contains(from) && body[0] is 135 or 136) =>
                FrameKind.Arp,
            ProtocolUdp when _nodesIPv6.Contains(from) && _nodesIPv6.Contains(to) && body.Length > UdpHeaderLength + 3
                && MeshPlan.WireGuardPorts.Contains(BinaryPrimitives.ReadUInt16BigEndian(body[2..]))
                && body[UdpHeaderLength] is >= 1 and <= 4 => FrameKind.WireGuard,
            ProtocolUdp when _nodesIPv6.Contains(from) && _nodesIPv6.Contains(to)
                && MeshPlan.WireGuardPorts.Contains(BinaryPrimitives.ReadUInt16BigEndian(body[2..])) && IsPathProbe(body) =>
                FrameKind.PathProbe,
            _ => FrameKind.Foreign,
        };
    }

    private bool IsPodNetwork(uint address) => plan.PodNetwork.Contains(ToAddress(address));

    // Message types 1 to 4, then three reserved zero bytes: https://www.wireguard.com/papers/wireguard.pdf section 5.4.
    private static bool IsWireGuard(ReadOnlySpan<byte> packet)
    {
        const int UdpHeaderLength = 8;
        var message = packet[HeaderLength(packet)..];
        return message.Length >= UdpHeaderLength + 4
            && message[UdpHeaderLength] is >= 1 and <= 4
            && message.Slice(UdpHeaderLength + 1, 3).IndexOfAnyExcept((byte)0) < 0;
    }

    private static bool IsPathProbe(ReadOnlySpan<byte> udp)
    {
        const int HeaderLength = 8;
        return udp.Length > HeaderLength && udp[HeaderLength..].IndexOfAnyExcept((byte)0) < 0;
    }

    private static bool TryReadPorts(ReadOnlySpan<byte> packet, out ushort source, out ushort destination)
    {
        (source, destination) = (0, 0);
        var headerLength = HeaderLength(packet);

        // A later fragment has no ports: it could be anything.
        var isLaterFragment = (BinaryPrimitives.ReadUInt16BigEndian(packet[6..]) & 0x1FFF) != 0;
        if (packet[9] is not (ProtocolTcp or ProtocolUdp) || isLaterFragment || packet.Length < headerLength + 4)
        {
            return false;
        }

        source = BinaryPrimitives.ReadUInt16BigEndian(packet[headerLength..]);
        destination = BinaryPrimitives.ReadUInt16BigEndian(packet[(headerLength + 2)..]);
        return true;
    }

    private static int HeaderLength(ReadOnlySpan<byte> packet) => (packet[0] & 0x0F) * 4;

    private static uint ReadAddress(ReadOnlySpan<byte> bytes, int offset) => BinaryPrimitives.ReadUInt32BigEndian(bytes[offset..]);

    private static uint ToNumber(IPAddress address) => BinaryPrimitives.ReadUInt32BigEndian(address.GetAddressBytes());

    private static IPAddress ToAddress(uint number)
    {
        Span<byte> bytes = stackalloc byte[AddressLength];
        BinaryPrimitives.WriteUInt32BigEndian(bytes, number);
        return new IPAddress(bytes);
    }
}
