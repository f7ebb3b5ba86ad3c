using System.Net;
using Orleans.WireGuard.Grains.Clocks;
using Orleans.WireGuard.Linux.Devices;
using Orleans.WireGuard.Linux.Routing;
using Orleans.WireGuard.Silo.Agent;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.Unit.Agent;

/// <summary>By which of its addresses a peer is reached.</summary>
public sealed class EndpointChooserTests
{
    [Fact]
    public async Task Choose_TwoFamilies_TakesTheFirstAnnouncedWithARoute()
    {
        var links = new FakeLinkClient();
        var (ipv4, ipv6) = (IPEndPoint.Parse("192.168.0.2:51871"), IPEndPoint.Parse("[fd00::2]:51871"));
        links.SetPathMtu(ipv6.Address, null);
        var paths = new UnderlayPaths(links, new KernelWatch(DeviceNames.Default.All), probe: null, new SteadyClock(TimeProvider.System));
        var chooser = new EndpointChooser(paths, new KeyPairClock());
        var device = new DesiredDevice("cilium_wg0", null, 51871, [new DesiredPeer(TestMesh.Key(2), [ipv6, ipv4], [], TimeSpan.Zero)]);
        var sources = new EndpointSources(
            Slot.Zero,
            new Device("cilium_wg0", null, 51871, 0, []),
            new Dictionary<PublicKey, string>(),
            new HashSet<PublicKey>(),
            new Dictionary<PublicKey, IPEndPoint>(),
            SteadyTime.Now(TimeProvider.System));

        Assert.Equal(ipv4, await ChooseAsync([ipv4]));
        links.SetPathMtu(ipv6.Address, 1500);
        Assert.Equal(ipv4, await ChooseAsync([ipv4]));
        paths.Forget();
        Assert.Equal(ipv6, await ChooseAsync([ipv6, ipv4]));
        links.SetPathMtu(ipv4.Address, null);
        links.SetPathMtu(ipv6.Address, null);
        paths.Forget();
        Assert.Equal(ipv6, await ChooseAsync([ipv6, ipv4]));

        async Task<IPEndPoint?> ChooseAsync(IPEndPoint[] expected)
        {
            var peer = (await chooser.ChooseAsync(device, sources, TestContext.Current.CancellationToken)).Peers[0];
            Assert.Equal(expected, peer.Endpoints);
            return peer.Endpoint;
        }
    }
}
