using Orleans.WireGuard.Keys;
using Orleans.WireGuard.Linux.Devices;
using Orleans.WireGuard.Linux.Routing;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.Unit.Agent;

/// <summary>
/// After <c>Rotation:Slots</c> went from 2 to 1 the second device goes on until nothing depends on it, and then goes with its key.
/// </summary>
public sealed class LeftoverDeviceTests : IAsyncDisposable
{
    private const string Name = "cilium_wg1";

    private static readonly TimeSpan Grace = TimeSpan.FromSeconds(15);

    private readonly KeyPair _left = KeyPair.Create();
    private readonly AgentHarness _mesh = new(TimeSpan.FromSeconds(1), slots: 1, [2, 3]);

    public LeftoverDeviceTests() => _mesh.MakeKey();

    public async ValueTask DisposeAsync()
    {
        await _mesh.DisposeAsync();
        _left.Dispose();
    }

    [Fact]
    public async Task Run_OursAndQuiet_IsRemovedWithItsKey()
    {
        await LeaveAsync(2, 3);
        await _mesh.Pass.RunAsync(true, _mesh.Token);
        Assert.Equal([Name, Name], RouteDevices());

        // What came before the sync is not all there is.
        _mesh.Announce(2);
        _mesh.Time.Advance(Grace);
        await _mesh.Pass.RunAsync(false, _mesh.Token);
        Assert.Equal(["cilium_wg0", Name], RouteDevices());

        _mesh.Announce(3);
        _mesh.Store.MarkSynced();
        await _mesh.Pass.RunAsync(false, _mesh.Token);
        Assert.Equal(["cilium_wg0", "cilium_wg0"], RouteDevices());

        // Somebody has not heard of it.
        _mesh.Time.Advance(Grace - TimeSpan.FromSeconds(1));
        _mesh.Devices.ChangePeer(Name, TestMesh.Key(103), peer => peer with { ReceiveBytes = 1_000 });
        await _mesh.Pass.RunAsync(false, _mesh.Token);
        _mesh.Time.Advance(Grace - TimeSpan.FromSeconds(1));
        await _mesh.Pass.RunAsync(false, _mesh.Token);
        Assert.NotNull(_mesh.Devices.Peek(Name));

        _mesh.Time.Advance(TimeSpan.FromSeconds(1));
        await _mesh.Pass.RunAsync(false, _mesh.Token);
        Assert.Null(_mesh.Devices.Peek(Name));
        Assert.NotNull(_mesh.Device.PublicKey);
    }

    // Its grace period is no shorter and no longer by that.
    [Theory]
    [InlineData(5)]
    [InlineData(-5)]
    public async Task Run_ClockIsSet_IsRemovedAfterTheSameTime(int hours)
    {
        await LeaveAsync(2);
        _mesh.Announce(2);
        _mesh.Store.MarkSynced();
        await _mesh.Pass.RunAsync(true, _mesh.Token);
        await _mesh.Pass.RunAsync(false, _mesh.Token);
        _mesh.Time.SetBy = TimeSpan.FromHours(hours);
        _mesh.Time.Advance(Grace - TimeSpan.FromSeconds(1));
        await _mesh.Pass.RunAsync(false, _mesh.Token);
        Assert.NotNull(_mesh.Devices.Peek(Name));

        _mesh.Time.Advance(TimeSpan.FromSeconds(1));
        await _mesh.Pass.RunAsync(false, _mesh.Token);
        Assert.Null(_mesh.Devices.Peek(Name));
    }

    // Its data plane outlives it, and this is the only device that reaches it.
    [Fact]
    public async Task Run_SiloOfAPeerIsAway_StaysWithItsRoute()
    {
        await LeaveAsync(2, 3);
        _mesh.Announce(2);
        _mesh.Store.MarkSynced();
        await _mesh.Pass.RunAsync(true, _mesh.Token);
        _mesh.Time.Advance(2 * Grace);
        await _mesh.Pass.RunAsync(true, _mesh.Token);
        Assert.Equal(["cilium_wg0", Name], RouteDevices());
        Assert.NotNull(_mesh.Devices.Peek(Name));
    }

    [Fact]
    public async Task Run_NeverQuiet_IsRemovedWhenItsKeyIsTooOld()
    {
        await LeaveAsync(2);
        _mesh.Announce(2);
        _mesh.Store.MarkSynced();
        for (var second = 0; second <= 15 * 60; second += 10)
        {
            Assert.NotNull(_mesh.Devices.Peek(Name));
            _mesh.Devices.ChangePeer(Name, TestMesh.Key(102), peer => peer with { ReceiveBytes = peer.ReceiveBytes + 1 });
            await _mesh.Pass.RunAsync(false, _mesh.Token);
            _mesh.Time.Advance(TimeSpan.FromSeconds(10));
        }

        Assert.Null(_mesh.Devices.Peek(Name));
    }

    [Fact]
    public async Task Run_OfSomebodyElse_IsLeft()
    {
        _mesh.Devices.Change(Name, device => device with { FirewallMark = 0xe00, Peers = [Peer(2)] }, _left);
        _mesh.Store.MarkSynced();
        for (var i = 0; i < 3; i++)
        {
            await _mesh.Pass.RunAsync(true, _mesh.Token);
            _mesh.Time.Advance(Grace);
        }

        Assert.Equal(0, _mesh.Devices.CountOf(nameof(IWireGuardClient.DeleteDeviceAsync)));
        Assert.Equal(_left.PublicKey, _mesh.Devices.Peek(Name)!.PublicKey);
    }

    // What a silo with two slots had there, with traffic on slot 1.
    private async Task LeaveAsync(params int[] nodes)
    {
        _mesh.Devices.Change(Name, device => device with { Peers = [.. nodes.Select(Peer)] }, _left);
        await _mesh.Links.SetUpAsync(Name, _mesh.Token);
        foreach (var node in nodes)
        {
            await _mesh.Links.ReplaceRouteAsync(new Route(TestMesh.PodCIDR(node), Name), _mesh.Token);
        }
    }

    private static DevicePeer Peer(int node) =>
        new(TestMesh.Key(100 + node), TestMesh.Endpoint(node), [TestMesh.PodCIDR(node)], TimeSpan.Zero, TestMesh.Start, 1, 1);

    private IEnumerable<string> RouteDevices() =>
        _mesh.Links.Routes.Where(route => !route.IsUnreachable).OrderBy(route => route.Destination).Select(route => route.DeviceName);
}
