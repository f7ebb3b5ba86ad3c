using Orleans.WireGuard.Keys;
using Orleans.WireGuard.Linux.Devices;
using Orleans.WireGuard.Linux.Routing;
using Orleans.WireGuard.Silo.Agent;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.Unit.Agent;

/// <summary>Devices with other names than those of the silo before: carried over if they can be, else removed.</summary>
public sealed class DeviceNamesTests
{
    private const string Former = "cilium_wg0";
    private const string Present = "cilium_a";

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Run_OtherNamesThanTheFormerSilos_RenamesTheDeviceWithItsKeyAndRoutes()
    {
        await using var mesh = New(isUserspace: false);
        using var key = KeyPair.Create();
        Leave(mesh, key, peer: 2, TestMesh.ListenPort);
        await mesh.Links.SetUpAsync(Former, Token);
        await mesh.Links.ReplaceRouteAsync(new Route(TestMesh.PodCIDR(2), Former), Token);
        Assert.True((await mesh.Pass.RunAsync(true, Token)).IsApplied);

        Assert.Null(mesh.Devices.Peek(Former));
        Assert.Equal(TestMesh.Key(2), Assert.Single(mesh.Devices.Peek(Present)!.Peers).PublicKey);
        Assert.Contains(new Route(TestMesh.PodCIDR(2), Present), mesh.Links.Routes);
        Assert.Equal(0, mesh.Devices.CountOf(nameof(IWireGuardClient.CreateDeviceAsync)));
    }

    // It answers to the name that its process was started with, and keeps the port.
    [Fact]
    public async Task Run_OtherNamesThanTheFormerSilosInUserspace_MakesTheDeviceAnew()
    {
        await using var mesh = New(isUserspace: true);
        using var key = KeyPair.Create();
        Leave(mesh, key, peer: 2, TestMesh.ListenPort);
        Assert.True((await mesh.Pass.RunAsync(true, Token)).IsApplied);
        Assert.Null(mesh.Devices.Peek(Former));
        Assert.Equal(TestMesh.Key(2), Assert.Single(mesh.Devices.Peek(Present)!.Peers).PublicKey);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Run_DeviceOfSomebodyElseWithTheDefaultName_IsLeft(bool isUserspace)
    {
        await using var mesh = New(isUserspace);
        using var key = KeyPair.Create();
        Leave(mesh, key, peer: 99, port: 51999);
        Assert.True((await mesh.Pass.RunAsync(true, Token)).IsApplied);
        Assert.Equal(TestMesh.Key(99), Assert.Single(mesh.Devices.Peek(Former)!.Peers).PublicKey);
        Assert.NotNull(mesh.Devices.Peek(Present));
    }

    // Whoever removes the silo may have another configuration by now, and the default names are looked for in any.
    [Fact]
    public async Task Cleanup_OtherNames_RemovesThoseAndTheDefaultOnes()
    {
        await using var mesh = New(isUserspace: false);
        await mesh.Pass.RunAsync(true, Token);
        using var key = KeyPair.Create();
        Leave(mesh, key, peer: 2, port: 51999);
        var report = new CleanupReport();
        await new NodeCleanup(mesh.Links, mesh.Firewall, mesh.Witness, new DeviceNames(Present, "cilium_b"), _ => mesh.Devices)
            .RunAsync(TestMesh.Name(1), mesh.Roster.Current, report, Token);
        Assert.Equal(
            [Present, Former], report.Removed.Where(item => item.Kind == "device").Select(item => item.Name).Order(StringComparer.Ordinal));
    }

    // The clean-up's settings may not be the silos'.
    [Fact]
    public async Task Cleanup_NamesThatItsSettingsDoNotHave_AreKnownByTheRoutes()
    {
        await using var mesh = New(isUserspace: false);
        await mesh.Pass.RunAsync(true, Token);
        var report = new CleanupReport();
        await new NodeCleanup(mesh.Links, mesh.Firewall, mesh.Witness, DeviceNames.Default, _ => mesh.Devices)
            .RunAsync(TestMesh.Name(1), mesh.Roster.Current, report, Token);
        Assert.Equal(Present, Assert.Single(report.Removed, item => item.Kind == "device").Name);
        Assert.Null(mesh.Devices.Peek(Present));
    }

    private static AgentHarness New(bool isUserspace) =>
        new AgentHarness(new DeviceOptions().ResyncInterval, slots: 1, [2], isUserspace, [Present, "cilium_b"]).Settled(2);

    private static void Leave(AgentHarness mesh, KeyPair key, int peer, ushort port) => mesh.Devices.Change(
        Former,
        device => device with
        {
            ListenPort = port,
            Peers = [new(TestMesh.Key(peer), TestMesh.Endpoint(peer), [TestMesh.PodCIDR(peer)], TimeSpan.Zero, null, 0, 0)],
        },
        key);
}
