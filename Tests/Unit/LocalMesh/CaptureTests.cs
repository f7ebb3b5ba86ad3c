using System.Buffers.Binary;
using System.Net;
using Orleans.WireGuard.LocalMesh.Capture;
using Orleans.WireGuard.LocalMesh.Topology;

namespace Orleans.WireGuard.Tests.Unit.LocalMesh;

/// <summary>What a frame on the underlay is, and what a capture proves.</summary>
public sealed class CaptureTests
{
    private const byte Icmp = 1;
    private const byte Tcp = 6;
    private const byte Udp = 17;
    private const string Node1 = "192.168.100.1";
    private const string Node2 = "192.168.100.2";
    private const string Host = "192.168.100.254";
    private const string Pod1 = "10.244.1.10";
    private const string Pod2 = "10.244.2.10";

    private static readonly byte[] Marker = [.. Enumerable.Range(100, 16).Select(i => (byte)i)];
    private static readonly byte[] HandshakeInitiation = [1, 0, 0, 0, 9, 9, 9, 9];

    private readonly FrameClassifier _classifier = new(MeshPlan.Demo(3), Marker);

    [Theory]
    [InlineData(51871)]
    [InlineData(51872)]
    public void Classify_WireGuardBetweenNodes_IsWireGuard(ushort port) =>
        Assert.Equal(FrameKind.WireGuard, _classifier.Classify(Ethernet(IPv4(Node1, Node2, Udp, Ports(port, port, HandshakeInitiation)))));

    [Theory]
    [InlineData(Udp, 51871, 51872)]
    [InlineData(Udp, 53, 53)]
    [InlineData(Tcp, 51871, 51871)]
    [InlineData(Tcp, 40000, 30000)]
    public void Classify_OtherPortsBetweenNodes_IsForeign(byte protocol, ushort source, ushort destination) =>
        Assert.Equal(FrameKind.Foreign, _classifier.Classify(
            Ethernet(IPv4(Node1, Node2, protocol, Ports(source, destination, HandshakeInitiation)))));

    [Theory]
    [InlineData(51871, FrameKind.PathProbe)]
    [InlineData(53, FrameKind.Foreign)]
    public void Classify_Zeros_AskForThePathAtTheWireGuardPortOnly(ushort port, object expected) => Assert.Equal(
        (FrameKind)expected, _classifier.Classify(Ethernet(IPv4(Node1, Node2, Udp, Ports(40000, port, new byte[64])))));

    [Fact]
    public void Classify_OtherMessageOnTheWireGuardPort_IsForeign() =>
        Assert.Equal(FrameKind.Foreign, _classifier.Classify(Ethernet(IPv4(Node1, Node2, Udp, Ports(51871, 51871, "hello, world"u8)))));

    [Theory]
    [InlineData(Node1, Node2, 40000, 11111, FrameKind.Silo)]
    [InlineData(Node1, Node2, 11111, 40000, FrameKind.Silo)]
    [InlineData(Node1, Host, 40000, 6379, FrameKind.Host)]
    [InlineData(Host, Node1, 6379, 40000, FrameKind.Host)]
    [InlineData(Node1, Host, 8080, 40000, FrameKind.Host)]
    [InlineData(Node1, Host, 40000, 6443, FrameKind.Host)]
    [InlineData(Node1, Host, 40000, 22, FrameKind.Foreign)]
    [InlineData(Node1, "192.0.2.1", 40000, 443, FrameKind.Foreign)]
    [InlineData("192.0.2.1", Node1, 443, 40000, FrameKind.Foreign)]
    public void Classify_Tcp_IsPermittedByEndsAndPorts(string from, string to, int source, int destination, object expected) =>
        Assert.Equal(
            (FrameKind)expected, _classifier.Classify(Ethernet(IPv4(from, to, Tcp, Ports((ushort)source, (ushort)destination, [])))));

    [Theory]
    [InlineData(Pod1, Pod2)]
    [InlineData(Pod1, Node2)]
    [InlineData(Node1, "10.244.3.77")]
    public void Classify_PodAddressOutside_IsPodInClear(string from, string to) =>
        Assert.Equal(FrameKind.PodInClear, _classifier.Classify(Ethernet(IPv4(from, to, Udp, Ports(51871, 51871, HandshakeInitiation)))));

