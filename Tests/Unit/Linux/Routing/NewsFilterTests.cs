using System.Net;
using Microsoft.Extensions.Logging.Abstractions;
using Orleans.WireGuard.Linux.Netlink;
using Orleans.WireGuard.Linux.Routing;
using Orleans.WireGuard.Tests.Support;
using static Orleans.WireGuard.Linux.Netlink.NetlinkConstants;

namespace Orleans.WireGuard.Tests.Unit.Linux.Routing;

/// <summary>Which news of the kernel concern a node whose devices are links 7 and 8, and which reaches its peers through link 2.</summary>
public sealed class NewsFilterTests
{
    private const int Underlay = 2;
    private const int Device = 7;
    private const int Pod = 40;

    private static readonly NewsFilter Filter = new(
        ["cilium_wg0", "cilium_wg1"],
        [Device, 8],
        [Underlay],
        [IPAddress.Parse("192.168.0.2"), IPAddress.Parse("::ffff:192.168.0.9"), IPAddress.Parse("fd00::2"), IPAddress.Parse("fd00::9")]);

    private static readonly NewsFilter FilterOfPods = new(
        [],
        [],
        [],
        [],
        table: null,
        [IPPrefix.Parse("10.244.1.0/24"), IPPrefix.Parse("fd00:244:1::/64")],
        [IPPrefix.Parse("10.244.2.0/24"), IPPrefix.Parse("10.244.4.0/24"), IPPrefix.Parse("fd00:244:2::/64")]);

    // A link that leaves for another namespace, or comes from one, is told of as one that is deleted, or made.
    [Theory]
    [InlineData(RTM_NEWLINK, Pod, "lxc1234", KernelNews.None)]
    [InlineData(RTM_DELLINK, Pod, "lxc1234", KernelNews.None)]
    [InlineData(RTM_NEWLINK, Pod, "cilium_wg", KernelNews.None)]
    [InlineData(RTM_NEWLINK, Pod, "cilium_wg01", KernelNews.None)]
    [InlineData(RTM_NEWLINK, Device, "cilium_wg0", KernelNews.Devices)]
    [InlineData(RTM_DELLINK, Device, "cilium_wg0", KernelNews.Devices)]
    [InlineData(RTM_NEWLINK, Device, "renamed", KernelNews.Devices)]
    [InlineData(RTM_NEWLINK, Pod, "cilium_wg1", KernelNews.Devices)]
    [InlineData(RTM_DELLINK, Pod, "cilium_wg1", KernelNews.Devices)]
    [InlineData(RTM_NEWLINK, Underlay, "eth0", KernelNews.Underlay)]
    [InlineData(RTM_DELLINK, Underlay, "eth0", KernelNews.Underlay)]
    [InlineData(RTM_NEWLINK, Underlay, "renamed", KernelNews.Underlay)]
    [InlineData(RTM_NEWLINK, Underlay, "cilium_wg0", KernelNews.Underlay | KernelNews.Devices)]
    public void Judge_Link_ByNumberAndName(int type, int index, string name, object expected) =>
        Assert.Equal((KernelNews)expected, Filter.Judge(Link(type, index, name)));

    // Pods may talk through it, whoever made it and whatever it is called.
    [Theory]
    [InlineData(RTM_NEWLINK, Pod, "vxlan", KernelNews.Encapsulation)]
    [InlineData(RTM_DELLINK, Pod, "vxlan", KernelNews.Encapsulation)]
    [InlineData(RTM_NEWLINK, Pod, "geneve", KernelNews.Encapsulation)]
    [InlineData(RTM_NEWLINK, Pod, "openvswitch", KernelNews.Encapsulation)]
    [InlineData(RTM_NEWLINK, Pod, "vxlan6", KernelNews.None)]
    [InlineData(RTM_NEWLINK, Pod, "bridge", KernelNews.None)]
    [InlineData(RTM_NEWLINK, Underlay, "vxlan", KernelNews.Underlay | KernelNews.Encapsulation)]
    public void Judge_Link_ByKind(int type, int index, string kind, object expected) =>
        Assert.Equal((KernelNews)expected, Filter.Judge(Link(type, index, "any0", kind)));

