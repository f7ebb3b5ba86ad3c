using Orleans.WireGuard.Linux.Routing;
using Orleans.WireGuard.Silo.Agent;
using Orleans.WireGuard.Tests.Support;
using static Orleans.WireGuard.Linux.Netlink.NetlinkConstants;

namespace Orleans.WireGuard.Tests.Unit.Agent;

/// <summary>
/// What the agent does with news of the kernel: it looks whether anything is not as it was left, in time, and not too often.
/// </summary>
public sealed class LookTests
{
    private const string Name = "cilium_wg0";

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    /// <summary>What somebody else can do to a node, and what the kernel says then.</summary>
    public static TheoryData<string> Changes => [.. Tampering.Keys];

    private static Dictionary<string, Tamper> Tampering { get; } = new()
    {
        ["link down"] = new(KernelNews.Devices, mesh => DoAsync(() => mesh.Links.SetDown(Name)),
            mesh => Link(mesh).IsUp && mesh.Links.Routes.Any(IsTunnel)),
        ["link deleted"] = new(KernelNews.Devices, mesh =>
            DoAsync(() => mesh.Devices.Remove(Name)), mesh => mesh.Devices.Peek(Name) is { Peers.Count: 1 }),
        ["MTU changed"] = new(KernelNews.Devices, mesh => mesh.Links.SetMtuAsync(Name, 1300, Token), mesh => Link(mesh).Mtu == 1440),
        ["source check strict"] = new(
            KernelNews.Devices, mesh => DoAsync(() => mesh.Links.SetSourceCheck(Name, new(IsLoose: false, HasAddress: true))), IsLoose),
        ["address deleted"] = new(
            KernelNews.Devices,
            mesh => DoAsync(() => mesh.Links.SetSourceCheck(Name, new(IsLoose: true, HasAddress: false))),
            mesh => IsLoose(mesh) && mesh.Links.Routes.Any(IsTunnel)),
        ["route deleted"] = new(KernelNews.Routes, mesh =>
            mesh.Links.DeleteRouteAsync(new Route(TestMesh.PodCIDR(2), Name), Token), mesh => mesh.Links.Routes.Any(IsTunnel)),
        ["rule deleted"] = new(KernelNews.Routes, mesh =>
            mesh.Links.DeleteRuleAsync(TestMesh.PodCIDR(1), Token), mesh => mesh.Links.Rules.Count == 1),
        ["underlay narrower"] = new(KernelNews.Underlay, mesh => DoAsync(() => mesh.Links.PathMtu = 1400), mesh => Link(mesh).Mtu == 1340),
        ["firewall deleted"] = new(KernelNews.Firewall, mesh => mesh.Firewall.DeleteAsync(Token), mesh =>
            mesh.Firewall.TryGetAsync(Token).Result is { IsIntact: true, Prefixes.Remote.Count: 1 }),
        ["anything"] = new(KernelNews.Lost, mesh =>
            mesh.Links.DeleteRuleAsync(TestMesh.PodCIDR(1), Token), mesh => mesh.Links.Rules.Count == 1),
    };

    [Theory]
    [MemberData(nameof(Changes))]
    public async Task RequestLook_SomethingChanged_IsRepairedAtOnce(string change)
    {
        await using var mesh = Strict();
        await mesh.StartAsync();
        var (news, act, isRepaired) = Tampering[change];
        await act(mesh);
        Assert.False(isRepaired(mesh));
        mesh.Agent.RequestLook(news);
        await mesh.NextWaitAsync();
        Assert.True(isRepaired(mesh));
        Assert.Equal(2, mesh.Agent.Snapshot.CompletedPasses);
    }

    // What leaves by it may leave in clear until somebody has looked, though nothing of ours has changed.
    [Theory]
    [InlineData(KernelNews.Encapsulation, true)]
    [InlineData(KernelNews.None, false)]
    public async Task HasChanged_LinkThatEncapsulates_HasALook(object news, bool isDue)
    {
        await using var mesh = Strict();
        await mesh.Pass.RunAsync(true, Token);
        var looks = mesh.Dump.Reads;
        Assert.Equal(isDue, await mesh.Pass.HasChangedAsync((KernelNews)news, Token));
        mesh.Time.Advance(TimeSpan.FromSeconds(1));
        await mesh.Pass.RunAsync(false, Token);
        Assert.Equal(isDue ? looks + 1 : looks, mesh.Dump.Reads);
    }

