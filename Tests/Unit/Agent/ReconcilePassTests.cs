using Orleans.WireGuard.Grains.Agent;
using Orleans.WireGuard.Linux;
using Orleans.WireGuard.Linux.Devices;
using Orleans.WireGuard.Linux.Routing;
using Orleans.WireGuard.Silo.Agent;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.Unit.Agent;

/// <summary>One pass from what is there to what should be, and the order of its writes.</summary>
public sealed class ReconcilePassTests
{
    private const string Name = "cilium_wg0";

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Run_NothingThere_MakesTheDeviceAndItsRoutes()
    {
        await using var mesh = new AgentHarness(2, 3).Settled(2, 3);
        var result = await mesh.Pass.RunAsync(true, Token);
        Assert.Null(result.Snapshot.Problem);
        Assert.Null(result.LookAgainAfter);
        Assert.Equal(mesh.Ring.Find(Slot.Zero)!.KeyPair.PublicKey, mesh.Device.PublicKey);
        Assert.Equal(TestMesh.ListenPort, mesh.Device.ListenPort);
        Assert.Equal([TestMesh.Key(2), TestMesh.Key(3)], mesh.Device.Peers.Select(peer => peer.PublicKey));
        Assert.Equal(new Link(Name, 1, 1440, true), await mesh.Links.TryGetLinkAsync(Name, Token));
        Assert.Equal([new Route(TestMesh.PodCIDR(2), Name), new Route(TestMesh.PodCIDR(3), Name)], await mesh.Links.GetRoutesAsync(Token));
        Assert.Equal([TestMesh.PodCIDR(1)], await mesh.Links.GetRulesAsync(Token));
        var status = Assert.Single(result.Snapshot.Devices);
        Assert.Equal((mesh.Device.PublicKey, 1440, Transport.Uapi), (status.PublicKey, status.Mtu, status.Transport));
        Assert.Equal(["node-2", "node-3"], status.Peers.Select(peer => peer.NodeName));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Run_NothingChanged_WritesNothing(bool isResync)
    {
        await using var mesh = new AgentHarness(2, 3).Settled(2, 3);
        await mesh.Pass.RunAsync(true, Token);
        var writes = mesh.Writes;
        await mesh.Pass.RunAsync(isResync, Token);
        Assert.Equal(writes, mesh.Writes);
    }

    // Its routes are new, and those of the others are where they were: also when somebody had deleted one.
    [Fact]
    public async Task Run_NodeJoinsOrARouteIsRepaired_MovesNoTraffic()
    {
        await using var mesh = new AgentHarness(2, 3).Settled(2);
        _ = await mesh.Pass.RunAsync(true, Token);
        mesh.Announce(3);
        await mesh.Links.DeleteRouteAsync(new Route(TestMesh.PodCIDR(2), Name), Token);
        var replaced = mesh.Links.CountOf(nameof(ILinkClient.ReplaceRouteAsync));
        var result = await mesh.Pass.RunAsync(true, Token);
        Assert.Equal(replaced + 2, mesh.Links.CountOf(nameof(ILinkClient.ReplaceRouteAsync)));
        Assert.Equal(2, result.Snapshot.Paths.Count);
        Assert.Empty(result.Snapshot.Moves);
    }

    [Fact]
    public async Task Run_NoKey_LeavesNothingBehind()
    {
        await using var mesh = new AgentHarness(2);
        mesh.Store.MarkSynced();
        var snapshot = new AgentSnapshot([], NodeProblem.Of(NodeProblemCode.HasNoKey), 0)
        {
            Encapsulations = null,
        };
        Assert.Equal(new PassResult(snapshot, null, false), await mesh.Pass.RunAsync(true, Token));
        Assert.Equal(0, mesh.Writes);
    }

    [Fact]
    public async Task Run_SourcesMissing_SaysWhich()
    {
        await using var mesh = new AgentHarness(2);
        mesh.MakeKey();
        mesh.Roster.Set(null);
        Assert.Equal("waits for the first answer of the node source", (await mesh.Pass.RunAsync(true, Token)).Snapshot.Problem.ToText());
        mesh.Roster.Set(TestMesh.Roster(1, 2));
        Assert.Equal("waits for the first answer of another silo", (await mesh.Pass.RunAsync(true, Token)).Snapshot.Problem.ToText());
        mesh.Store.MarkSynced();
        Assert.Null((await mesh.Pass.RunAsync(true, Token)).Snapshot.Problem);
    }

    // Invariant I4: what the sources do not mention stays until each of them has answered.
    [Fact]
    public async Task Run_BeforeSync_RemovesNoPeer()
    {
        await using var mesh = new AgentHarness(2, 3).Settled(2, 3);
        await mesh.Pass.RunAsync(true, Token);
        var device = mesh.Device;

        await using var restarted = new AgentHarness(2);
        restarted.Devices.Change(Name, _ => device with { PublicKey = null });
        restarted.MakeKey();
        await restarted.Pass.RunAsync(true, Token);
        Assert.Equal(device.Peers, restarted.Device.Peers);
        Assert.Equal(
            [TestMesh.PodCIDR(2), TestMesh.PodCIDR(3), IPPrefix.Host(TestMesh.Address(3))],
            (await restarted.Links.GetRoutesAsync(Token)).Select(route => route.Destination));

        // Node 2 is in the roster and its silo is down; node 3 is gone.
        restarted.Store.MarkSynced();
        await restarted.Pass.RunAsync(true, Token);
        Assert.Equal([TestMesh.Key(2)], restarted.Device.Peers.Select(peer => peer.PublicKey));
        Assert.Equal([TestMesh.PodCIDR(2)], (await restarted.Links.GetRoutesAsync(Token)).Select(route => route.Destination));
    }

    // Invariant I5.
    [Fact]
    public async Task Run_PeersChange_NeverSendsTheKeyAgain()
    {
        await using var mesh = new AgentHarness(2, 3).Settled(2);
        await mesh.Pass.RunAsync(true, Token);
        mesh.Announce(3);
        mesh.Announce(2, TestMesh.Key(22), 1);
        await mesh.Pass.RunAsync(false, Token);
        Assert.Equal([TestMesh.Key(3), TestMesh.Key(22)], mesh.Device.Peers.Select(peer => peer.PublicKey));
        Assert.Equal(1, mesh.Devices.KeyWrites);
        mesh.MakeKey();
        await mesh.Pass.RunAsync(false, Token);
        Assert.Equal(2, mesh.Devices.KeyWrites);
    }

    [Fact]
    public async Task Run_OnePeerChanges_SendsThatPeerOnly()
    {
        int[] others = [.. Enumerable.Range(2, 50)];
        await using var mesh = new AgentHarness(others).Settled(others);
        await mesh.Pass.RunAsync(true, Token);
        mesh.Announce(7, TestMesh.Key(1007), 1);
        await mesh.Pass.RunAsync(false, Token);
        Assert.Equal(
            [(TestMesh.Key(1007), PeerChange.Add), (TestMesh.Key(7), PeerChange.Remove)],
            mesh.Devices.Patches[^1].Peers.Select(change => (change.PublicKey, change.Change)));
    }

    [Fact]
    public async Task Run_DeviceDeleted_IsMadeAgainWithItsRoutes()
    {
        await using var mesh = new AgentHarness(2, 3).Settled(2, 3);
        await mesh.Pass.RunAsync(true, Token);
        var (device, routes) = (mesh.Device, await mesh.Links.GetRoutesAsync(Token));
        mesh.Devices.Remove(Name);
        Assert.Empty(await mesh.Links.GetRoutesAsync(Token));
        await mesh.Pass.RunAsync(false, Token);
        Assert.Equal(device, mesh.Device);
        Assert.Equal(routes, await mesh.Links.GetRoutesAsync(Token));
        Assert.Equal(
            (1440, true), ((await mesh.Links.TryGetLinkAsync(Name, Token))!.Mtu, (await mesh.Links.TryGetLinkAsync(Name, Token))!.IsUp));
    }

    [Fact]
    public async Task Run_SomebodyElseChangedTheDevice_IsRepaired()
    {
        await using var mesh = new AgentHarness(2, 3).Settled(2, 3);
        await mesh.Pass.RunAsync(true, Token);
        var device = mesh.Device;
        mesh.Devices.Change(
            Name, current => current with { ListenPort = 1, Peers = [current.Peers[1] with { AllowedIPs = [TestMesh.PodCIDR(9)] }] });
        await mesh.Pass.RunAsync(false, Token);
        Assert.Equal(device with { Peers = [device.Peers[0], device.Peers[1]] }, mesh.Device);
    }

    [Fact]
    public async Task Run_SomebodyElseTookTheLinkDown_IsRepairedByAResync()
    {
        await using var mesh = new AgentHarness(2).Settled(2);
        await mesh.Pass.RunAsync(true, Token);
        mesh.Links.SetDown(Name);
        await mesh.Pass.RunAsync(true, Token);
        Assert.True((await mesh.Links.TryGetLinkAsync(Name, Token))!.IsUp);
        Assert.Single(await mesh.Links.GetRoutesAsync(Token));
    }

    // A write that half succeeds: the next pass sees what is there, not what this process believes.
    [Fact]
    public async Task Run_WriteFailsHalfway_IsFinishedByTheNext()
    {
        await using var mesh = new AgentHarness(2, 3, 4).Settled(2, 3, 4);
        mesh.Devices.FailCall(4, appliedPeers: 1);
        Assert.Equal(5, (await Assert.ThrowsAsync<LinuxException>(() => mesh.Pass.RunAsync(true, Token))).Errno);
        Assert.Single(mesh.Device.Peers);
        await mesh.Pass.RunAsync(true, Token);
        Assert.Equal(3, mesh.Device.Peers.Count);
        Assert.Equal(1, mesh.Devices.KeyWrites);
        Assert.Equal(3, (await mesh.Links.GetRoutesAsync(Token)).Count);
    }

    [Theory]
    [InlineData(nameof(ILinkClient.SetUpAsync))]
    [InlineData(nameof(ILinkClient.SetMtuAsync))]
    [InlineData(nameof(ILinkClient.ReplaceRouteAsync))]
    [InlineData(nameof(ILinkClient.AddRuleAsync))]
    public async Task Run_LinkWriteFails_IsDoneByTheNext(string operation)
    {
        await using var mesh = new AgentHarness(2, 3).Settled(2, 3);
        var isFailing = true;
        mesh.Links.OnCall = (call, _) => isFailing && call.Operation == operation
            ? throw new LinuxException(operation, 5, "told to fail")
            : Task.CompletedTask;
        await Assert.ThrowsAsync<LinuxException>(() => mesh.Pass.RunAsync(true, Token));
        isFailing = false;
        await mesh.Pass.RunAsync(true, Token);
        Assert.Equal(new Link(Name, 1, 1440, true), await mesh.Links.TryGetLinkAsync(Name, Token));
        Assert.Equal(2, (await mesh.Links.GetRoutesAsync(Token)).Count);
        Assert.Equal([TestMesh.PodCIDR(1)], await mesh.Links.GetRulesAsync(Token));
    }

    [Fact]
    public async Task Run_SomebodyWritesAtTheSameTime_IsSaid()
    {
        await using var mesh = new AgentHarness(2).Settled(2);
        mesh.Devices.OnCall = (call, _) =>
        {
            if (call.Operation == nameof(IWireGuardClient.TryGetDeviceAsync)
                && mesh.Devices.CountOf(nameof(IWireGuardClient.ConfigureAsync)) > 0)
            {
                mesh.Devices.Change(Name, device => device with { Peers = [] });
            }

            return Task.CompletedTask;
        };
        Assert.Contains(
            "does somebody else configure it?",
            (await Assert.ThrowsAsync<LinuxException>(() => mesh.Pass.RunAsync(true, Token))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Run_NarrowPath_SetsTheMtuForAll()
    {
        await using var mesh = new AgentHarness(2, 3).Settled(2, 3);
        mesh.Links.SetPathMtu(TestMesh.Address(3), 1400);
        await mesh.Pass.RunAsync(true, Token);
        Assert.Equal(1340, (await mesh.Links.TryGetLinkAsync(Name, Token))!.Mtu);
        mesh.Links.SetPathMtu(TestMesh.Address(3), null);
        await mesh.Pass.RunAsync(true, Token);
        Assert.Equal(1440, (await mesh.Links.TryGetLinkAsync(Name, Token))!.Mtu);
    }

    [Fact]
    public async Task Run_MtuConfigured_IsUsed()
    {
        await using var mesh = new AgentHarness(2).Settled(2);
        mesh.DeviceOptions.Mtu = 1234;
        await mesh.Pass.RunAsync(true, Token);
        Assert.Equal(1234, (await mesh.Links.TryGetLinkAsync(Name, Token))!.Mtu);
        Assert.Equal(0, mesh.Links.CountOf(nameof(ILinkClient.TryGetPathAsync)));
        Assert.Empty(mesh.Probe.Sent);
    }

    // The kernel forgets what a router said after ten minutes: the device keeps its MTU until nobody objects any more.
    [Fact]
    public async Task Run_RouterSaysLessAndIsForgotten_DeviceKeepsItUntilNobodyObjects()
    {
        await using var mesh = new AgentHarness(2).Settled(2);
        mesh.Links.LinkMtu = 1500;
        Assert.Equal(1440, await RunAsync());
        mesh.Links.PathMtu = 1400;
        Assert.Equal(1340, await RunAsync());
        mesh.Links.PathMtu = 1500;
        for (var i = 0; i < PathProbing.Silences; i++)
        {
            Assert.Equal(1340, await RunAsync());
            Assert.Equal((TestMesh.Address(2), 1500), mesh.Probe.Sent[^1]);
        }

        Assert.Equal(1440, await RunAsync());
        Assert.Equal(2 + PathProbing.Silences, mesh.Probe.Sent.Count);

        async Task<int> RunAsync()
        {
            await mesh.Pass.RunAsync(true, Token);
            mesh.Time.Advance(mesh.DeviceOptions.ResyncInterval);
            return (await mesh.Links.TryGetLinkAsync(Name, Token))!.Mtu;
        }
    }

    // Node 2 announced after us and has acknowledged our key: it is ours to start.
    [Fact]
    public async Task Run_BothReady_StartsTheHandshakeAndStopsWhenItIsProven()
    {
        await using var mesh = new AgentHarness(2).Settled();
        mesh.Announce(2, revision: 2);
        mesh.Publish(1);
        Assert.Null((await mesh.Pass.RunAsync(true, Token)).LookAgainAfter);
        Assert.Equal(TimeSpan.Zero, mesh.Device.Peers[0].PersistentKeepaliveInterval);

        mesh.Publish(1, 2);
        Assert.NotNull((await mesh.Pass.RunAsync(false, Token)).LookAgainAfter);
        Assert.Equal(HandshakeStarter.StartInterval, mesh.Device.Peers[0].PersistentKeepaliveInterval);

        mesh.Time.Advance(TimeSpan.FromMilliseconds(3));
        mesh.Devices.ChangePeer(Name, TestMesh.Key(2), peer => peer with { LastHandshakeTime = mesh.Time.GetUtcNow() });
        Assert.Null((await mesh.Pass.RunAsync(false, Token)).LookAgainAfter);
        Assert.Equal(TimeSpan.Zero, mesh.Device.Peers[0].PersistentKeepaliveInterval);
    }

    // An initiation that reaches a device which does not know our new key is lost, and the next one comes 5 s later.
    [Fact]
    public async Task Run_NewKeyNotAnnounced_StartsNoHandshake()
    {
        await using var mesh = new AgentHarness(2).Settled();
        mesh.Announce(2, revision: 2);
        mesh.Publish(1, 2);
        mesh.MakeKey();
        await mesh.Pass.RunAsync(true, Token);
        Assert.Equal(TimeSpan.Zero, mesh.Device.Peers[0].PersistentKeepaliveInterval);
    }

    // On a good underlay the handshake is over before the device has been read back.
    [Fact]
    public async Task Run_HandshakeDuringTheWrite_IsProven()
    {
        await using var mesh = new AgentHarness(2).Settled();
        mesh.Announce(2, revision: 2);
        mesh.Publish(1, 2);
        mesh.Devices.OnCall = (call, _) =>
        {
            if (call.Operation == nameof(IWireGuardClient.TryGetDeviceAsync)
                && mesh.Devices.CountOf(nameof(IWireGuardClient.ConfigureAsync)) == 1)
            {
                mesh.Time.Advance(TimeSpan.FromMilliseconds(1));
                mesh.Devices.ChangePeer(
                    Name, TestMesh.Key(2), peer => peer with { LastHandshakeTime = peer.LastHandshakeTime ?? mesh.Time.GetUtcNow() });
                mesh.Time.Advance(TimeSpan.FromMilliseconds(1));
            }

            return Task.CompletedTask;
        };
        await mesh.Pass.RunAsync(true, Token);
        Assert.Equal(HandshakeStarter.StartInterval, mesh.Device.Peers[0].PersistentKeepaliveInterval);
        Assert.Null((await mesh.Pass.RunAsync(false, Token)).LookAgainAfter);
        Assert.Equal(TimeSpan.Zero, mesh.Device.Peers[0].PersistentKeepaliveInterval);
    }
}