    // As kernel 6.18 said it, of the links without the attributes behind the MTU.
    [Theory]
    [InlineData("54000000 1000 0000 00000000 00000000 0000 0100 03000000 03100000 01000000", true, KernelNews.None)]
    [InlineData("54000000 1100 0000 00000000 00000000 0000 0100 03000000 02100000 ffffffff", true, KernelNews.None)]
    [InlineData("54000000 1100 0000 00000000 00000000 0000 0100 07000000 02100000 ffffffff", true, KernelNews.Devices)]
    [InlineData("54000000 1100 0000 00000000 00000000 0000 0100 02000000 02100000 ffffffff", true, KernelNews.Underlay)]
    [InlineData(
        "3400000018000006b76a046b630d000002200000fe03fd011000000008000f00fe000000080001000af401070800040003000000", false, KernelNews.None)]
    [InlineData("2c00000018000006b76a046b650d000002000000fe03fd011000000008000f00fe0000000800040003000000", false, KernelNews.Underlay)]
    [InlineData("3400000018000006b86a046b6b0d000002180000c9c900070000000008000f00c9000000080001000af4020008000600ffffffff", false, KernelNews.Routes)]
    [InlineData(
        "4400000020000000b86a046b690d000002001800c90000010000000008000f00c900000008000e00ffffffff05001500c900000008000600c9000000080002000af40100",
        false,
        KernelNews.Routes)]
    [InlineData(
        "4c000000140000000000000000000000020880fe01000000080001007f000001080002007f000001070003006c6f0000080008008000000014000600ffffffffffffffff2e0d39002e0d3900",
        false,
        KernelNews.None)]
    public void Judge_Golden_IsWhatItTells(string message, bool isLink, object expected)
    {
        const string Attributes =
            "0b00 0300 6c786331323300 00 0800 0d00 e8030000 0500 1000 02 000000 0500 1100 00 000000 0500 4300 00 000000 0800 0400 dc050000";
        Assert.Equal((KernelNews)expected, Filter.Judge(Hex.Bytes(isLink ? message + Attributes : message)));
    }

    [Theory]
    [InlineData(RTM_NEWROUTE, 201, "10.244.2.0/24", KernelNews.Routes)]
    [InlineData(RTM_DELROUTE, 201, "fd00:244::/64", KernelNews.Routes)]
    [InlineData(RTM_DELROUTE, 201, "0.0.0.0/0", KernelNews.Routes)]
    [InlineData(RTM_NEWROUTE, 254, "10.244.1.7/32", KernelNews.None)]
    [InlineData(RTM_DELROUTE, 254, "10.244.1.0/24", KernelNews.None)]
    [InlineData(RTM_NEWROUTE, 255, "fe80::1/128", KernelNews.None)]
    [InlineData(RTM_NEWROUTE, 254, "fe80::/64", KernelNews.None)]
    [InlineData(RTM_NEWROUTE, 255, "ff00::/8", KernelNews.None)]
    [InlineData(RTM_NEWROUTE, 254, "192.168.0.0/24", KernelNews.Underlay)]
    [InlineData(RTM_DELROUTE, 254, "192.168.0.2/32", KernelNews.Underlay)]
    [InlineData(RTM_DELROUTE, 254, "192.168.0.3/32", KernelNews.None)]
    [InlineData(RTM_NEWROUTE, 254, "192.168.0.8/31", KernelNews.Underlay)]
    [InlineData(RTM_NEWROUTE, 254, "192.168.0.10/31", KernelNews.None)]
    [InlineData(RTM_NEWROUTE, 254, "192.168.0.4/30", KernelNews.None)]
    [InlineData(RTM_DELROUTE, 254, "0.0.0.0/0", KernelNews.Underlay)]
    [InlineData(RTM_NEWROUTE, 100, "::/0", KernelNews.Underlay)]
    [InlineData(RTM_NEWROUTE, 254, "fd00::/64", KernelNews.Underlay)]
    [InlineData(RTM_NEWROUTE, 254, "fd00::9/128", KernelNews.Underlay)]
    [InlineData(RTM_NEWROUTE, 254, "fd00::3/128", KernelNews.None)]
    [InlineData(RTM_NEWROUTE, 254, "fd00::a/128", KernelNews.None)]
    [InlineData(RTM_NEWROUTE, 254, "fd00::4/126", KernelNews.None)]
    [InlineData(RTM_NEWROUTE, 254, "fd01::/64", KernelNews.None)]
    public void Judge_Route_ByTableAndPeers(int type, byte table, string destination, object expected) =>
        Assert.Equal((KernelNews)expected, Filter.Judge(Route(type, table, destination)));