    // The first look compiles what it runs, on a machine that is busy with starting; half a percent of a core for it would be minutes.
    [Fact]
    public async Task Run_FirstLookWasSlow_NextOneIsASecondAfterNews()
    {
        await using var mesh = Strict();
        mesh.Dump.Reading = () => mesh.Time.Advance(TimeSpan.FromMilliseconds(900));
        await mesh.Pass.RunAsync(true, Token);
        mesh.Dump.Reading = null;
        var looks = mesh.Dump.Reads;
        mesh.Time.Advance(TimeSpan.FromSeconds(1));
        Assert.True(await mesh.Pass.HasChangedAsync(KernelNews.Encapsulation, Token));
        await mesh.Pass.RunAsync(false, Token);
        Assert.Equal(looks + 1, mesh.Dump.Reads);
    }

    // Our own writes are told of like everybody's.
    [Theory]
    [InlineData(KernelNews.Devices)]
    [InlineData(KernelNews.Routes)]
    [InlineData(KernelNews.Underlay)]
    [InlineData(KernelNews.Firewall)]
    [InlineData(KernelNews.Devices | KernelNews.Routes | KernelNews.Underlay | KernelNews.Firewall)]
    public async Task RequestLook_AllIsAsItWasLeft_ReadsNoDevice(object news)
    {
        await using var mesh = Strict();
        await mesh.StartAsync();
        var (devices, writes) = (mesh.Devices.Calls.Count, mesh.Writes);
        mesh.Agent.RequestLook((KernelNews)news);
        await mesh.NextWaitAsync();
        Assert.Equal((devices, writes, 1L), (mesh.Devices.Calls.Count, mesh.Writes, mesh.Agent.Snapshot.CompletedPasses));
    }

    [Fact]
    public async Task RequestLook_Lost_ReadsEverythingOnce()
    {
        await using var mesh = Strict();
        await mesh.StartAsync();
        var (devices, routes) = (mesh.Devices.Calls.Count, mesh.Links.CountOf(nameof(ILinkClient.GetRoutesAsync)));
        mesh.Agent.RequestLook(KernelNews.Lost);
        await mesh.NextWaitAsync();
        Assert.Equal((devices + 1, routes + 1, 2L), (mesh.Devices.Calls.Count, mesh.Links.CountOf(
            nameof(ILinkClient.GetRoutesAsync)), mesh.Agent.Snapshot.CompletedPasses));
    }

    [Fact]
    public async Task RequestLook_DoesNotPutPollAndResyncOff()
    {
        await using var mesh = new AgentHarness(poll: TimeSpan.FromSeconds(1), 2).Settled(2);
        await mesh.StartAsync();
        mesh.Time.Advance(TimeSpan.FromMilliseconds(300));
        mesh.Agent.RequestLook(KernelNews.Routes);
        Assert.Equal(700, (await mesh.NextWaitAsync()).TotalMilliseconds);
        mesh.Time.Advance(TimeSpan.FromMilliseconds(700));
        Assert.Equal(1000, (await mesh.NextWaitAsync()).TotalMilliseconds);
        Assert.Equal(2, mesh.Agent.Snapshot.CompletedPasses);
    }

    // Somebody takes a link down again and again, 1,000 times in a second.
    [Fact]
    public async Task RequestLook_LinkFlaps_TakesTenPassesASecond()
    {
        await using var mesh = Strict();
        await mesh.StartAsync();
        mesh.Links.SetDown(Name);
        mesh.Agent.RequestLook(KernelNews.Devices);
        await mesh.NextWaitAsync();
        for (var round = 0; round < 10; round++)
        {
            for (var i = 0; i < 100; i++)
            {
                mesh.Links.SetDown(Name);
                mesh.Agent.RequestLook(KernelNews.Devices);
            }

            Assert.Equal(LookPace.Min, await mesh.NextWaitAsync());
            mesh.Time.Advance(LookPace.Min);
            await mesh.NextWaitAsync();
            Assert.True(Link(mesh).IsUp);
        }

        Assert.Equal(12, mesh.Agent.Snapshot.CompletedPasses);
    }

    [Fact]
    public async Task RequestLook_ReadFails_IsTriedAgain()
    {
        await using var mesh = Strict();
        await mesh.StartAsync();
        await mesh.Links.DeleteRuleAsync(TestMesh.PodCIDR(1), Token);
        mesh.Links.FailNextCall();
        mesh.Agent.RequestLook(KernelNews.Routes);
        var delay = await mesh.NextWaitAsync();
        Assert.Contains("told to fail", mesh.Agent.Snapshot.Problem.ToText(), StringComparison.Ordinal);
        mesh.Time.Advance(delay);
        await mesh.NextWaitAsync();
        Assert.Null(mesh.Agent.Snapshot.Problem);
        Assert.Single(mesh.Links.Rules);
    }

