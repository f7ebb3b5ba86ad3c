using System.Net;
using Orleans.WireGuard.Linux.Netlink;
using Orleans.WireGuard.Linux.Routing;
using static Orleans.WireGuard.Linux.Netlink.NetlinkConstants;

namespace Orleans.WireGuard.Tests.Unit.Linux.Routing;

public sealed class KernelWatchTests
{
    private readonly KernelWatch _watch = new(["cilium_wg0", "cilium_wg1"]);

    [Fact]
    public void AddDevice_MadeAgain_TheFormerNumberIsForgotten()
    {
        _watch.AddDevice("cilium_wg0", 7);
        _watch.AddDevice("cilium_wg1", 8);
        Assert.Equal((KernelNews.Devices, KernelNews.Devices), (Renamed(7), Renamed(8)));
        _watch.AddDevice("cilium_wg0", 9);
        Assert.Equal((KernelNews.None, KernelNews.Devices, KernelNews.Devices), (Renamed(7), Renamed(8), Renamed(9)));
    }

    [Fact]
    public void AddLink_Known_IsNotNew()
    {
        Assert.True(_watch.AddLink(2));
        Assert.False(_watch.AddLink(2));
        Assert.Equal(KernelNews.Underlay, Renamed(2));
    }

    [Fact]
    public void Keep_OtherLinksAndAddresses_AreForgottenButDevicesAreNot()
    {
        _watch.AddDevice("cilium_wg0", 7);
        _watch.AddLink(2);
        _watch.AddDestinations([IPAddress.Parse("192.168.0.2")]);
        Assert.Equal(KernelNews.Underlay, DefaultRouteDeleted());
        _watch.Keep([3], []);
        Assert.Equal((KernelNews.None, KernelNews.Underlay, KernelNews.Devices), (Renamed(2), Renamed(3), Renamed(7)));
        Assert.Equal(KernelNews.None, DefaultRouteDeleted());
    }

    [Fact]
    public void Filter_NothingNew_IsTheSame()
    {
        _watch.AddDevice("cilium_wg0", 7);
        _watch.AddDestinations([IPAddress.Parse("192.168.0.2")]);
        var filter = _watch.Filter;
        _watch.AddDevice("cilium_wg0", 7);
        _watch.AddDestinations([IPAddress.Parse("192.168.0.2")]);
        Assert.Same(filter, _watch.Filter);
    }

    private KernelNews Renamed(int index)
    {
        var writer = new NetlinkWriter(new byte[64], RTM_NEWLINK, flags: 0);
        writer.WriteUInt32(0);
        writer.WriteUInt32((uint)index);
        writer.WriteUInt32(0);
        writer.WriteUInt32(0);
        writer.WriteString(IFLA_IFNAME, "renamed");
        return _watch.Filter.Judge(writer.Complete());
    }

    private KernelNews DefaultRouteDeleted() =>
        _watch.Filter.Judge([28, 0, 0, 0, (byte)RTM_DELROUTE, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 254, 3, 0, 1, 0, 0, 0, 0]);
}
