using System.Net;
using Orleans.WireGuard.Grains.Nodes;
using Orleans.WireGuard.Grains.Rotation;
using Orleans.WireGuard.Keys;
using Orleans.WireGuard.Linux.Devices;
using Orleans.WireGuard.Silo.Agent;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.Unit.Agent;

/// <summary>
/// Passes beside peers that are elsewhere than they announced, or nowhere: no war about endpoints, the next address, and a word about it.
/// </summary>
public sealed class EndpointTests
{
    private const string Name = "cilium_wg0";
    private static readonly IPEndPoint Elsewhere = IPEndPoint.Parse("203.0.113.9:40001");
    private static readonly IPAddress Second = IPAddress.Parse("198.51.100.2");
    private static readonly TimeSpan Tick = TimeSpan.FromSeconds(1);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    // A packet comes while the pass is between its write and its read back, five times.
    [Fact]
    public async Task Run_PeerRoamsBetweenWriteAndReadBack_IsNoFailureAndNoDrift()
    {
        await using var mesh = new AgentHarness(2, 3).Settled(2);
        await mesh.Pass.RunAsync(true, Token);
        ShakeHands(mesh, 2);
        mesh.Devices.OnCall = (call, _) =>
        {
            if (call.Operation == nameof(IWireGuardClient.TryGetDeviceAsync) && mesh.Devices.Calls.Count > 1
                && mesh.Devices.Calls[^2].Operation == nameof(IWireGuardClient.ConfigureAsync))
            {
                Receive(mesh, 2, Elsewhere);
            }

            return Task.CompletedTask;
        };
        for (var pass = 1; pass <= 5; pass++)
        {
            mesh.Announce(3, TestMesh.Key(300 + pass), pass);
            Assert.True((await mesh.Pass.RunAsync(false, Token)).IsApplied);
        }

        Assert.Equal(Elsewhere, Peer(mesh, 2).Endpoint);
        Assert.Empty(mesh.Pass.Drifts);
        Assert.DoesNotContain(mesh.Devices.Patches.SelectMany(patch => patch.Peers), change => change.PublicKey == TestMesh.Key(2)
            && change.Change == PeerChange.Update);
    }

    [Fact]
    public async Task Run_PeerIsHeardFromElsewhere_IsLeftThere()
    {
        await using var mesh = new AgentHarness(2).Settled(2);
        await mesh.Pass.RunAsync(true, Token);
        ShakeHands(mesh, 2);
        await mesh.Pass.RunAsync(false, Token);
        var writes = mesh.Writes;
        foreach (var endpoint in new[] { Elsewhere, TestMesh.Endpoint(2), Elsewhere })
        {
            Receive(mesh, 2, endpoint);
            await mesh.Pass.RunAsync(true, Token);
            Assert.Equal(endpoint, Peer(mesh, 2).Endpoint);
        }

        Assert.Equal(writes, mesh.Writes);
        Assert.Empty(mesh.Pass.Drifts);
    }

    // No packet came with it.
    [Fact]
    public async Task Run_SomebodySetsTheEndpoint_IsSetBackToWhereThePeerWasHeard()
    {
        await using var mesh = new AgentHarness(2).Settled(2);
        await mesh.Pass.RunAsync(true, Token);
        ShakeHands(mesh, 2);
        Receive(mesh, 2, Elsewhere);
        await mesh.Pass.RunAsync(false, Token);
        mesh.Devices.ChangePeer(Name, TestMesh.Key(2), peer => peer with { Endpoint = IPEndPoint.Parse("198.51.100.66:9") });

        await mesh.Pass.RunAsync(false, Token);

        Assert.Equal(Elsewhere, Peer(mesh, 2).Endpoint);
        Assert.Equal((DriftKind.EndpointChanged, 1), (Assert.Single(mesh.Pass.Drifts).Kind, mesh.Pass.Drifts[0].Count));
    }

    [Fact]
    public async Task Run_NodeAnnouncesAnotherAddress_IsSentToThere()
    {
        await using var mesh = new AgentHarness(2).Settled(2);
        await mesh.Pass.RunAsync(true, Token);
        ShakeHands(mesh, 2);
        await mesh.Pass.RunAsync(false, Token);

        AddSecondAddress(mesh);
        mesh.Announce(TestMesh.Announce(2, revision: 1) with { Endpoints = [Second] });
        await mesh.Pass.RunAsync(false, Token);

        Assert.Equal(new IPEndPoint(Second, TestMesh.ListenPort), Peer(mesh, 2).Endpoint);
    }