    [Fact]
    public async Task Run_NewPeerOnAKnownLink_AsksItsWayAlone()
    {
        await using var mesh = new AgentHarness(2, 3).Settled(2);
        await mesh.Pass.RunAsync(true, Token);
        Assert.Equal(2, mesh.Links.CountOf(nameof(ILinkClient.TryGetPathAsync)));
        mesh.Announce(3);
        await mesh.Pass.RunAsync(false, Token);
        Assert.Equal(3, mesh.Links.CountOf(nameof(ILinkClient.TryGetPathAsync)));
        Assert.Equal(TestMesh.Address(3), mesh.Links.Calls.Last(call => call.Operation == nameof(ILinkClient.TryGetPathAsync)).Subject);
    }

    // The ways are right again before anybody asks for them, so nothing else says that the rule is gone.
    [Fact]
    public async Task HasChanged_RuleGoesAfterItWasRead_IsNoFindingASecondLater()
    {
        await using var mesh = Strict();
        mesh.Dump.Current = FakeNetworkDump.Bare with { Rules = [new RuleEntry(IsIPv6: false, 105, 254, FR_ACT_BLACKHOLE)] };
        Assert.True(HasRule(await mesh.Pass.RunAsync(true, Token)));
        mesh.Dump.Current = FakeNetworkDump.Bare;
        Assert.False(await mesh.Pass.HasChangedAsync(KernelNews.Ways, Token));
        Assert.True(HasRule(await mesh.Pass.RunAsync(false, Token)));
        mesh.Time.Advance(TimeSpan.FromSeconds(1));
        Assert.False(HasRule(await mesh.Pass.RunAsync(false, Token)));

        static bool HasRule(PassResult result) => result.Snapshot.Findings.Any(finding => finding.Code == FindingCode.RuleBeforeOurs);
    }

    // What happens while a way is asked for the first time must not be missed.
    [Fact]
    public async Task Run_WayIsAsked_IsWatchedBefore()
    {
        await using var mesh = new AgentHarness(2).Settled(2);
        var heard = new List<(bool Route, bool Link)>();
        mesh.Links.OnCall = (call, _) => DoAsync(() =>
        {
            if (call.Operation == nameof(ILinkClient.TryGetPathAsync))
            {
                heard.Add((Hears(mesh, RouteTo2), Hears(mesh, UnderlayLink)));
            }
        });
        await mesh.Pass.RunAsync(true, Token);
        Assert.Equal([(true, false), (true, true)], heard);
    }

    [Theory]
    [InlineData(0, 100)]
    [InlineData(10, 100)]
    [InlineData(36, 360)]
    [InlineData(200, 500)]
    public void After_Cost_IsATenthOfACoreWithinLimits(double milliseconds, double expected) =>
        Assert.Equal(expected, LookPace.After(TimeSpan.FromMilliseconds(milliseconds)).TotalMilliseconds);

    private static byte[] RouteTo2 =>
        [36, 0, 0, 0, 24, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 32, 0, 0, 254, 3, 0, 1, 0, 0, 0, 0, 8, 0, 1, 0, .. TestMesh.Address(2)
            .GetAddressBytes()];

    private static byte[] UnderlayLink =>
        [32, 0, 0, 0, 16, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, .. BitConverter.GetBytes(
            FakeLinkClient.UnderlayIndex), 0, 0, 0, 0, 0, 0, 0, 0];

    private static AgentHarness Strict()
    {
        var mesh = new AgentHarness(2).Settled(2);
        mesh.Encryption.CurrentValue.Mode = Silo.Findings.EncryptionMode.Strict;
        return mesh;
    }

    private static bool Hears(AgentHarness mesh, byte[] message) => mesh.Watch.Filter.Judge(message) == KernelNews.Underlay;

    private static bool IsTunnel(Route route) => route.DeviceName == Name;

    private static bool IsLoose(AgentHarness mesh) => mesh.Links.GetSourceCheckAsync(Name, Token).Result == SourceCheck.Loose;

    private static Link Link(AgentHarness mesh) => mesh.Links.TryGetLinkAsync(Name, Token).Result!;

    private static Task DoAsync(Action action)
    {
        action();
        return Task.CompletedTask;
    }

    private sealed record Tamper(KernelNews News, Func<AgentHarness, Task> Change, Func<AgentHarness, bool> IsRepaired);
}
