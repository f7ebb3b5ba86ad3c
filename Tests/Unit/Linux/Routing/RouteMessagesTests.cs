using System.Net;
using Orleans.WireGuard.Linux.Netlink;
using Orleans.WireGuard.Linux.Routing;
using Orleans.WireGuard.Tests.Support;
using static Orleans.WireGuard.Linux.Netlink.NetlinkConstants;

namespace Orleans.WireGuard.Tests.Unit.Linux.Routing;

public sealed class RouteMessagesTests
{
    private static readonly RouteTable Table = RouteTable.Default;
    private static readonly byte[] Buffer = new byte[512];
    private static readonly Route IPv4 = new(IPPrefix.Parse("10.244.2.0/24"), "owg0");
    private static readonly Route IPv6 = new(IPPrefix.Parse("fd00:244:2::/64"), "owg0");

    // ip(8) sends the same: ip route replace 10.244.2.0/24 dev owg0 table 201 proto 201.
    [Fact]
    public void WriteReplaceRoute_WritesLiteralBytes()
    {
        Assert.Equal(
            Hex.Text("2c000000 1800 0505 00000000 00000000 02 18 00 00 c9 c9 fd 01 00000000 0800 0100 0af40200 0800 0400 03000000"),
            Hex.Text(RouteMessages.WriteReplaceRoute(Buffer, Table, IPv4, 3)));
        Assert.Equal(
            Hex.Text("""
                38000000 1800 0505 00000000 00000000 0a 40 00 00 c9 c9 00 01 00000000
                1400 0100 fd000244000200000000000000000000 0800 0400 03000000
                """),
            Hex.Text(RouteMessages.WriteReplaceRoute(Buffer, Table, IPv6, 3)));
    }

    // ip(8) sends the same: ip route replace unreachable 10.244.0.0/16 table 201 proto 201 metric 4294967295.
    [Fact]
    public void WriteReplaceRoute_Unreachable_WritesLiteralBytes()
    {
        Assert.Equal(
            Hex.Text("2c000000 1800 0505 00000000 00000000 02 10 00 00 c9 c9 00 07 00000000 0800 0100 0af40000 0800 0600 ffffffff"),
            Hex.Text(RouteMessages.WriteReplaceRoute(Buffer, Table, Route.Unreachable(IPPrefix.Parse("10.244.0.0/16")), 0)));
        Assert.Equal(
            Hex.Text("""
                38000000 1800 0505 00000000 00000000 0a 20 00 00 c9 c9 00 07 00000000
                1400 0100 fd000244000000000000000000000000 0800 0600 ffffffff
                """),
            Hex.Text(RouteMessages.WriteReplaceRoute(Buffer, Table, Route.Unreachable(IPPrefix.Parse("fd00:244::/32")), 0)));
    }

    // ip(8) sends the same: ip route replace throw 10.244.1.0/24 table 201 proto 201.
    [Fact]
    public void WriteReplaceRoute_Throw_WritesLiteralBytes()
    {
        Assert.Equal(
            Hex.Text("24000000 1800 0505 00000000 00000000 02 18 00 00 c9 c9 00 09 00000000 0800 0100 0af40100"),
            Hex.Text(RouteMessages.WriteReplaceRoute(Buffer, Table, Route.Throw(IPPrefix.Parse("10.244.1.0/24")), 0)));
        Assert.Equal(
            Hex.Text("30000000 1800 0505 00000000 00000000 0a 40 00 00 c9 c9 00 09 00000000 1400 0100 fd000244000100000000000000000000"),
            Hex.Text(RouteMessages.WriteReplaceRoute(Buffer, Table, Route.Throw(IPPrefix.Parse("fd00:244:1::/64")), 0)));
    }

    // By hand from struct rtmsg; the kernel puts an IPv6 throw route on the loopback link.
    [Fact]
    public void TryReadRoute_Throw_HasNoLink() => Assert.Equal(
        [new(IPPrefix.Parse("10.244.2.0/24"), 0, IsThrow: true)],
        ReadAll(
            "34000000 1800 0200 00000000 00000000 02 18 00 00 c9 c9 00 09 00000000 0800 0f00 c9000000 0800 0100 0af40200 0800 0400 01000000",
            static (in NetlinkMessage m) => RouteMessages.TryReadRoute(m, Table.Number)));

    [Fact]
    public void WriteDeleteRoute_NamesTableProtocolTypeAndLink() => Assert.Equal(
        Hex.Text("2c000000 1900 0500 00000000 00000000 02 18 00 00 c9 c9 ff 01 00000000 0800 0100 0af40200 0800 0400 03000000"),
        Hex.Text(RouteMessages.WriteDeleteRoute(Buffer, Table, IPv4, 3)));