    // The first one has a route and answers nobody. The next key of the node begins with the one that did.
    [Fact]
    public async Task Run_FirstAddressDoesNotAnswer_TriesTheNextAndBeginsWithItFromThenOn()
    {
        await using var mesh = await WithTwoAddressesAsync();
        Assert.Equal(TestMesh.Endpoint(2), Peer(mesh, 2).Endpoint);

        var seconds = 0;
        for (; Peer(mesh, 2).Endpoint!.Address.Equals(TestMesh.Address(2)); seconds++)
        {
            Assert.InRange(seconds, 0, 8);
            await SendAsync(mesh, 2);
        }

        Assert.InRange(seconds, EndpointTrials.InitiationPatience.TotalSeconds, 8);
        ShakeHands(mesh, 2);
        for (var quiet = 0; quiet < 60; quiet++)
        {
            await SendAsync(mesh, 2);
            Receive(mesh, 2, Peer(mesh, 2).Endpoint);
        }

        Assert.Equal(Second, Peer(mesh, 2).Endpoint!.Address);
        mesh.Announce(TestMesh.Announce(2, TestMesh.Key(22), 1) with { Endpoints = [TestMesh.Address(2), Second] });
        await mesh.Pass.RunAsync(false, Token);
        Assert.Equal(Second, mesh.Device.Peers.Single(peer => peer.PublicKey == TestMesh.Key(22)).Endpoint!.Address);
    }

    // A session is no reason to send for ever to where nobody is any more; WireGuard lets a peer be silent for 15 s.
    [Fact]
    public async Task Run_AddressStopsToAnswer_TriesTheNextAfterWireGuardsPatience()
    {
        await using var mesh = await WithTwoAddressesAsync();
        ShakeHands(mesh, 2);
        await mesh.Pass.RunAsync(false, Token);
        for (var second = 0; second <= EndpointTrials.DataPatience.TotalSeconds; second++)
        {
            Assert.Equal(TestMesh.Endpoint(2), Peer(mesh, 2).Endpoint);
            await SendAsync(mesh, 2);
        }

        Assert.Equal(Second, Peer(mesh, 2).Endpoint!.Address);
    }

    [Fact]
    public async Task Run_NoHandshakeForThirtySeconds_NamesThePeerAndWhatWasTried()
    {
        await using var mesh = new AgentHarness(2, 3).Settled(3);
        AddSecondAddress(mesh);
        mesh.Announce(TestMesh.Announce(2) with { Endpoints = [TestMesh.Address(2), Second] });
        await mesh.Pass.RunAsync(true, Token);
        ShakeHands(mesh, 3);
        PassResult result = await mesh.Pass.RunAsync(false, Token);

        // Somebody sets the clock, which is not how long anything lasts.
        mesh.Time.SetBy = -TimeSpan.FromHours(1);
        for (var second = 1; second <= SilentPeers.Patience.TotalSeconds; second++)
        {
            Assert.Empty(result.Snapshot.SilentPeers);
            result = await SendAsync(mesh, 2);
        }

        var silent = Assert.Single(result.Snapshot.SilentPeers);
        Assert.Equal(("node-2", TestMesh.Start), (silent.NodeName, silent.Since));
        Assert.Equal([TestMesh.Endpoint(2), new IPEndPoint(Second, TestMesh.ListenPort)], silent.Endpoints.OrderByDescending(
            endpoint => endpoint.ToString()[..3] == "192"));
        Assert.Equal(
            "no tunnel works to node-2 since 00:00:00 UTC (tried 192.168.0.2:51871, 198.51.100.2:51871), although the silos answer",
            Grains.SilentPeer.Describe(result.Snapshot.SilentPeers));

        ShakeHands(mesh, 2);
        Assert.Empty((await mesh.Pass.RunAsync(false, Token)).Snapshot.SilentPeers);
    }

    // The handshake that was once is none that works.
    [Fact]
    public async Task Run_PeerStopsToAnswer_IsNamedToo()
    {
        await using var mesh = await WithTwoAddressesAsync();
        ShakeHands(mesh, 2);
        var result = await mesh.Pass.RunAsync(false, Token);
        for (var second = 0; second <= SilentPeers.Patience.TotalSeconds; second++)
        {
            Assert.Empty(result.Snapshot.SilentPeers);
            result = await SendAsync(mesh, 2);
        }

        var silent = Assert.Single(result.Snapshot.SilentPeers);
        Assert.Equal("node-2", silent.NodeName);
        Assert.Equal([TestMesh.Address(2), Second], silent.Endpoints.Select(endpoint => endpoint.Address));
    }