    [Fact]
    public void Classify_PodPacketInsideAnyEncapsulation_IsPodInClear()
    {
        var inner = IPv4(Pod1, Pod2, Icmp, [8, 0, 0, 0]);

        Assert.Equal(FrameKind.PodInClear, _classifier.Classify(Ethernet(IPv4(Node1, Node2, 4, inner))));
        Assert.Equal(FrameKind.PodInClear, _classifier.Classify(Ethernet(IPv4(Node1, Node2, Udp, Ports(4789, 4789, [1, 2, 3, .. inner])))));
        Assert.Equal(
            FrameKind.PodInClear, _classifier.Classify(Ethernet(IPv4(Node1, Node2, Udp, Ports(51871, 51871, [4, 0, 0, 0, .. inner])))));
        Assert.Equal(FrameKind.PodInClear, _classifier.Classify(Ethernet([0, 1, .. inner], 0x86DD)));
    }

    [Fact]
    public void Classify_PayloadOfAPing_IsPodInClearWhateverTheAddresses() =>
        Assert.Equal(FrameKind.PodInClear, _classifier.Classify(Ethernet(IPv4(Node1, Node2, Tcp, Ports(11111, 40000, [7, .. Marker])))));

    [Fact]
    public void Classify_PodCIDRsInSiloTraffic_AreNoPodPacket()
    {
        // An announcement carries prefixes, side by side at worst; a pod's packet carries two pods' addresses.
        byte[] prefixes = [10, 244, 1, 0, 10, 244, 2, 0];

        Assert.Equal(FrameKind.Silo, _classifier.Classify(Ethernet(IPv4(Node1, Node2, Tcp, Ports(40000, 11111, prefixes)))));
    }

    [Fact]
    public void Classify_Arp_IsPermittedBetweenNodesOnly()
    {
        Assert.Equal(FrameKind.Arp, _classifier.Classify(Ethernet(Arp(Node1, Node2), 0x0806)));
        Assert.Equal(FrameKind.PodInClear, _classifier.Classify(Ethernet(Arp(Node1, Pod2), 0x0806)));
    }

    [Fact]
    public void Classify_PortClosed_IsPermittedOnlyAboutPermittedPackets()
    {
        var wireGuard = IPv4(Node2, Node1, Udp, Ports(51871, 51871, HandshakeInitiation));
        var dns = IPv4(Node2, Node1, Udp, Ports(40000, 53, HandshakeInitiation));

        Assert.Equal(
            FrameKind.PortClosed, _classifier.Classify(Ethernet(IPv4(Node1, Node2, Icmp, [3, 3, 0, 0, 0, 0, 0, 0, .. wireGuard]))));
        Assert.Equal(FrameKind.Foreign, _classifier.Classify(Ethernet(IPv4(Node1, Node2, Icmp, [3, 3, 0, 0, 0, 0, 0, 0, .. dns]))));
        Assert.Equal(FrameKind.Foreign, _classifier.Classify(Ethernet(IPv4(Node1, Node2, Icmp, [8, 0, 0, 0, 0, 0, 0, 0, .. wireGuard]))));
    }

    [Fact]
    public void Classify_IPv6OrRunt_IsForeign()
    {
        Assert.Equal(FrameKind.Foreign, _classifier.Classify(Ethernet(new byte[40], 0x86DD)));
        Assert.Equal(FrameKind.Foreign, _classifier.Classify([1, 2, 3]));
        Assert.Equal(FrameKind.Foreign, _classifier.Classify(Ethernet([0x45])));
    }

    [Fact]
    public void Count_CaptureFile_TalliesEveryCompleteFrame()
    {
        var clean = Ethernet(IPv4(Node1, Node2, Udp, Ports(51871, 51871, HandshakeInitiation)));
        var leak = Ethernet(IPv4(Pod1, Pod2, Icmp, [8, 0, 0, 0]));
        byte[] file = [.. FileHeader(1), .. Packet(clean), .. Packet(leak), .. Packet(clean)[..^2]];

        var tally = CaptureTally.Count(PcapReader.Read(new MemoryStream(file)), _classifier);

        Assert.Equal(2, tally.Total);
        Assert.Equal(1, tally[FrameKind.WireGuard]);
        Assert.False(tally.IsClean);
        Assert.Equal(["10.244.1.10 > 10.244.2.10 protocol 1"], tally.Examples);
    }

