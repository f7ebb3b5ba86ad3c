using Orleans.WireGuard.Linux;
using Orleans.WireGuard.Linux.Routing;
using Orleans.WireGuard.Silo.Agent;
using Orleans.WireGuard.Tests.Support;
using static Orleans.WireGuard.Linux.Errno;

namespace Orleans.WireGuard.Tests.Unit.Agent;

/// <summary>Cleanup removes what a silo made, and nothing else.</summary>
public sealed class NodeCleanupTests
{
    private static readonly CleanupItem Firewall = new("firewall", "table of dropped plaintext");
    private static readonly CleanupItem Witness = new("witness", "table of what is counted at the wire");

    private const string Name = "cilium_wg0";

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Run_AfterASilo_RemovesEverythingAndASecondRunNothing()
    {
        await using var mesh = new AgentHarness(2, 3).Settled(2, 3);
        await mesh.Pass.RunAsync(true, Token);
        mesh.Links.AddLink("eth0");

        var report = await CleanAsync(mesh);

        Assert.Equal(
            [
                new CleanupItem("device", Name),
                new CleanupItem("route", $"10.0.2.0/24 dev {Name}"),
                new CleanupItem("route", $"10.0.3.0/24 dev {Name}"),
                new CleanupItem("rule", "from 10.0.1.0/24"),
                Firewall,
                Witness,
            ],
            report.Removed);
        Assert.Empty(report.Kept);
        Assert.Null(mesh.Devices.Peek(Name));
        Assert.Equal((0, 0), ((await mesh.Links.GetRoutesAsync(Token)).Count, (await mesh.Links.GetRulesAsync(Token)).Count));
        Assert.NotNull(await mesh.Links.TryGetLinkAsync("eth0", Token));
        var again = await CleanAsync(mesh);
        Assert.Equal((0, 0), (again.Removed.Count, again.Kept.Count));
    }

    // Whoever configured another table since finds the former one by the rules.
    [Fact]
    public async Task Run_TableOfAnotherConfiguration_IsRemovedToo()
    {
        await using var mesh = new AgentHarness(2).Settled(2);
        await mesh.Pass.RunAsync(true, Token);
        var report = new CleanupReport();
        await new NodeCleanup(mesh.Links.At(new RouteTable(300, 90)), mesh.Firewall, mesh.Witness, DeviceNames.Default, _ => mesh.Devices)
            .RunAsync(TestMesh.Name(1), null, report, Token);
        Assert.Equal(["device", "route", "rule", "firewall"], report.Removed.Select(item => item.Kind).Where(kind => kind != "witness"));
        Assert.Equal((0, 0), (mesh.Links.Routes.Count, mesh.Links.Rules.Count));
    }

    [Fact]
    public async Task Run_DeviceOfSomebodyElse_IsLeft()
    {
        await using var mesh = new AgentHarness(2);
        mesh.Devices.Change(Name, device => device with { PublicKey = TestMesh.Key(1), FirewallMark = 0xe00 });
        var report = await CleanAsync(mesh);
        Assert.Contains("somebody else", Assert.Single(report.Kept).Reason, StringComparison.Ordinal);
        Assert.Empty(report.Removed);
        Assert.False(report.IsUndecided);
        Assert.NotNull(mesh.Devices.Peek(Name));
    }

    // Without the configuration only the routes tell; without those, too, nothing is removed on a guess.
    [Fact]
    public async Task Run_RosterUnknown_DecidesByTheRoutes()
    {
        await using var mesh = new AgentHarness(2).Settled(2);
        await mesh.Pass.RunAsync(true, Token);
        await mesh.Links.DeleteRouteAsync(new Route(TestMesh.PodCIDR(2), Name), Token);
        var undecided = await CleanAsync(mesh, withRoster: false);
        Assert.True(undecided.IsUndecided);
        Assert.Contains("--config", Assert.Single(undecided.Kept).Reason, StringComparison.Ordinal);
        Assert.NotNull(mesh.Devices.Peek(Name));

        await mesh.Pass.RunAsync(true, Token);
        Assert.Contains(new CleanupItem("device", Name), (await CleanAsync(mesh, withRoster: false)).Removed);
    }

    // As when the API server is away: the idle device's peers are told by the routes through the other one, also if the run was
    // interrupted.
    [Fact]
    public async Task Run_TwoDevicesAndRosterUnknown_RemovesTheIdleOneFirst()
    {
        await using var mesh = new AgentHarness(TimeSpan.FromSeconds(30), slots: 2, [2]).Settled(2);
        await mesh.Pass.RunAsync(true, Token);
        mesh.Devices.Change("cilium_wg1", device => device with { PublicKey = TestMesh.Key(1), Peers = mesh.Device.Peers });

        var report = await CleanAsync(mesh, withRoster: false);

        Assert.Empty(report.Kept);
        Assert.Equal(["cilium_wg1", Name], report.Removed.Where(item => item.Kind == "device").Select(item => item.Name));
    }

    [Fact]
    public async Task Run_LinkOfAnotherKind_IsLeft()
    {
        await using var mesh = new AgentHarness(2);
        mesh.Links.AddLink(Name);
        var report = new CleanupReport();
        await new NodeCleanup(mesh.Links, mesh.Firewall, mesh.Witness, DeviceNames.Default, _ => null)
            .RunAsync(TestMesh.Name(1), mesh.Roster.Current, report, Token);
        Assert.Contains("link of kind", Assert.Single(report.Kept).Reason, StringComparison.Ordinal);
        Assert.NotNull(await mesh.Links.TryGetLinkAsync(Name, Token));
    }

    // The next run still knows that the device was ours, and does the rest.
    [Fact]
    public async Task Run_FailsInTheMiddle_ReportsWhatIsGoneAndTheNextFinishes()
    {
        await using var mesh = new AgentHarness(2).Settled(2);
        await mesh.Pass.RunAsync(true, Token);
        var report = new CleanupReport();
        var isFailing = true;
        mesh.Links.OnCall = (call, _) => isFailing && call.Operation == nameof(ILinkClient.DeleteRuleAsync)
            ? throw new LinuxException("delete the rule", EPERM, "told to fail")
            : Task.CompletedTask;
        await Assert.ThrowsAsync<LinuxException>(() => Cleanup(mesh).RunAsync(TestMesh.Name(1), mesh.Roster.Current, report, Token));
        Assert.Equal(["device", "route"], report.Removed.Select(item => item.Kind));
        isFailing = false;
        Assert.Equal([new CleanupItem("rule", "from 10.0.1.0/24"), Firewall, Witness], (await CleanAsync(mesh)).Removed);
    }

    private static NodeCleanup Cleanup(AgentHarness mesh) =>
        new(mesh.Links, mesh.Firewall, mesh.Witness, DeviceNames.Default, _ => mesh.Devices);

    private static async Task<CleanupReport> CleanAsync(AgentHarness mesh, bool withRoster = true)
    {
        var report = new CleanupReport();
        await Cleanup(mesh).RunAsync(TestMesh.Name(1), withRoster ? mesh.Roster.Current : null, report, Token);
        return report;
    }
}
