using System.Net;
using Orleans.WireGuard.Grains.Rotation;
using Orleans.WireGuard.Keys;
using Orleans.WireGuard.Linux;
using Orleans.WireGuard.Linux.Devices;
using Orleans.WireGuard.Linux.Routing;
using Orleans.WireGuard.Tests.Support;
using static Orleans.WireGuard.Linux.Errno;

namespace Orleans.WireGuard.Tests.Unit.Agent;

/// <summary>
/// A silo that finds a device: its own is adopted, another's is left alone; and what others do while it runs is repaired and counted.
/// </summary>
public sealed class AdoptionTests
{
    private const string Name = "cilium_wg0";

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task ReadKeyPair_OwnLeftover_IsItsKey()
    {
        using var left = KeyPair.Create();
        await using var mesh = new AgentHarness(2);
        mesh.Devices.Change(Name, device => device with { Peers = [Peer(2)] }, left);
        using var adopted = await mesh.Agent.ReadKeyPairAsync(Slot.Zero, Token);
        Assert.Equal(left.PublicKey, adopted!.PublicKey);
        Assert.Null(await mesh.Agent.ReadKeyPairAsync(Slot.One, Token));
    }

    [Fact]
    public async Task ReadKeyPair_NoDeviceOrNoKey_IsNull()
    {
        await using var mesh = new AgentHarness(2);
        Assert.Null(await mesh.Agent.ReadKeyPairAsync(Slot.Zero, Token));
        mesh.Devices.Change(Name, device => device with { Peers = [Peer(2)] });
        Assert.Null(await mesh.Agent.ReadKeyPairAsync(Slot.Zero, Token));
    }

    [Fact]
    public async Task Run_DeviceOfSomebodyElse_IsRefusedAndNotTouched()
    {
        using var theirs = KeyPair.Create();
        await using var mesh = new AgentHarness(2).Settled(2);
        mesh.Devices.Change(Name, device => device with { ListenPort = 51820, Peers = [Stranger] }, theirs);
        var before = mesh.Device;
        Assert.Contains("configured by somebody else", (await Assert.ThrowsAsync<LinuxException>(() =>
            mesh.Pass.RunAsync(true, Token))).Message, StringComparison.Ordinal);
        Assert.Contains("Three ways out", (await Assert.ThrowsAsync<InvalidOperationException>(() =>
            mesh.Agent.ReadKeyPairAsync(Slot.Zero, Token))).Message, StringComparison.Ordinal);
        Assert.Equal((before, 0), (mesh.Device, mesh.Writes));
    }

    // Its former owner knows the private half, so that key is not adopted.
    [Fact]
    public async Task Run_TakeOver_ReplacesKeyAndPeers()
    {
        using var theirs = KeyPair.Create();
        await using var mesh = new AgentHarness(2).Settled(2);
        mesh.DeviceOptions.TakeOver = true;
        mesh.Devices.Change(Name, device => device with { ListenPort = 51820, Peers = [Stranger] }, theirs);
        Assert.Null(await mesh.Agent.ReadKeyPairAsync(Slot.Zero, Token));
        await mesh.Pass.RunAsync(true, Token);
        Assert.Equal([TestMesh.Key(2)], mesh.Device.Peers.Select(peer => peer.PublicKey));
        Assert.Equal((mesh.Ring.Find(Slot.Zero)!.KeyPair.PublicKey, TestMesh.ListenPort), (mesh.Device.PublicKey, mesh.Device.ListenPort));
    }

    [Fact]
    public async Task Run_RosterUnknown_WritesNothingUntilItIsKnown()
    {
        using var left = KeyPair.Create();
        await using var mesh = new AgentHarness(2);
        mesh.Roster.Set(null);
        mesh.Devices.Change(Name, device => device with { Peers = [Peer(2)] }, left);
        var result = await mesh.Pass.RunAsync(true, Token);
        Assert.Equal(("waits for the first answer of the node source", 0), (result.Snapshot.Problem, mesh.Writes));
        await Assert.ThrowsAsync<InvalidOperationException>(() => mesh.Agent.ReadKeyPairAsync(Slot.Zero, Token));
        mesh.Roster.Set(TestMesh.Roster(1, 2));
        await mesh.Pass.RunAsync(true, Token);
        Assert.Equal(TestMesh.ListenPort, mesh.Device.ListenPort);
    }