    [Fact]
    public void Judge_RouteAndNoPeers_IsNone() =>
        Assert.Equal(KernelNews.None, new NewsFilter([], [], [], []).Judge(Route(RTM_NEWROUTE, 254, "0.0.0.0/0")));

    // The routes that had the address as their source go without a word; those that come with one are told of.
    [Theory]
    [InlineData(RTM_DELADDR, Underlay, KernelNews.Underlay)]
    [InlineData(RTM_NEWADDR, Underlay, KernelNews.None)]
    [InlineData(RTM_DELADDR, Device, KernelNews.Devices)]
    [InlineData(RTM_NEWADDR, Device, KernelNews.None)]
    [InlineData(RTM_DELADDR, Pod, KernelNews.None)]
    [InlineData(RTM_NEWADDR, Pod, KernelNews.None)]
    public void Judge_Address_ByLink(int type, int index, object expected)
    {
        var address = new LinkAddress(IPAddress.Parse("10.0.0.1"), 24);
        Assert.Equal((KernelNews)expected, Filter.Judge(LinkMessages.WriteAddress(new byte[128], (ushort)type, index, address)));
    }

    // Kernel 6.18 said the first when rp_filter of link 7 was set to 1: struct netconfmsg, NETCONFA_IFINDEX, NETCONFA_RP_FILTER.
    [Theory]
    [InlineData("24000000 5000 0000 00000000 00000000 02 000000 0800 0100 07000000 0800 0300 01000000", KernelNews.Devices)]
    [InlineData("24000000 5000 0000 00000000 00000000 02 000000 0800 0100 28000000 0800 0300 01000000", KernelNews.None)]
    [InlineData("24000000 5000 0000 00000000 00000000 02 000000 0800 0100 ffffffff 0800 0300 01000000", KernelNews.None)]
    public void Judge_Setting_ByLink(string message, object expected) =>
        Assert.Equal((KernelNews)expected, Filter.Judge(Hex.Bytes(message)));

    [Theory]
    [InlineData(RTM_NEWRULE, 201, KernelNews.Routes)]
    [InlineData(RTM_DELRULE, 201, KernelNews.Routes)]
    [InlineData(RTM_DELRULE, 202, KernelNews.Routes)]
    [InlineData(RTM_DELRULE, 203, KernelNews.None)]
    public void Judge_Rule_ByTable(int type, byte table, object expected)
    {
        byte[] message = [28, 0, 0, 0, (byte)type, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 24, 0, table, 0, 0, 1, 0, 0, 0, 0];
        Assert.Equal((KernelNews)expected, Filter.Judge(message));
    }

    // This node's pods are 10.244.1.0/24, the others' 10.244.2.0/24, 10.244.4.0/24 and fd00:244:2::/64.
    [Theory]
    [InlineData(RTM_NEWROUTE, 254, "10.244.2.0/24", KernelNews.Ways)]
    [InlineData(RTM_DELROUTE, 254, "10.244.2.7/32", KernelNews.Ways)]
    [InlineData(RTM_NEWROUTE, 100, "10.244.0.0/16", KernelNews.Ways)]
    [InlineData(RTM_NEWROUTE, 100, "10.244.4.255/32", KernelNews.Ways)]
    [InlineData(RTM_NEWROUTE, 254, "10.244.1.7/32", KernelNews.None)]
    [InlineData(RTM_NEWROUTE, 254, "10.244.3.0/24", KernelNews.None)]
    [InlineData(RTM_NEWROUTE, 254, "10.244.5.0/24", KernelNews.None)]
    [InlineData(RTM_NEWROUTE, 254, "fd00:244:2::/64", KernelNews.Ways)]
    [InlineData(RTM_NEWROUTE, 254, "fd00:244:3::/64", KernelNews.None)]
    [InlineData(RTM_NEWROUTE, 254, "0.0.0.0/0", KernelNews.Ways)]
    [InlineData(RTM_NEWROUTE, 201, "10.244.2.0/24", KernelNews.Routes)]
    public void Judge_RouteOfOthers_ByRemotePods(int type, byte table, string destination, object expected) =>
        Assert.Equal((KernelNews)expected, FilterOfPods.Judge(Route(type, table, destination)));

