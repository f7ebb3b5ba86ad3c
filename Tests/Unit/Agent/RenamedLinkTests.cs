using Orleans.WireGuard.Grains.Rotation;
using Orleans.WireGuard.Keys;
using Orleans.WireGuard.Linux;
using Orleans.WireGuard.Linux.Devices;
using Orleans.WireGuard.Linux.Routing;
using Orleans.WireGuard.Silo.Agent;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.Unit.Agent;

/// <summary>Somebody renames a device's link: it gets its name back, with its key, whoever made it and whatever reads it.</summary>
public sealed class RenamedLinkTests
{
    private const string Name = "cilium_wg0";
    private const string Other = "renamed";

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Run_LinkIsRenamed_IsRenamedBackWithItsKey(bool isUserspace)
    {
        await using var mesh = New(isUserspace).Settled(2);
        await mesh.Pass.RunAsync(true, Token);
        var (key, index) = (mesh.Device.PublicKey, (await mesh.Links.TryGetLinkAsync(Name, Token))!.Index);
        mesh.Links.RenameLink(Name, Other);

        Assert.True((await mesh.Pass.RunAsync(true, Token)).IsApplied);

        Assert.Equal((key, index), (mesh.Device.PublicKey, (await mesh.Links.TryGetLinkAsync(Name, Token))!.Index));
        Assert.Null(await mesh.Links.TryGetLinkAsync(Other, Token));
        Assert.Equal(1, mesh.Devices.CountOf(nameof(IWireGuardClient.CreateDeviceAsync)));
        Assert.Equal((DriftKind.LinkRenamed, 1, Other), (Assert.Single(
            mesh.Pass.Drifts).Kind, mesh.Pass.Drifts[0].Count, mesh.Pass.Drifts[0].LastSubject));
    }

    // A new process knows no number.
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Run_LinkWasRenamedBeforeTheSiloStarted_IsAdoptedAndRenamedBack(bool isUserspace)
    {
        await using var mesh = New(isUserspace);
        using var key = KeyPair.Create();
        Leave(mesh, key, peer: 2);
        mesh.Links.RenameLink(Name, Other);
        mesh.Store.MarkSynced();

        var adopted = await mesh.Pass.ReadKeyPairAsync(Slot.Zero, Token);
        Assert.Equal(key.PublicKey, adopted?.PublicKey);
        mesh.Ring.Replace(new SlotKey(Slot.Zero, adopted!, new Epoch(1), mesh.Time.GetUtcNow()));
        mesh.Announce(2);
        Assert.True((await mesh.Pass.RunAsync(true, Token)).IsApplied);

        Assert.NotNull(await mesh.Links.TryGetLinkAsync(Name, Token));
        Assert.Equal(key.PublicKey, mesh.Device.PublicKey);
        Assert.Equal(0, mesh.Devices.CountOf(nameof(IWireGuardClient.CreateDeviceAsync)));
    }

    // Another VPN may use the port, too; what is on the device tells.
    [Fact]
    public async Task Run_SomebodyElsesDeviceHasOurPort_IsNotRenamed()
    {
        await using var mesh = New(isUserspace: false).Settled(2);
        using var key = KeyPair.Create();
        Leave(mesh, key, peer: 99);
        mesh.Links.RenameLink(Name, Other);

        await mesh.Pass.RunAsync(true, Token);

        Assert.NotNull(await mesh.Links.TryGetLinkAsync(Other, Token));
        Assert.Equal(0, mesh.Links.CountOf(nameof(ILinkClient.RenameAsync)));
    }

    // Nobody can say what became of its link: one that is made anew, with the same key, is better than none.
    [Fact]
    public async Task Run_DeviceAnswersAndHasNoLink_IsMadeAnewWithItsKey()
    {
        await using var mesh = New(isUserspace: true).Settled(2);
        mesh.Ring.Settle();
        await mesh.Pass.RunAsync(true, Token);
        var key = mesh.Device.PublicKey;
        mesh.Links.RemoveLink(Name);

        await Assert.ThrowsAsync<LinuxException>(() => mesh.Pass.RunAsync(true, Token));
        Assert.True((await mesh.Pass.RunAsync(true, Token)).IsApplied);

        Assert.NotNull(await mesh.Links.TryGetLinkAsync(Name, Token));
        Assert.Equal((key, 2), (mesh.Device.PublicKey, mesh.Devices.CountOf(nameof(IWireGuardClient.CreateDeviceAsync))));
    }

    private static AgentHarness New(bool isUserspace) => new(new DeviceOptions().ResyncInterval, slots: 1, [2], isUserspace);

    // What a former silo, or somebody else, left: told apart by the pod CIDR of the peer.
    private static void Leave(AgentHarness mesh, KeyPair key, int peer) => mesh.Devices.Change(
        Name,
        device => device with
        {
            ListenPort = TestMesh.ListenPort,
            Peers = [new(TestMesh.Key(peer), TestMesh.Endpoint(peer), [TestMesh.PodCIDR(peer)], TimeSpan.Zero, null, 0, 0)],
        },
        key);
}