    // Adopted means that nothing is written: not the key, not a peer, before all sources have answered and after it.
    [Fact]
    public async Task Run_Adopted_WritesNothingToTheDevice()
    {
        await using var former = new AgentHarness(2, 3).Settled(2, 3);
        await former.Pass.RunAsync(true, Token);
        await using var mesh = new AgentHarness(2, 3);
        using var key = await former.Agent.ReadKeyPairAsync(Slot.Zero, Token);
        mesh.Devices.Change(Name, _ => former.Device, key);
        await mesh.Pass.RunAsync(true, Token);
        _ = mesh.Ring.Replace(
            new SlotKey(Slot.Zero, (await mesh.Agent.ReadKeyPairAsync(Slot.Zero, Token))!, new Epoch(1), mesh.Time.GetUtcNow()));
        mesh.Announce(2);
        await mesh.Pass.RunAsync(true, Token);
        mesh.Store.MarkSynced();
        await mesh.Pass.RunAsync(true, Token);
        mesh.Announce(3);
        await mesh.Pass.RunAsync(true, Token);
        Assert.Equal((former.Device, 0), (mesh.Device, mesh.Devices.CountOf(nameof(IWireGuardClient.ConfigureAsync))));
        Assert.Empty(mesh.Pass.Drifts);
    }

    [Fact]
    public async Task Run_OwnWrites_AreNoDrift()
    {
        await using var mesh = new AgentHarness(2, 3, 4).Settled(2, 3);
        await mesh.Pass.RunAsync(true, Token);
        mesh.Announce(4);
        mesh.Announce(2, TestMesh.Key(22), 1);
        mesh.MakeKey();
        await mesh.Pass.RunAsync(false, Token);
        mesh.Links.PathMtu = 1400;
        mesh.Roster.Set(TestMesh.Roster(1, 2, 3));
        mesh.Store.ForgetAbsent(mesh.Roster.Current!);
        await mesh.Pass.RunAsync(true, Token);
        await mesh.Pass.RunAsync(true, Token);
        Assert.Empty(mesh.Pass.Drifts);
    }

    public static TheoryData<DriftKind> Kinds => [.. Enum.GetValues<DriftKind>()];

    [Theory]
    [MemberData(nameof(Kinds))]
    public async Task Run_SomebodyChanged_IsRepairedAndCountedOnce(DriftKind kind)
    {
        await using var mesh = new AgentHarness(2, 3).Settled(2, 3);
        await mesh.Pass.RunAsync(true, Token);
        var (device, link) = (mesh.Device, (await mesh.Links.TryGetLinkAsync(Name, Token))!);
        var (routes, rules, check) = (await mesh.Links.GetRoutesAsync(
            Token), await mesh.Links.GetRulesAsync(Token), await mesh.Links.GetSourceCheckAsync(Name, Token));

        await TamperAsync(mesh, kind);
        await mesh.Pass.RunAsync(true, Token);
        await mesh.Pass.RunAsync(true, Token);

        Assert.Equal([(kind, 1L)], mesh.Pass.Drifts.Select(drift => (drift.Kind, drift.Count)));
        Assert.Equal(device with { Peers = [] }, mesh.Device with { Peers = [] });
        Assert.Equal(device.Peers, mesh.Device.Peers);
        Assert.Equal(link with { Index = 0 }, (await mesh.Links.TryGetLinkAsync(Name, Token))! with { Index = 0 });
        Assert.Equal(
            (routes, rules, check),
            (await mesh.Links.GetRoutesAsync(Token), await mesh.Links.GetRulesAsync(Token), await mesh.Links.GetSourceCheckAsync(
                Name, Token)));
    }

    [Fact]
    public async Task Run_SomebodyRoutesInOurTable_IsRepairedAndCountedOnce()
    {
        await using var mesh = new AgentHarness(2, 3).Settled(2, 3);
        await mesh.Pass.RunAsync(true, Token);
        mesh.Links.ForeignRoutes.Add(new ForeignRoute("default via 192.168.0.9 dev eth0 proto 3", []));
        await mesh.Pass.RunAsync(true, Token);
        await mesh.Pass.RunAsync(true, Token);
        Assert.Equal([(DriftKind.RouteAdded, 1L)], mesh.Pass.Drifts.Select(drift => (drift.Kind, drift.Count)));
        Assert.Empty(mesh.Links.ForeignRoutes);
    }

    // A userspace device answers for a moment after its link was deleted, from some point on without its peers.
    [Theory]
    [InlineData(false, false)]
    [InlineData(false, true)]
    [InlineData(true, false)]
    [InlineData(true, true)]
    public async Task Run_LinkDeletedBeforeItsProcessEnded_IsCountedOnce(bool isRingSettled, bool isWithoutPeers)
    {
        await using var mesh = new AgentHarness(2).Settled(2);
        if (isRingSettled)
        {
            mesh.Ring.Settle();
        }

        await mesh.Pass.RunAsync(true, Token);
        mesh.Links.RemoveLink(Name);
        if (isWithoutPeers)
        {
            mesh.Devices.Change(Name, device => device with { Peers = [] });
        }

        await Assert.ThrowsAsync<LinuxException>(() => mesh.Pass.RunAsync(true, Token));
        Assert.Equal(isRingSettled ? 1 : 0, mesh.Devices.Calls.Count(call => call.Operation == nameof(IWireGuardClient.DeleteDeviceAsync)));
        mesh.Devices.Remove(Name);
        await mesh.Pass.RunAsync(true, Token);
        Assert.Equal([(DriftKind.LinkDeleted, 1L)], mesh.Pass.Drifts.Select(drift => (drift.Kind, drift.Count)));
        Assert.Single(await mesh.Links.GetRoutesAsync(Token));
    }