    [Fact]
    public void Read_NotACapture_Throws()
    {
        Assert.Throws<InvalidDataException>(() => PcapReader.Read(new MemoryStream(new byte[24])));
        Assert.Throws<InvalidDataException>(() => PcapReader.Read(new MemoryStream([1, 2])));
        Assert.Throws<InvalidDataException>(() => PcapReader.Read(new MemoryStream(FileHeader(113))));
    }

    // A pod's packet, one between nodes, and a neighbour solicitation (RFC 4861 section 4.3).
    [Theory]
    [InlineData("fd00:10:245:1::10", "fd00:10:245:2::10", 58, "8000", FrameKind.PodInClear)]
    [InlineData("fd00:10:245:1::77", "fd00:192:168:101::2", 17, "ca9fca9f", FrameKind.PodInClear)]
    [InlineData("fd00:192:168:101::1", "fd00:192:168:101::2", 17, "ca9fca9f0010000001000000", FrameKind.WireGuard)]
    [InlineData("fd00:192:168:101::1", "fd00:192:168:101::2", 17, "9c40ca9f0010000000000000", FrameKind.PathProbe)]
    [InlineData("fd00:192:168:101::1", "fd00:192:168:101::2", 17, "00350035001000000a000000", FrameKind.Foreign)]
    [InlineData("fd00:192:168:101::1", "ff02::1:ff00:2", 58, "8700", FrameKind.Arp)]
    [InlineData("fd00:192:168:101::1", "fd00:192:168:101::2", 58, "8000", FrameKind.Foreign)]
    public void Classify_IPv6_TellsPodsFromNodes(string from, string to, byte protocol, string body, object expected)
    {
        var classifier = new FrameClassifier(MeshPlan.Test(2, isDualStack: true), Marker);
        byte[] packet =
        [
            0x60, 0, 0, 0, 0, 16, protocol, 64, .. IPAddress.Parse(from).GetAddressBytes(), .. IPAddress.Parse(to).GetAddressBytes(),
            .. Convert.FromHexString(body.PadRight(32, '0')),
        ];

        Assert.Equal((FrameKind)expected, classifier.Classify(Ethernet(packet, 0x86DD)));
    }

    private static byte[] Ethernet(byte[] payload, ushort etherType = 0x0800) =>
        [2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, (byte)(etherType >> 8), (byte)etherType, .. payload];

    private static byte[] IPv4(string from, string to, byte protocol, byte[] payload) =>
    [
        0x45, 0, 0, (byte)(20 + payload.Length), 0, 0, 0, 0, 64, protocol, 0, 0,
        .. IPAddress.Parse(from).GetAddressBytes(), .. IPAddress.Parse(to).GetAddressBytes(), .. payload,
    ];

    // Ports, length and checksum of UDP; TCP has its ports in the same place.
    private static byte[] Ports(ushort source, ushort destination, ReadOnlySpan<byte> payload) =>
        [(byte)(source >> 8), (byte)source, (byte)(destination >> 8), (byte)destination, 0, 0, 0, 0, .. payload];

    private static byte[] Arp(string sender, string target) =>
    [
        0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 0, 0, 1, .. IPAddress.Parse(sender).GetAddressBytes(),
        0, 0, 0, 0, 0, 0, .. IPAddress.Parse(target).GetAddressBytes(),
    ];

    private static byte[] FileHeader(uint linkType)
    {
        var header = new byte[24];
        BinaryPrimitives.WriteUInt32LittleEndian(header, 0xA1B2C3D4);
        BinaryPrimitives.WriteUInt32LittleEndian(header.AsSpan(20), linkType);
        return header;
    }

    private static byte[] Packet(byte[] frame)
    {
        var header = new byte[16];
        BinaryPrimitives.WriteInt32LittleEndian(header.AsSpan(8), frame.Length);
        BinaryPrimitives.WriteInt32LittleEndian(header.AsSpan(12), frame.Length);
        return [.. header, .. frame];
    }
}
