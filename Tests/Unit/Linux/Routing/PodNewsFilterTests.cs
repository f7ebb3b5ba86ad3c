using Orleans.WireGuard.Linux.Netlink;
using Orleans.WireGuard.Linux.Routing;
using Orleans.WireGuard.Tests.Support;
using static Orleans.WireGuard.Linux.Netlink.NetlinkConstants;

namespace Orleans.WireGuard.Tests.Unit.Linux.Routing;

/// <summary>Which news of the kernel may be about pods of this node.</summary>
public sealed class PodNewsFilterTests
{
    private static readonly PodNewsFilter Filter = new([IPPrefix.Parse("10.244.0.0/16"), IPPrefix.Parse("fd00:244::/48")]);

    [Theory]
    [InlineData("10.244.1.7/32", RTM_NEWROUTE, PodNews.RouteCame)]
    [InlineData("10.244.1.7/32", RTM_DELROUTE, PodNews.Other)]
    [InlineData("10.244.4.64/26", RTM_NEWROUTE, PodNews.RouteCame)]
    [InlineData("fd00:244::7/128", RTM_NEWROUTE, PodNews.RouteCame)]
    [InlineData("10.245.1.7/32", RTM_NEWROUTE, PodNews.None)]
    [InlineData("fe80::/64", RTM_NEWROUTE, PodNews.None)]
    [InlineData("0.0.0.0/0", RTM_NEWROUTE, PodNews.None)]
    public void Judge_Route_ByItsDestination(string destination, int type, object expected) =>
        Assert.Equal((PodNews)expected, Filter.Judge(Route(IPPrefix.Parse(destination), (ushort)type)));

    // Ours lead to other nodes' pods, and the kernel's own table has an entry for each address of a link.
    [Fact]
    public void Judge_RouteOfOursOrOfTheLocalTable_IsNothing()
    {
        var destination = IPPrefix.Parse("10.244.1.7/32");
        Assert.Equal(PodNews.None, Filter.Judge(Route(destination, RTM_NEWROUTE, protocol: RouteTable.Protocol)));
        Assert.Equal(PodNews.None, Filter.Judge(Route(destination, RTM_NEWROUTE, table: (byte)RouteTable.Local)));
    }

    [Fact]
    public void Judge_WithoutRanges_NoRouteIsUrgent() =>
        Assert.Equal(PodNews.Other, new PodNewsFilter([]).Judge(Route(IPPrefix.Parse("10.244.1.7/32"), RTM_NEWROUTE)));

    // A pod's route goes without a word when its link does.
    [Theory]
    [InlineData(RTM_NEWLINK)]
    [InlineData(RTM_DELLINK)]
    [InlineData(RTM_NEWADDR)]
    [InlineData(RTM_DELADDR)]
    public void Judge_LinkOrAddress_IsTold(int type)
    {
        var writer = new NetlinkWriter(new byte[64], (ushort)type, 0);
        writer.WriteUInt32(0);
        writer.WriteUInt32(7);
        Assert.Equal(PodNews.Other, Filter.Judge(writer.Complete()));
    }

    [Fact]
    public void Judge_WhatMakesNoSense_IsLost() => Assert.Equal(PodNews.Lost, Filter.Judge(Hex.Bytes("ffff0000 1000")));

    private static byte[] Route(IPPrefix destination, ushort type, byte table = (byte)RouteTable.Main, byte protocol = 3)
    {
        var writer = new NetlinkWriter(new byte[128], type, 0);
        writer.WriteByte((byte)(destination.IsIPv6 ? AF_INET6 : AF_INET));
        writer.WriteByte((byte)destination.Length);
        writer.WriteByte(0);
        writer.WriteByte(0);
        writer.WriteByte(table);
        writer.WriteByte(protocol);
        writer.WriteByte(0);
        writer.WriteByte(RTN_UNICAST);
        writer.WriteUInt32(0);
        if (destination.Length > 0)
        {
            writer.WriteAddress(RTA_DST, destination.Address);
        }

        writer.WriteUInt32(RTA_OIF, 7);
        return writer.Complete().ToArray();
    }
}
