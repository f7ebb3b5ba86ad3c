using System.Net;
using Microsoft.Extensions.Logging.Abstractions;
using Orleans.WireGuard.Silo.Devices;
using Orleans.WireGuard.Silo.Devices.Uapi;
using Orleans.WireGuard.Silo.Routing;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.EndToEnd;

/// <summary>Links, routes and rules in a namespace of its own.</summary>
[Trait("Kind", "EndToEnd")]
public sealed class IpCommandLinkClientTests : IAsyncLifetime
{
    private const string Name = "cilium_wg0";
    private const string OtherName = "cilium_wg1";

    private static readonly IPPrefix IPv4 = IPPrefix.Parse("10.244.1.0/24");
    private static readonly IPPrefix IPv6 = IPPrefix.Parse("fd00:10:244:1::/64");

    private NetworkNamespace? _namespace;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private NetworkNamespace Namespace => _namespace!;

    public async ValueTask InitializeAsync()
    {
        Assert.SkipUnless(NetworkNamespace.WhyImpossible is null, $"skipped: {NetworkNamespace.WhyImpossible}");
        _namespace = await NetworkNamespace.Create(Token);
        var client = new UapiWireGuardClient(Namespace.Options, TimeProvider.System, NullLogger<UapiWireGuardClient>.Instance);
        await client.CreateDevice(Name, Token);
        await client.CreateDevice(OtherName, Token);
    }

    public async ValueTask DisposeAsync()
    {
        if (_namespace is not null)
        {
            await _namespace.DisposeAsync();
        }
    }

    [Fact]
    public async Task TryGetLink_AfterChanges_ShowsThem()
    {
        var links = Links();
        var before = await links.TryGetLink(Name, Token);

        await links.SetMtu(Name, 1380, Token);
        await links.SetUp(Name, Token);

        Assert.Equal(before! with { Mtu = 1380, IsUp = true }, await links.TryGetLink(Name, Token));
        Assert.Null(await links.TryGetLink("none", Token));
    }