    [Fact]
    public void WriteGetRoutes_AsksForOurTable() => Assert.Equal(
        Hex.Text("24000000 1a00 0103 00000000 00000000 02 00 00 00 00 00 00 00 00000000 0800 0f00 c9000000"),
        Hex.Text(RouteMessages.WriteGetRoutes(Buffer, Table.Number, AF_INET)));

    [Fact]
    public void WriteGetPath_WritesLiteralBytes()
    {
        Assert.Equal(
            Hex.Text("24000000 1a00 0500 00000000 00000000 02 20 00 00 00 00 00 00 00000000 0800 0100 cb007101"),
            Hex.Text(RouteMessages.WriteGetPath(Buffer, IPAddress.Parse("203.0.113.1"))));
        Assert.Equal(
            Hex.Text("30000000 1a00 0500 00000000 00000000 0a 80 00 00 00 00 00 00 00000000 1400 0100 fd000244000100000000000000000009"),
            Hex.Text(RouteMessages.WriteGetPath(Buffer, IPAddress.Parse("fd00:244:1::9"))));
    }

    // ip(8) sends the same: ip rule add from 10.244.1.0/24 lookup 201 pref 201 protocol 201.
    [Fact]
    public void WriteAddRule_WritesLiteralBytes()
    {
        Assert.Equal(
            Hex.Text("""
                34000000 2000 0506 00000000 00000000 02 00 18 00 c9 00 00 01 00000000
                0800 0200 0af40100 0800 0600 c9000000 0500 1500 c9000000
                """),
            Hex.Text(RouteMessages.WriteAddRule(Buffer, Table, IPPrefix.Parse("10.244.1.0/24"))));
        Assert.Equal(
            Hex.Text("""
                40000000 2000 0506 00000000 00000000 0a 00 40 00 c9 00 00 01 00000000
                1400 0200 fd000244000100000000000000000000 0800 0600 c9000000 0500 1500 c9000000
                """),
            Hex.Text(RouteMessages.WriteAddRule(Buffer, Table, IPPrefix.Parse("fd00:244:1::/64"))));
    }

    [Fact]
    public void WriteDeleteRule_WritesLiteralBytes() => Assert.Equal(
        Hex.Text("""
            34000000 2100 0500 00000000 00000000 02 00 18 00 c9 00 00 01 00000000
            0800 0200 0af40100 0800 0600 c9000000 0500 1500 c9000000
            """),
        Hex.Text(RouteMessages.WriteDeleteRule(Buffer, Table, IPPrefix.Parse("10.244.1.0/24"))));

    [Theory]
    [InlineData("0.0.0.0/0")]
    [InlineData("::/0")]
    public void WriteRule_ForEverySource_Throws(string source)
    {
        Assert.Throws<ArgumentException>(() => RouteMessages.WriteAddRule(Buffer, Table, IPPrefix.Parse(source)));
        Assert.Throws<ArgumentException>(() => RouteMessages.WriteDeleteRule(Buffer, Table, IPPrefix.Parse(source)));
    }

    [Fact]
    public void WriteGetRules_WritesLiteralBytes() => Assert.Equal(
        Hex.Text("1c000000 2200 0103 00000000 00000000 0a 00 00 00 00 00 00 00 00000000"),
        Hex.Text(RouteMessages.WriteGetRules(Buffer, AF_INET6)));

    [Fact]
    public void TryReadRoute_Recorded_YieldsOurRoutes()
    {
        Assert.Equal(
            [new(IPPrefix.Parse("10.244.0.0/16"), 0), new(IPPrefix.Parse("10.244.2.0/24"), 3)],
            ReadAll(Recorded.IPv4Routes, static (in NetlinkMessage m) => RouteMessages.TryReadRoute(m, Table.Number)));
        Assert.Equal(
            [new(IPPrefix.Parse("fd00:244:2::/64"), 3), new(IPPrefix.Parse("fd00:244::/32"), 0)],
            ReadAll(Recorded.IPv6Routes, static (in NetlinkMessage m) => RouteMessages.TryReadRoute(m, Table.Number)));
    }