    // Another link of the same name, between two passes that read no link.
    [Fact]
    public async Task Run_LinkReplacedByAnother_HasItsRoutesAndMtuAgainWithoutAResync()
    {
        await using var mesh = new AgentHarness(2, 3).Settled(2, 3);
        await mesh.Pass.RunAsync(true, Token);
        var mtu = (await mesh.Links.TryGetLinkAsync(Name, Token))!.Mtu;
        mesh.Links.RemoveLink(Name);
        mesh.Links.AddLink(Name);
        mesh.Devices.Change(Name, device => device with { Peers = [] });

        await mesh.Pass.RunAsync(false, Token);

        Assert.Equal(2, mesh.Device.Peers.Count);
        Assert.Equal(2, (await mesh.Links.GetRoutesAsync(Token)).Count);
        Assert.Equal(mtu, (await mesh.Links.TryGetLinkAsync(Name, Token))!.Mtu);
        Assert.Equal([(DriftKind.LinkDeleted, 1L)], mesh.Pass.Drifts.Select(drift => (drift.Kind, drift.Count)));
    }

    // A write of ours that half succeeds is not somebody else's.
    [Fact]
    public async Task Run_WriteFailsHalfway_IsNoDrift()
    {
        await using var mesh = new AgentHarness(2, 3, 4).Settled(2);
        await mesh.Pass.RunAsync(true, Token);
        mesh.Announce(3);
        mesh.Announce(4);
        mesh.Devices.FailCall(mesh.Devices.Calls.Count + 2, appliedPeers: 1);
        await Assert.ThrowsAsync<LinuxException>(() => mesh.Pass.RunAsync(true, Token));
        Assert.Equal(2, mesh.Device.Peers.Count);
        await mesh.Pass.RunAsync(true, Token);
        Assert.Equal(3, mesh.Device.Peers.Count);
        Assert.Empty(mesh.Pass.Drifts);
    }

    [Fact]
    public async Task Run_DeviceDeletedBetweenReadAndWrite_IsMadeAgainByTheNext()
    {
        await using var mesh = new AgentHarness(2, 3).Settled(2);
        await mesh.Pass.RunAsync(true, Token);
        mesh.Announce(3);
        mesh.Devices.OnCall = (call, _) =>
        {
            if (call.Operation == nameof(IWireGuardClient.ConfigureAsync))
            {
                mesh.Devices.OnCall = null;
                mesh.Devices.Remove(Name);
            }

            return Task.CompletedTask;
        };
        Assert.Equal(ENODEV, (await Assert.ThrowsAsync<LinuxException>(() => mesh.Pass.RunAsync(false, Token))).Errno);
        await mesh.Pass.RunAsync(true, Token);
        Assert.Equal(2, mesh.Device.Peers.Count);
        Assert.Equal(2, (await mesh.Links.GetRoutesAsync(Token)).Count);
    }

    // WireGuard binds its port when the link goes up, not before.
    [Fact]
    public async Task Run_PortTaken_SaysSoAndGoesOnWhenItIsFree()
    {
        await using var mesh = new AgentHarness(2).Settled(2);
        var isTaken = true;
        mesh.Links.OnCall = (call, _) => isTaken && call.Operation == nameof(ILinkClient.SetUpAsync)
            ? throw new LinuxException(
                $"bring link {Name} up", EADDRINUSE, "the UDP port of the device is taken: see 'ss -lunp' for by whom, or use another one")
            : Task.CompletedTask;
        var delay = await mesh.StartAsync();
        Assert.Contains("UDP port of the device is taken", mesh.Agent.Snapshot.Problem, StringComparison.Ordinal);
        isTaken = false;
        mesh.Time.Advance(delay);
        await mesh.NextWaitAsync();
        Assert.Null(mesh.Agent.Snapshot.Problem);
        Assert.Single(await mesh.Links.GetRoutesAsync(Token));
    }

    [Fact]
    public async Task RequestLook_RouteDeleted_IsRepairedWithoutWaiting()
    {
        await using var mesh = new AgentHarness(2).Settled(2);
        await mesh.StartAsync();
        await mesh.Links.DeleteRouteAsync(new Route(TestMesh.PodCIDR(2), Name), Token);
        mesh.Agent.RequestLook(KernelNews.Routes);
        await mesh.NextWaitAsync();
        Assert.Single(await mesh.Links.GetRoutesAsync(Token));
        Assert.Equal([DriftKind.RouteDeleted], mesh.Agent.Snapshot.Drifts.Select(drift => drift.Kind));
    }

