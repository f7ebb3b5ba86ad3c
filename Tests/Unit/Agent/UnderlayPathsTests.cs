using System.Net;
using Microsoft.Extensions.Time.Testing;
using Orleans.WireGuard.Grains.Clocks;
using Orleans.WireGuard.Linux.Routing;
using Orleans.WireGuard.Silo.Agent;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.Unit.Agent;

/// <summary>When it is asked what a way carries.</summary>
public sealed class UnderlayPathsTests
{
    private static readonly CancellationToken Token = TestContext.Current.CancellationToken;
    private static readonly IPAddress First = IPAddress.Parse("192.168.9.2");
    private static readonly IPAddress Second = IPAddress.Parse("192.168.9.3");

    private readonly FakeLinkClient _links = new() { PathMtu = 1500 };
    private readonly FakePathProbe _probe = new();
    private readonly FakeTimeProvider _time = new();
    private readonly UnderlayPaths _paths;

    public UnderlayPathsTests() =>
        _paths = new UnderlayPaths(_links, new KernelWatch(DeviceNames.Default.All), _probe, new SteadyClock(_time));

    [Fact]
    public async Task Find_NewAddress_IsAskedForOnce()
    {
        await FindAsync(First);
        await FindAsync(First, Second);
        await ResyncAsync(First, Second);
        Assert.Equal([(First, 1500), (Second, 1500)], _probe.Sent);
    }

    [Fact]
    public async Task Find_ResyncAfterTheInterval_AsksAgain()
    {
        await FindAsync(First);
        _time.Advance(PathProbing.Interval);
        await FindAsync(First);
        Assert.Single(_probe.Sent);
        await ResyncAsync(First);
        Assert.Equal(2, _probe.Sent.Count);
    }

    [Fact]
    public async Task Find_NoWay_AsksWhenThereIsOne()
    {
        _links.PathMtu = null;
        await FindAsync(First);
        Assert.Empty(_probe.Sent);

        _links.PathMtu = 9000;
        await ResyncAsync(First);
        Assert.Equal([(First, 9000)], _probe.Sent);
    }

    // As when a thousand packets at once do not fit the socket's buffer.
    [Fact]
    public async Task Find_PacketCouldNotBeSent_AsksAtTheNextResync()
    {
        _probe.CanSend = false;
        await FindAsync(First);
        _probe.CanSend = true;
        await ResyncAsync(First);
        await ResyncAsync(First);
        Assert.Equal(2, _probe.Sent.Count);
    }

    // Thousands of peers behind a link of 9,000 bytes would be megabytes in the same moment.
    [Fact]
    public async Task Find_ThousandsOfAddresses_AreAskedInTurns()
    {
        var addresses = Enumerable.Range(0, 1200)
            .Select(number => new IPAddress([10, 0, (byte)(number / 250), (byte)(number % 250)])).ToArray();
        await FindAsync(addresses);
        Assert.Equal(500, _probe.Sent.Count);
        await ResyncAsync(addresses);
        await ResyncAsync(addresses);
        await ResyncAsync(addresses);
        Assert.Equal(1200, _probe.Sent.Select(packet => packet.Destination).Distinct().Count());
        Assert.Equal(1200, _probe.Sent.Count);
    }

    // As with a filter for what leaves the node.
    [Fact]
    public async Task Find_NothingCanBeSent_IsTriedAFewTimes()
    {
        _probe.CanSend = false;
        await FindAsync([.. Enumerable.Range(0, 100).Select(number => new IPAddress([10, 0, 0, (byte)number]))]);
        Assert.Equal(8, _probe.Sent.Count);
    }

    private Task ResyncAsync(params IPAddress[] addresses)
    {
        _paths.Settle();
        _paths.Forget();
        return FindAsync(addresses);
    }

    private async Task FindAsync(params IPAddress[] addresses) => await _paths.FindAsync(addresses.ToHashSet(), Token);
}