    // The same route in another table, of another protocol, of another type.
    [Theory]
    [InlineData("02 18 00 00 fe c9 fd 01 00000000 0800 0f00 fe000000")]
    [InlineData("02 18 00 00 c9 04 fd 01 00000000 0800 0f00 c9000000")]
    [InlineData("02 18 00 00 c9 c9 fd 06 00000000 0800 0f00 c9000000")]
    [InlineData("80 18 00 00 c9 c9 fd 01 00000000 0800 0f00 c9000000")]
    [InlineData("02 18 00 00 c9 c9 fd 01 00000000 0800 0500 c0a80001")]
    public void TryReadRoute_OfSomebodyElse_IsNull(string payload) => Assert.Empty(ReadAll(
        $"34000000 1800 0200 00000000 00000000 {payload} 0800 0100 0af40200 0800 0400 03000000",
        static (in NetlinkMessage m) => RouteMessages.TryReadRoute(m, Table.Number)));

    [Fact]
    public void ReadRule_Recorded_YieldsAllRules()
    {
        var ours = new RuleEntry(IsIPv6: false, 201, 201, FR_ACT_TO_TBL) { Protocol = RouteTable.Protocol };
        Assert.Equal([0u, 201u, 32766u, 32767u], ReadRules(Recorded.IPv4Rules).Select(rule => rule.Priority));
        Assert.Equal(ours with { Source = IPPrefix.Parse("10.244.1.0/24") }, ReadRules(Recorded.IPv4Rules)[1]);
        Assert.Equal(ours with { IsIPv6 = true, Source = IPPrefix.Parse("fd00:244:1::/64") }, ReadRules(Recorded.IPv6Rules)[1]);
        Assert.Equal(
            ["0: from all lookup local", "201: from 10.244.1.0/24 lookup 201", "32766: from all lookup main", "32767: from all lookup default"],
            ReadRules(Recorded.IPv4Rules).Select(rule => rule.ToString()));
    }

    [Theory]
    [InlineData("02 00 18 00 c9 00 00 01 00000000", "c9", true)]
    [InlineData("02 00 18 00 c9 00 00 01 00000000", "04", false)]
    [InlineData("02 00 18 00 c9 00 00 01 02000000", "c9", false)]
    [InlineData("02 00 18 04 c9 00 00 01 00000000", "c9", false)]
    [InlineData("02 00 18 00 c9 00 00 06 00000000", "c9", false)]
    public void ReadRule_IsOurs_ByProtocolAndSourceAlone(string header, string protocol, bool expected) => Assert.Equal(
        expected,
        Assert.Single(ReadRules(
            $"34000000 2000 0200 00000000 00000000 {header} 0500 1500 {protocol} 000000 0800 0600 c9000000 0800 0200 0af40100")).IsOurs);

    // ip rule add pref 105 lookup main suppress_prefixlength 0; ip rule add pref 106 iif pod0 to 10.9.0.0/16 lookup 300; the first with
    // fwmark 7.
    [Theory]
    [InlineData("02 00 00 00 fe 00 00 01 00000000 0800 0f00 fe000000 0800 0e00 00000000 0800 0600 69000000", "105: from all lookup main suppress_prefixlength 0")]
    [InlineData(
        "02 10 00 00 fc 00 00 01 00000000 0900 0300 706f643000 000000 0800 0100 0a090000 0800 0f00 2c010000 0800 0e00 ffffffff 0800 0600 6a000000",
        "106: from all to 10.9.0.0/16 iif pod0 lookup 300")]
    [InlineData(
        "02 00 00 00 fe 00 00 01 00000000 0800 0f00 fe000000 0800 0a00 07000000 0800 0600 69000000", "105: from all ... lookup main")]
    [InlineData("02 00 18 00 fe 00 00 01 02000000 0800 0200 0a090000 0800 0f00 fe000000 0800 0600 69000000", "105: from 10.9.0.0/24 ... lookup main")]
    [InlineData("02 00 00 00 00 00 00 07 00000000 0800 0600 69000000", "105: from all")]
    public void ReadRule_OfOthers_IsWhatIpSays(string payload, string expected)
    {
        var length = Hex.Text(BitConverter.GetBytes(NetlinkWriter.HeaderSize + Hex.Bytes(payload).Length));
        Assert.Equal(expected, Assert.Single(ReadRules($"{length} 2000 0200 00000000 00000000 {payload}")).ToString());
    }