    [Fact]
    public async Task Poll_PeerRemoved_IsRepairedAfterASecond()
    {
        await using var mesh = new AgentHarness(poll: TimeSpan.FromSeconds(1), 2).Settled(2);
        Assert.Equal(TimeSpan.FromSeconds(1), await mesh.StartAsync());
        var (reads, writes) = (mesh.Links.Calls.Count, mesh.Writes);
        mesh.Time.Advance(TimeSpan.FromSeconds(1));
        await mesh.NextWaitAsync();

        // The packet counter alone is read anew: it tells who still sends on a slot.
        Assert.Equal(nameof(ILinkClient.GetTrafficAsync), Assert.Single(mesh.Links.Calls.Skip(reads)).Operation);
        Assert.Equal(writes, mesh.Writes);

        mesh.Devices.Change(Name, device => device with { Peers = [] });
        mesh.Time.Advance(TimeSpan.FromSeconds(1));
        await mesh.NextWaitAsync();
        Assert.Single(mesh.Device.Peers);
        Assert.Equal([DriftKind.PeerRemoved], mesh.Agent.Snapshot.Drifts.Select(drift => drift.Kind));
    }

    private static readonly DevicePeer Stranger = new(
        TestMesh.Key(99), IPEndPoint.Parse("203.0.113.9:51820"), [IPPrefix.Parse("10.99.0.0/16")], TimeSpan.Zero, null, 0, 0);

    private static DevicePeer Peer(int node) =>
        new(TestMesh.Key(node), TestMesh.Endpoint(node), [TestMesh.PodCIDR(node)], TimeSpan.Zero, null, 0, 0);

    private static async Task TamperAsync(AgentHarness mesh, DriftKind kind)
    {
        using var key = KeyPair.Create();
        var route = new Route(TestMesh.PodCIDR(2), Name);
        switch (kind)
        {
            case DriftKind.PeerAdded:
                mesh.Devices.Change(Name, device => device with { Peers = [.. device.Peers, Stranger] });
                break;
            case DriftKind.PeerRemoved:
                mesh.Devices.Change(Name, device => device with { Peers = [device.Peers[1]] });
                break;
            case DriftKind.EndpointChanged:
                mesh.Devices.ChangePeer(Name, TestMesh.Key(2), peer => peer with { Endpoint = Stranger.Endpoint });
                break;
            case DriftKind.KeyChanged:
                mesh.Devices.Change(Name, device => device, key);
                break;
            case DriftKind.PortChanged:
                mesh.Devices.Change(Name, device => device with { ListenPort = 1 });
                break;
            case DriftKind.FirewallMarkChanged:
                mesh.Devices.Change(Name, device => device with { FirewallMark = 7 });
                break;
            case DriftKind.AllowedIPsChanged:
                mesh.Devices.ChangePeer(Name, TestMesh.Key(2), peer => peer with { AllowedIPs = [] });
                break;
            case DriftKind.KeepaliveChanged:
                mesh.Devices.ChangePeer(Name, TestMesh.Key(2), peer => peer with { PersistentKeepaliveInterval = TimeSpan.FromSeconds(7) });
                break;
            case DriftKind.WitnessChanged:
                mesh.Witness.State = null;
                break;
            case DriftKind.LinkDown:
                mesh.Links.SetDown(Name);
                break;
            case DriftKind.LinkDeleted:
                mesh.Devices.Remove(Name);
                break;
            case DriftKind.LinkRenamed:
                mesh.Links.RenameLink(Name, "renamed");
                break;
            case DriftKind.RouteDeleted:
                await mesh.Links.DeleteRouteAsync(route, Token);
                break;
            case DriftKind.RouteAdded:
                await mesh.Links.ReplaceRouteAsync(route with { Destination = TestMesh.PodCIDR(9) }, Token);
                break;
            case DriftKind.RuleDeleted:
                await mesh.Links.DeleteRuleAsync(TestMesh.PodCIDR(1), Token);
                break;
            case DriftKind.RuleAdded:
                await mesh.Links.AddRuleAsync(TestMesh.PodCIDR(9), Token);
                break;
            case DriftKind.MtuChanged:
                await mesh.Links.SetMtuAsync(Name, 1300, Token);
                break;
            case DriftKind.SourceCheckChanged:
                mesh.Links.SetSourceCheck(Name, SourceCheck.Loose with { IsLoose = false });
                break;
            case DriftKind.AddressDeleted:
                mesh.Links.SetSourceCheck(Name, SourceCheck.Loose with { HasAddress = false });
                break;
            default:
                Assert.Fail($"Nobody said how to do {kind}.");
                break;
        }
    }
}