    [Theory]
    [InlineData(null, null, false, KernelNews.Ways)]
    [InlineData("10.244.1.7/32", null, false, KernelNews.Ways)]
    [InlineData("10.244.0.0/16", "10.244.2.0/24", false, KernelNews.Ways)]
    [InlineData("10.244.9.0/24", null, false, KernelNews.None)]
    [InlineData(null, "10.244.1.7/32", false, KernelNews.None)]
    [InlineData(null, "10.244.2.7/32", false, KernelNews.Ways)]
    [InlineData("10.244.9.0/24", null, true, KernelNews.Ways)]
    [InlineData("fd00:244:1::/64", "fd00:244:2::9/128", false, KernelNews.Ways)]
    [InlineData("fd00:244:9::/64", null, false, KernelNews.None)]
    public void Judge_RuleOfOthers_ByPods(string? source, string? destination, bool isInverted, object expected)
    {
        Assert.Equal((KernelNews)expected, FilterOfPods.Judge(Rule(source, destination, isInverted)));
        Assert.Equal(isInverted ? KernelNews.Ways : KernelNews.None, Filter.Judge(Rule(source, destination, isInverted)));
    }

    // A table that the eight bits of the header do not hold.
    [Theory]
    [InlineData(1000u, KernelNews.Routes)]
    [InlineData(1001u, KernelNews.Routes)]
    [InlineData(1002u, KernelNews.None)]
    public void Judge_TableBeyondAByte_IsTheAttributes(uint table, object expected)
    {
        var filter = new NewsFilter([], [], [], [], new RouteTable(1000, 201));
        byte[] message = [
            36, 0, 0, 0, (byte)RTM_NEWROUTE, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, RT_TABLE_COMPAT, 3, 0, 1, 0, 0, 0, 0, 8, 0, 15, 0,
            .. BitConverter.GetBytes(table)];
        Assert.Equal((KernelNews)expected, filter.Judge(message));
        Assert.Equal(KernelNews.None, filter.Judge(Route(RTM_NEWROUTE, 201, "10.244.2.0/24")));
    }

    // struct nfgenmsg, then the name of the table, as all of them begin.
    [Theory]
    [InlineData(NFT_MSG_NEWSETELEM, "orleans_wireguard", KernelNews.Firewall)]
    [InlineData(NFT_MSG_DELTABLE, "orleans_wireguard", KernelNews.Firewall)]
    [InlineData(NFT_MSG_DELTABLE, "kube-proxy", KernelNews.None)]
    [InlineData(NFT_MSG_NEWGEN, "orleans_wireguard", KernelNews.None)]
    public void Judge_FirewallMessage_ByTable(byte type, string table, object expected)
    {
        var writer = new NetlinkWriter(new byte[64], (ushort)((NFNL_SUBSYS_NFTABLES << 8) | type), flags: 0);
        writer.WriteUInt32(NFPROTO_INET);
        writer.WriteString(NFTA_TABLE_NAME, table);
        Assert.Equal((KernelNews)expected, Filter.Judge(writer.Complete()));
    }

    [Fact]
    public void Judge_SeveralMessages_IsAllThatTheyTell() => Assert.Equal(
        KernelNews.Devices | KernelNews.Routes,
        Filter.Judge(
            [.. Link(RTM_NEWLINK, Pod, "lxc1"), .. Link(RTM_DELLINK, Device, "cilium_wg0"), .. Route(RTM_NEWROUTE, 201, "10.0.0.0/8")]));

    [Theory]
    [InlineData("010203")]
    [InlineData("14000000 1000 0000 00000000 00000000 00000000")]
    [InlineData("18000000 1800 0000 00000000 00000000 02000000 00000000")]
    public void Judge_CutOff_IsLost(string message) => Assert.Equal(KernelNews.Lost, Filter.Judge(Hex.Bytes(message)));