    // Tables beyond 255 do not fit the header: ip route replace 10.244.2.0/24 dev owg0 table 1000 proto 201; ip rule add from … lookup 1000
    // pref 90 protocol 201.
    [Fact]
    public void Write_TableBeyondAByte_GoesIntoAnAttribute()
    {
        var table = new RouteTable(1000, 90);
        Assert.Equal(
            Hex.Text("34000000 1800 0505 00000000 00000000 02 18 00 00 00 c9 fd 01 00000000 0800 0f00 e8030000 0800 0100 0af40200 0800 0400 03000000"),
            Hex.Text(RouteMessages.WriteReplaceRoute(Buffer, table, IPv4, 3)));
        Assert.Equal(
            Hex.Text("""
                3c000000 2000 0506 00000000 00000000 02 00 18 00 00 00 00 01 00000000
                0800 0200 0af40100 0800 0f00 e8030000 0800 0600 5a000000 0500 1500 c9000000
                """),
            Hex.Text(RouteMessages.WriteAddRule(Buffer, table, IPPrefix.Parse("10.244.1.0/24"))));
    }

    // ip(8) sends the same for "ip route get 10.244.2.2 from 10.244.1.5 iif", but for RTM_F_FIB_MATCH, which it leaves out, and the
    // attributes' order.
    [Fact]
    public void WriteGetWay_WritesLiteralBytes()
    {
        Assert.Equal(
            Hex.Text("34000000 1a00 0500 00000000 00000000 02 20 20 00 00 00 00 00 00100000 0800 0100 0af40202 0800 0200 0af40105 0800 0300 07000000"),
            Hex.Text(RouteMessages.WriteGetWay(Buffer, IPAddress.Parse("10.244.1.5"), 7, IPAddress.Parse("10.244.2.2"))));
        Assert.Equal(
            Hex.Text("""
                4c000000 1a00 0500 00000000 00000000 0a 80 80 00 00 00 00 00 00000000 1400 0100 fd000244000200000000000000000002
                1400 0200 fd000244000100000000000000000005 0800 0300 07000000
                """),
            Hex.Text(RouteMessages.WriteGetWay(Buffer, IPAddress.Parse("fd00:244:1::5"), 7, IPAddress.Parse("fd00:244:2::2"))));
    }

    // By hand from struct rtmsg: a route of the main table through link 3, and an unreachable one.
    [Theory]
    [InlineData("01", 3)]
    [InlineData("07", 0)]
    [InlineData("08", 0)]
    public void ReadWay_YieldsLinkAndTable(string type, int index)
    {
        new NetlinkReader(
            Hex.Bytes($"2c000000 1800 0000 00000000 00000000 02 20 20 00 fe 00 00 {type} 00000000 0800 0f00 fe000000 0800 0400 03000000"))
            .TryReadMessage(out var message);
        Assert.Equal((index, 254u), RouteMessages.ReadWay(message));
    }

    [Fact]
    public void ReadPath_Recorded_YieldsTheLink()
    {
        new NetlinkReader(Hex.Bytes(Recorded.IPv6Path)).TryReadMessage(out var message);
        Assert.Equal((3, null, false), RouteMessages.ReadPath(message));
    }

    // By hand from struct rtmsg: RTA_METRICS with RTAX_MTU 1400 and RTA_CACHEINFO with what expires when; RTN_UNREACHABLE.
    [Theory]
    [InlineData("01", "00000000", 3, 1400, false)]
    [InlineData("01", "58020000", 3, 1400, true)]
    [InlineData("07", "58020000", 0, null, false)]
    public void ReadPath_WithMetrics_YieldsTheRoutesMtu(string type, string expires, int index, int? mtu, bool isLearned)
    {
        new NetlinkReader(Hex.Bytes($"""
            54000000 1800 0000 00000000 00000000 02 20 00 00 fe 00 00 {type} 00000000
            0800 0400 03000000 0c00 0880 0800 0200 78050000
            2400 0c00 00000000 00000000 {expires} 00000000 00000000 00000000 00000000 00000000
            """)).TryReadMessage(out var message);
        Assert.Equal((index, mtu, isLearned), RouteMessages.ReadPath(message));
    }

    private static List<RuleEntry> ReadRules(string datagram)
    {
        List<RuleEntry> all = [];
        var reader = new NetlinkReader(Hex.Bytes(datagram));
        while (reader.TryReadMessage(out var message))
        {
            all.Add(DumpMessages.ReadRule(message));
        }

        return all;
    }

    private delegate T? Read<T>(in NetlinkMessage message)
        where T : struct;

    private static List<T> ReadAll<T>(string datagram, Read<T> read)
        where T : struct
    {
        List<T> all = [];
        var reader = new NetlinkReader(Hex.Bytes(datagram));
        while (reader.TryReadMessage(out var message))
        {
            if (read(message) is { } item)
            {
                all.Add(item);
            }
        }

        return all;
    }
}
