using System.Net;
using Microsoft.Extensions.Logging;
using Orleans.WireGuard.Grains.Clocks;
using Orleans.WireGuard.Linux.Devices;
using Orleans.WireGuard.Linux.Routing;
using Orleans.WireGuard.Silo.Agent;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.Unit.Agent;

public sealed class MtuReconcilerTests : ILogger<MtuReconciler>
{
    private static readonly CancellationToken Token = TestContext.Current.CancellationToken;

    private readonly FakeLinkClient _links = new();
    private readonly List<string> _warnings = [];
    private readonly UnderlayPaths _paths;
    private readonly MtuReconciler _mtu;
    private Link _link;

    public MtuReconcilerTests()
    {
        _paths = new UnderlayPaths(_links, new KernelWatch(DeviceNames.Default.All), probe: null, new SteadyClock(TimeProvider.System));
        _mtu = new MtuReconciler(_links, _paths, new DeviceOptions(), this);
        _links.AddLink("cilium_wg0");
        _link = _links.TryGetLinkAsync("cilium_wg0", Token).Result!;
    }

    [Fact]
    public async Task Reconcile_UnderlayChanges_IsFollowedAtTheResync()
    {
        await ReconcileAsync("10.0.2.0/24", isResync: true);
        Assert.Equal(1440, _link.Mtu);

        _links.PathMtu = 9000;
        await ReconcileAsync("10.0.2.0/24", isResync: false);
        Assert.Equal(1440, _link.Mtu);
        await ReconcileAsync("10.0.2.0/24", isResync: true);
        Assert.Equal(8940, _link.Mtu);
        Assert.Equal(8940, (await _links.TryGetLinkAsync("cilium_wg0", Token))!.Mtu);
    }

    [Fact]
    public async Task Reconcile_TooNarrowForIPv6_StaysAt1280AndWarnsOnce()
    {
        _links.PathMtu = 1300;
        await ReconcileAsync("fd00:244:2::/64", isResync: true);
        await ReconcileAsync("fd00:244:2::/64", isResync: true);
        Assert.Equal(1280, _link.Mtu);
        Assert.Contains("too narrow for IPv6", Assert.Single(_warnings), StringComparison.Ordinal);

        _links.PathMtu = 1500;
        await ReconcileAsync("fd00:244:2::/64", isResync: true);
        _links.PathMtu = 1300;
        await ReconcileAsync("fd00:244:2::/64", isResync: true);
        Assert.Equal(2, _warnings.Count);
    }

    [Fact]
    public async Task Reconcile_NarrowButIPv4Only_FollowsBelow1280()
    {
        _links.PathMtu = 1300;
        await ReconcileAsync("10.0.2.0/24", isResync: true);

        Assert.Equal(1240, _link.Mtu);
        Assert.Empty(_warnings);
    }

    // WireGuard sends to the address that the peer sent from last; 1440 would be too wide for this one.
    [Fact]
    public async Task Reconcile_PeerOfTwoFamilies_FitsBoth()
    {
        _link = await _mtu.ReconcileAsync(
            Device("10.0.2.0/24", TestMesh.Address(2), IPAddress.Parse("fd00::2")), _link, isResync: true, Token);

        Assert.Equal(1420, _link.Mtu);
    }

    [Fact]
    public async Task Reconcile_OneOfTwoWaysIsGone_FitsTheOther()
    {
        _links.SetPathMtu(IPAddress.Parse("fd00::2"), null);

        _link = await _mtu.ReconcileAsync(
            Device("10.0.2.0/24", TestMesh.Address(2), IPAddress.Parse("fd00::2")), _link, isResync: true, Token);

        Assert.Equal(1440, _link.Mtu);
    }

    IDisposable? ILogger.BeginScope<TState>(TState state) => null;

    bool ILogger.IsEnabled(LogLevel logLevel) => true;

    void ILogger.Log<TState>(
        LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
    {
        if (logLevel == LogLevel.Warning)
        {
            _warnings.Add(formatter(state, exception));
        }
    }

    private async Task ReconcileAsync(string podCIDR, bool isResync)
    {
        // As a resync does.
        if (isResync)
        {
            _paths.Forget();
        }

        _link = await _mtu.ReconcileAsync(Device(podCIDR, TestMesh.Address(2)), _link, isResync, Token);
    }

    private static DesiredDevice Device(string podCIDR, params IPAddress[] addresses)
    {
        var endpoints = addresses.Select(address => new IPEndPoint(address, 51871)).ToEquatableArray();
        return new DesiredDevice(
            "cilium_wg0", null, 51871, [new DesiredPeer(TestMesh.Key(2), endpoints, [IPPrefix.Parse(podCIDR)], TimeSpan.Zero)]);
    }
}