    // What does not even leave this node is not counted as sent. A session that was not renewed although the next key waits for a handshake
    // is none.
    [Fact]
    public async Task Run_NothingLeavesThisNode_IsNamedWhenTheNextKeyWaits()
    {
        await using var mesh = new AgentHarness(new DeviceOptions().ResyncInterval, slots: 2, [2]);
        mesh.MakeKey();
        mesh.Ring.Replace(new SlotKey(Slot.One, KeyPair.Create(), new Epoch(2), mesh.Time.GetUtcNow()));
        mesh.Store.MarkSynced();
        mesh.Announce(2);
        await mesh.Pass.RunAsync(true, Token);
        ShakeHands(mesh, 2);
        await mesh.Pass.RunAsync(false, Token);
        mesh.Time.Advance(PathPlanner.OverAfter);
        Assert.Empty((await mesh.Pass.RunAsync(false, Token)).Snapshot.SilentPeers);

        var next = new SlotAnnouncement(Slot.One, TestMesh.Key(22), new Epoch(2), TestMesh.ListenPort);
        mesh.Announce(TestMesh.Announce(2, revision: 1) with { Slots = [TestMesh.Announce(2).Slots[0], next] });
        for (var second = 0; second < SilentPeers.Patience.TotalSeconds; second++)
        {
            Assert.Empty((await mesh.Pass.RunAsync(false, Token)).Snapshot.SilentPeers);
            mesh.Time.Advance(Tick);
        }

        Assert.Equal("node-2", Assert.Single((await mesh.Pass.RunAsync(false, Token)).Snapshot.SilentPeers).NodeName);
    }

    // Quiet is not silent: nobody has anything to say, or the node is off, or its silo has not said anything yet.
    [Fact]
    public async Task Run_NobodySendsOrNoSiloIsThere_IsNoProblem()
    {
        await using var mesh = new AgentHarness(2, 3).Settled(2);
        mesh.Roster.Set(TestMesh.Roster(1, 2, 3, 4));
        mesh.Announce(4);
        await mesh.Pass.RunAsync(true, Token);
        ShakeHands(mesh, 2);
        for (var minute = 0; minute < 10; minute++)
        {
            mesh.Time.Advance(TimeSpan.FromMinutes(1));
            Assert.Empty((await mesh.Pass.RunAsync(false, Token)).Snapshot.SilentPeers);
        }
    }

    // Who got the last word sends a message without data 10 s later, and then nobody says anything any more.
    [Fact]
    public async Task Run_LastMessageWasAKeepalive_IsNoProblemAndKeepsTheAddress()
    {
        await using var mesh = await WithTwoAddressesAsync();
        ShakeHands(mesh, 2);
        await SendAsync(mesh, 2);
        Receive(mesh, 2, Peer(mesh, 2).Endpoint);
        await mesh.Pass.RunAsync(false, Token);
        mesh.Devices.ChangePeer(Name, TestMesh.Key(2), peer => peer with { TransmitBytes = peer.TransmitBytes + 32 });
        for (var second = 0; second < 120; second++)
        {
            mesh.Time.Advance(Tick);
            Assert.Empty((await mesh.Pass.RunAsync(false, Token)).Snapshot.SilentPeers);
        }

        Assert.Equal(TestMesh.Endpoint(2), Peer(mesh, 2).Endpoint);
    }

    private static async Task<AgentHarness> WithTwoAddressesAsync()
    {
        var mesh = new AgentHarness(2).Settled();
        AddSecondAddress(mesh);
        mesh.Announce(TestMesh.Announce(2) with { Endpoints = [TestMesh.Address(2), Second] });
        await mesh.Pass.RunAsync(true, Token);
        return mesh;
    }

    private static void AddSecondAddress(AgentHarness mesh) => mesh.Roster.Set(NodeRoster.Of(
        [TestMesh.RosterNode(1), TestMesh.RosterNode(2) with { Addresses = [TestMesh.Address(2), Second] }, TestMesh.RosterNode(3)]));

    private static DevicePeer Peer(AgentHarness mesh, int node) => mesh.Device.Peers.Single(peer => peer.PublicKey == TestMesh.Key(node));

    private static void ShakeHands(AgentHarness mesh, int node) => mesh.Devices.ChangePeer(
        Name, TestMesh.Key(node), peer => peer with
        {
            LastHandshakeTime = mesh.Time.GetUtcNow(),
            ReceiveBytes = peer.ReceiveBytes
            + 92,
            TransmitBytes = peer.TransmitBytes + 148
        });

    private static void Receive(AgentHarness mesh, int node, IPEndPoint? from) => mesh.Devices.ChangePeer(
        Name, TestMesh.Key(node), peer => peer with { Endpoint = from, ReceiveBytes = peer.ReceiveBytes + 32 });

    // A second in which something is sent to a peer, and the pass that looks.
    private static async Task<PassResult> SendAsync(AgentHarness mesh, int node)
    {
        mesh.Devices.ChangePeer(Name, TestMesh.Key(node), peer => peer with { TransmitBytes = peer.TransmitBytes + 148 });
        mesh.Time.Advance(Tick);
        return await mesh.Pass.RunAsync(false, Token);
    }
}