    [Fact]
    public void Judge_News_AllocatesNothing()
    {
        byte[][] messages = [Rule("10.244.1.7/32", null), Link(
            RTM_NEWLINK, Pod, "lxc1234"), Route(RTM_NEWROUTE, 254, "10.244.1.7/32"), Link(RTM_DELLINK, Device, "cilium_wg0")];
        Judge();
        var before = GC.GetAllocatedBytesForCurrentThread();
        Judge();
        Assert.Equal(before, GC.GetAllocatedBytesForCurrentThread());

        void Judge()
        {
            foreach (var message in messages)
            {
                _ = Filter.Judge(message);
                _ = FilterOfPods.Judge(message);
            }
        }
    }

    [Fact]
    public async Task Stop_NothingHappened_EndsSoon()
    {
        using var monitor = new NetlinkLinkMonitor(() => Filter, _ => { }, NullLogger<NetlinkLinkMonitor>.Instance);
        monitor.Start();
        await monitor.StopAsync(TestContext.Current.CancellationToken)
            .WaitAsync(TimeSpan.FromSeconds(5), TimeProvider.System, TestContext.Current.CancellationToken);
    }

    private static byte[] Link(int type, int index, string name, string kind = "veth")
    {
        var writer = new NetlinkWriter(new byte[128], (ushort)type, flags: 0);
        writer.WriteUInt32(0);
        writer.WriteUInt32((uint)index);
        writer.WriteUInt32(IFF_UP);
        writer.WriteUInt32(uint.MaxValue);
        writer.WriteString(IFLA_IFNAME, name);
        writer.WriteUInt32(IFLA_MTU, 1500);
        var info = writer.BeginNested(IFLA_LINKINFO);
        writer.WriteString(IFLA_INFO_KIND, kind);
        writer.EndNested(info);
        return writer.Complete().ToArray();
    }

    private static byte[] Rule(string? source, string? destination, bool isInverted = false)
    {
        (IPPrefix? from, IPPrefix? to) =
            (source is null ? null : IPPrefix.Parse(source), destination is null ? null : IPPrefix.Parse(destination));
        var writer = new NetlinkWriter(new byte[128], RTM_NEWRULE, flags: 0);
        writer.WriteByte((byte)((from ?? to)?.IsIPv6 == true ? AF_INET6 : AF_INET));
        writer.WriteByte((byte)(to?.Length ?? 0));
        writer.WriteByte((byte)(from?.Length ?? 0));
        writer.WriteByte(0);
        writer.WriteByte((byte)RT_TABLE_MAIN);
        writer.WriteUInt16(0);
        writer.WriteByte(FR_ACT_TO_TBL);
        writer.WriteUInt32(isInverted ? FIB_RULE_INVERT : 0);
        writer.WriteUInt32(FRA_PRIORITY, 105);
        if (from is { } sources)
        {
            writer.WriteAddress(FRA_SRC, sources.Address);
        }

        if (to is { } destinations)
        {
            writer.WriteAddress(FRA_DST, destinations.Address);
        }

        return writer.Complete().ToArray();
    }

    private static byte[] Route(int type, byte table, string destination)
    {
        var prefix = IPPrefix.Parse(destination);
        var writer = new NetlinkWriter(new byte[128], (ushort)type, flags: 0);
        writer.WriteByte((byte)(prefix.IsIPv6 ? AF_INET6 : AF_INET));
        writer.WriteByte((byte)prefix.Length);
        writer.WriteByte(0);
        writer.WriteByte(0);
        writer.WriteByte(table);
        writer.WriteByte(3);
        writer.WriteByte(RT_SCOPE_UNIVERSE);
        writer.WriteByte(RTN_UNICAST);
        writer.WriteUInt32(0);
        writer.WriteUInt32(RTA_TABLE, table);
        if (prefix.Length > 0)
        {
            writer.WriteAddress(RTA_DST, prefix.Address);
        }

        writer.WriteUInt32(RTA_OIF, Pod);
        return writer.Complete().ToArray();
    }
}