    [Fact]
    public async Task SetMtu_OutOfRange_SaysWhatTheSystemSaid()
    {
        var e = await Assert.ThrowsAsync<DeviceException>(() => Links().SetMtu(Name, 1, Token));

        Assert.Equal($"set mtu 1 of {Name}", e.Operation);
        Assert.Contains("mtu less than device minimum", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task SetUp_NoSuchLink_IsENODEV() =>
        Assert.Equal(UapiErrno.ENODEV, (await Assert.ThrowsAsync<DeviceException>(() => Links().SetUp("none", Token))).Errno);

    [Fact]
    public async Task ReplaceRoute_SameDestination_MovesIt()
    {
        var links = Links();
        await links.SetUp(Name, Token);
        await links.SetUp(OtherName, Token);
        Assert.Empty(await links.GetRoutes(Token));

        await links.ReplaceRoute(new Route(IPv6, Name), Token);
        await links.ReplaceRoute(new Route(IPv4, Name), Token);
        Assert.Equal([new Route(IPv4, Name), new Route(IPv6, Name)], await links.GetRoutes(Token));

        await links.ReplaceRoute(new Route(IPv4, OtherName), Token);
        await links.ReplaceRoute(new Route(IPv6, OtherName), Token);
        await links.ReplaceRoute(new Route(IPv6, OtherName), Token);
        Assert.Equal([new Route(IPv4, OtherName), new Route(IPv6, OtherName)], await links.GetRoutes(Token));
    }

    [Theory]
    [InlineData("0.0.0.0/0")]
    [InlineData("::/0")]
    [InlineData("10.244.1.7/32")]
    [InlineData("fd00::7/128")]
    public async Task ReplaceRoute_AnyLength_IsReadBackAndDeleted(string destination)
    {
        var links = Links();
        await links.SetUp(Name, Token);
        var route = new Route(IPPrefix.Parse(destination), Name);

        await links.ReplaceRoute(route, Token);
        Assert.Equal([route], await links.GetRoutes(Token));

        await links.DeleteRoute(route, Token);
        await links.DeleteRoute(route, Token);
        Assert.Empty(await links.GetRoutes(Token));
    }

    [Fact]
    public async Task ReplaceRoute_LinkIsDown_SaysWhatTheSystemSaid()
    {
        const int ENETDOWN = 100;

        var e = await Assert.ThrowsAsync<DeviceException>(() => Links().ReplaceRoute(new Route(IPv4, Name), Token));

        Assert.Equal(ENETDOWN, e.Errno);
    }

    [Fact]
    public async Task Routes_OfOthers_AreNotSeenAndNotTouched()
    {
        var links = Links();
        await links.SetUp(Name, Token);
        await Namespace.Run(Token, "ip", "route", "add", "10.244.1.0/24", "dev", Name, "table", "201", "metric", "7");
        await Namespace.Run(Token, "ip", "route", "add", "10.244.1.0/24", "dev", Name, "protocol", "201");
        await Namespace.Run(Token, "ip", "route", "add", "unreachable", "10.0.0.0/8", "table", "201", "protocol", "201");

        Assert.Empty(await links.GetRoutes(Token));
        await links.DeleteRoute(new Route(IPv4, Name), Token);

        Assert.Contains("10.244.1.0/24", await Namespace.Run(Token, "ip", "route", "show", "table", "201"), StringComparison.Ordinal);
        Assert.Contains("10.244.1.0/24", await Namespace.Run(Token, "ip", "route", "show"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task DeleteRoute_DeviceIsGone_IsFine() => await Links().DeleteRoute(new Route(IPv4, "none"), Token);

    [Fact]
    public async Task Rules_AddedAndDeleted_AreReadBack()
    {
        var links = Links();
        var host = IPPrefix.Parse("10.244.2.9/32");
        Assert.Empty(await links.GetRules(Token));

        await links.AddRule(IPv6, Token);
        await links.AddRule(IPv4, Token);
        await links.AddRule(host, Token);
        Assert.Equal([IPv4, host, IPv6], await links.GetRules(Token));
        Assert.Contains(
            "201:\tfrom 10.244.1.0/24 lookup 201 proto 201", await Namespace.Run(Token, "ip", "rule", "show"), StringComparison.Ordinal);

        await links.DeleteRule(IPv4, Token);
        await links.DeleteRule(IPv4, Token);
        Assert.Equal([host, IPv6], await links.GetRules(Token));
    }

    [Fact]
    public async Task AddRule_Twice_IsEEXIST()
    {
        await Links().AddRule(IPv4, Token);

        Assert.Equal(UapiErrno.EEXIST, (await Assert.ThrowsAsync<DeviceException>(() => Links().AddRule(IPv4, Token))).Errno);
    }

    [Fact]
    public async Task Rules_OfOthers_AreNotSeenAndNotTouched()
    {
        await Namespace.Run(Token, "ip", "rule", "add", "from", "10.244.1.0/24", "lookup", "201", "priority", "201");
        await Namespace.Run(Token, "ip", "rule", "add", "from", "10.244.1.0/24", "lookup", "202", "priority", "201", "protocol", "201");

        Assert.Empty(await Links().GetRules(Token));
        await Links().DeleteRule(IPv4, Token);

        var rules = await Namespace.Run(Token, "ip", "rule", "show");
        Assert.Equal(2, rules.Split('\n').Count(line => line.Contains("10.244.1.0/24", StringComparison.Ordinal)));
    }

    [Theory]
    [InlineData("192.0.2.7", 1400)]
    [InlineData("198.51.100.7", 1300)]
    [InlineData("2001:db8::7", 1400)]
    [InlineData("2001:db8:1::7", 1290)]
    [InlineData("203.0.113.7", null)]
    [InlineData("203.0.114.7", null)]
    [InlineData("2001:db8:2::7", null)]
    public async Task GetPathMtu_OfADestination_IsThatOfItsRouteOrLink(string destination, int? expected)
    {
        await Links().SetMtu(Name, 1400, Token);
        await Links().SetUp(Name, Token);
        foreach (var route in (string[])
        [
            "192.0.2.0/24 dev cilium_wg0", "198.51.100.0/24 dev cilium_wg0 mtu 1300", "2001:db8::/64 dev cilium_wg0",
            "2001:db8:1::/64 dev cilium_wg0 mtu 1290", "unreachable 203.0.114.0/24",
        ])
        {
            await Namespace.Run(Token, ["ip", "route", "add", .. route.Split(' ')]);
        }

        Assert.Equal(expected, await Links().GetPathMtu(IPAddress.Parse(destination), Token));
    }

    [Fact]
    public async Task TryGetLink_NoSuchCommand_SaysSo()
    {
        var links = new IpCommandLinkClient(TimeProvider.System, ["no-such-ip"]);

        var e = await Assert.ThrowsAsync<DeviceException>(() => links.TryGetLink(Name, Token));

        Assert.Contains("'no-such-ip' was not found", e.Message, StringComparison.Ordinal);
    }

    private IpCommandLinkClient Links() => new(TimeProvider.System, Namespace.Enter("ip"));
}
