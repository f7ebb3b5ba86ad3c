using System.Net;
using Orleans.WireGuard.Linux.Netlink;
using Orleans.WireGuard.Linux.Routing;
using Orleans.WireGuard.Tests.Support;
using static Orleans.WireGuard.Linux.Netlink.NetlinkConstants;

namespace Orleans.WireGuard.Tests.Unit.Linux.Routing;

public sealed class LinkMessagesTests
{
    private const string Name = "0900 0300 6f77673000 000000";
    private static readonly byte[] Buffer = new byte[512];

    [Fact]
    public void WriteGetLink_WritesLiteralBytes()
    {
        Assert.Equal(
            Hex.Text($"34000000 1200 0500 00000000 00000000 00000000 00000000 00000000 00000000 {Name} 0800 1d00 08000000"),
            Hex.Text(LinkMessages.WriteGetLink(Buffer, "owg0")));
        Assert.Equal(
            Hex.Text("28000000 1200 0500 00000000 00000000 00000000 03000000 00000000 00000000 0800 1d00 08000000"),
            Hex.Text(LinkMessages.WriteGetLink(Buffer, 3)));
    }

    [Fact]
    public void WriteCreateLink_WritesLiteralBytes() => Assert.Equal(
        Hex.Text($"""
            40000000 1000 0506 00000000 00000000 00000000 00000000 00000000 00000000 {Name}
            1400 1280 0e00 0100 776972656775617264000000
            """),
        Hex.Text(LinkMessages.WriteCreateLink(Buffer, "owg0", "wireguard")));

    [Fact]
    public void WriteSetMtu_WritesLiteralBytes() => Assert.Equal(
        Hex.Text($"34000000 1300 0500 00000000 00000000 00000000 00000000 00000000 00000000 {Name} 0800 0400 7d050000"),
        Hex.Text(LinkMessages.WriteSetMtu(Buffer, "owg0", 1405)));

    [Fact]
    public void WriteSetUp_ChangesTheUpBitAlone() => Assert.Equal(
        Hex.Text($"2c000000 1300 0500 00000000 00000000 00000000 00000000 01000000 01000000 {Name}"),
        Hex.Text(LinkMessages.WriteSetUp(Buffer, "owg0")));

    // AF_SPEC, in it AF_INET, in it CONF, in it rp_filter 2.
    [Fact]
    public void WriteLooseSourceCheck_WritesLiteralBytes() => Assert.Equal(
        Hex.Text($"""
            40000000 1300 0500 00000000 00000000 00000000 00000000 00000000 00000000 {Name}
            1400 1a80 1000 0280 0c00 0180 0800 0800 02000000
            """),
        Hex.Text(LinkMessages.WriteLooseSourceCheck(Buffer, "owg0")));

    [Fact]
    public void WriteDeleteLink_WritesLiteralBytes() => Assert.Equal(
        Hex.Text("20000000 1100 0500 00000000 00000000 00000000 03000000 00000000 00000000"),
        Hex.Text(LinkMessages.WriteDeleteLink(Buffer, 3)));

    [Fact]
    public void WriteAddress_WritesLiteralBytes()
    {
        Assert.Equal(
            Hex.Text("28000000 1400 0505 00000000 00000000 02 18 00 00 03000000 0800 0200 0af40101 0800 0100 0af40101"),
            Hex.Text(LinkMessages.WriteAddress(Buffer, RTM_NEWADDR, 3, new(IPAddress.Parse("10.244.1.1"), 24))));
        Assert.Equal(
            Hex.Text("""
                40000000 1400 0505 00000000 00000000 0a 40 02 00 03000000
                1400 0200 fd000244000100000000000000000001 1400 0100 fd000244000100000000000000000001
                """),
            Hex.Text(LinkMessages.WriteAddress(Buffer, RTM_NEWADDR, 3, new(IPAddress.Parse("fd00:244:1::1"), 64))));
        Assert.Equal(
            Hex.Text("28000000 1500 0500 00000000 00000000 02 18 00 00 03000000 0800 0200 0af40101 0800 0100 0af40101"),
            Hex.Text(LinkMessages.WriteAddress(Buffer, RTM_DELADDR, 3, new(IPAddress.Parse("10.244.1.1"), 24))));
    }

    [Fact]
    public void WriteGetAddresses_WritesLiteralBytes() => Assert.Equal(
        Hex.Text("18000000 1600 0103 00000000 00000000 02 00 00 00 00000000"),
        Hex.Text(LinkMessages.WriteGetAddresses(Buffer, AF_INET)));

    [Fact]
    public void ReadLink_Recorded_YieldsTheLink()
    {
        new NetlinkReader(Hex.Bytes(Recorded.Link)).TryReadMessage(out var message);
        Assert.Equal(new Link("owg0", 3, 1500, IsUp: false, "veth"), LinkMessages.ReadLink(message));
    }

    [Fact]
    public void ReadLink_OfAnotherType_Throws() => Assert.Throws<NetlinkFormatException>(() =>
    {
        new NetlinkReader(Hex.Bytes(Recorded.IPv4Routes)).TryReadMessage(out var message);
        LinkMessages.ReadLink(message);
    });

    [Theory]
    [InlineData(
        "44000000 1000 0000 00000000 00000000 00000000 03000000 00000000 00000000 2400 1700 2a01000000000000 0700000000000000 0900000000000000 0102000000000000",
        298, 7, 513)]
    [InlineData(
        "34000000 1000 0000 00000000 00000000 00000000 03000000 00000000 00000000 1400 1700 2a01000000000000 0700000000000000", 0, 0, 0)]
    [InlineData("20000000 1000 0000 00000000 00000000 00000000 03000000 00000000 00000000", 0, 0, 0)]
    public void ReadTraffic_Link_YieldsItsCounters(string link, long received, long sent, long sentBytes)
    {
        new NetlinkReader(Hex.Bytes(link)).TryReadMessage(out var message);
        Assert.Equal(new LinkTraffic(received, sent, sentBytes), LinkMessages.ReadTraffic(message));
    }

    [Theory]
    [InlineData(Recorded.IPv4Addresses, 3, "10.244.1.1/24")]
    [InlineData(Recorded.IPv6Addresses, 3, "fd00:244:1::1/64")]
    [InlineData(Recorded.IPv4Addresses, 4, null)]
    public void TryReadAddress_Recorded_YieldsThoseOfTheLink(string recorded, int index, string? expected)
    {
        new NetlinkReader(Hex.Bytes(recorded)).TryReadMessage(out var message);
        Assert.Equal(expected, LinkMessages.TryReadAddress(message, index)?.ToString());
    }
}
