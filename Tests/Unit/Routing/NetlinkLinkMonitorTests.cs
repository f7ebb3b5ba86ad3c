using Microsoft.Extensions.Logging.Abstractions;
using Orleans.WireGuard.Silo.Devices.Netlink;
using Orleans.WireGuard.Silo.Routing;
using static Orleans.WireGuard.Silo.Devices.Netlink.NetlinkConstants;

namespace Orleans.WireGuard.Tests.Unit.Routing;

/// <summary>Which news of the kernel are worth looking for ourselves.</summary>
public sealed class NetlinkLinkMonitorTests
{
    [Theory]
    [InlineData(RTM_NEWLINK, 0, true)]
    [InlineData(RTM_DELLINK, 0, true)]
    [InlineData(RTM_NEWROUTE, 201, true)]
    [InlineData(RTM_DELROUTE, 201, true)]
    [InlineData(RTM_DELROUTE, 254, false)]
    [InlineData(RTM_NEWRULE, 201, true)]
    [InlineData(RTM_DELRULE, 202, false)]
    [InlineData(RTM_NEWADDR, 201, false)]
    public void IsNews_Message_ByTypeAndTable(int type, byte table, bool expected)
    {
        byte[] message = [20, 0, 0, 0, (byte)type, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 24, 0, 0, table, 0, 0, 0];
        message[0] = (byte)message.Length;
        Assert.Equal(expected, NetlinkLinkMonitor.IsNews(message));
    }

    [Fact]
    public void IsNews_SecondMessageIsOurs_IsTrue()
    {
        byte[] other = [20, 0, 0, 0, (byte)RTM_NEWADDR, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        byte[] link = [20, 0, 0, 0, (byte)RTM_DELLINK, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        Assert.False(NetlinkLinkMonitor.IsNews(other));
        Assert.True(NetlinkLinkMonitor.IsNews([.. other, .. link]));
    }

    // struct nfgenmsg, then the name of the table, as all of them begin.
    [Theory]
    [InlineData(NFT_MSG_NEWSETELEM, "orleans_wireguard", true)]
    [InlineData(NFT_MSG_DELTABLE, "orleans_wireguard", true)]
    [InlineData(NFT_MSG_DELTABLE, "kube-proxy", false)]
    [InlineData(NFT_MSG_NEWGEN, "orleans_wireguard", false)]
    public void IsNews_FirewallMessage_ByTable(byte type, string table, bool expected)
    {
        var writer = new NetlinkWriter(new byte[64], (ushort)((NFNL_SUBSYS_NFTABLES << 8) | type), flags: 0);
        writer.WriteUInt32(NFPROTO_INET);
        writer.WriteString(NFTA_TABLE_NAME, table);
        Assert.Equal(expected, NetlinkLinkMonitor.IsNews(writer.Complete()));
    }

    [Fact]
    public void IsNews_Nonsense_CountsAsNews() => Assert.True(NetlinkLinkMonitor.IsNews([1, 2, 3]));

    [Fact]
    public async Task Stop_NothingHappened_EndsSoon()
    {
        using var monitor = new NetlinkLinkMonitor(() => { }, NullLogger<NetlinkLinkMonitor>.Instance);
        monitor.Start();
        await monitor.Stop(TestContext.Current.CancellationToken).WaitAsync(TimeSpan.FromSeconds(5), TimeProvider.System, TestContext.Current.CancellationToken);
    }
}
