using System.Net;
using CsCheck;
using Orleans.WireGuard.Keys;
using Orleans.WireGuard.Linux.Devices;
using Orleans.WireGuard.Silo.Agent;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.Unit.Agent;

/// <summary>Desired minus observed: leads to what is desired, changes no more than it must, and takes nothing away on the way.</summary>
public sealed class DevicePatchBuilderTests
{
    private const int Keys = 4;
    private const int Prefixes = 6;

    // Two pairs, so that "the same key" and "another key" are both common.
    // Changes during which sessions last: the key stays, or nobody had shaken hands with it.
    private static Gen<(Device Observed, DesiredDevice Desired)> Lasting => Both.Select(both =>
        both.Item2.KeyPair is { } pair && pair.PublicKey != both.Item1.PublicKey
            ? (both.Item1 with
            {
                Peers = both.Item1.Peers.Select(peer => peer with { LastHandshakeTime = null })
                .ToEquatableArray()
            }, both.Item2)
            : (both.Item1, both.Item2));

    private static readonly KeyPair[] Pairs = [KeyPair.Create(), KeyPair.Create()];
    private static readonly Gen<TimeSpan> Keepalive = Gen.Int[0, 1].Select(on => TimeSpan.FromSeconds(25 * on));

    // Which of a few peers has which of a few prefixes: -1 for none. A prefix has one peer of a device, as in the kernel.
    private static readonly Gen<int[]> Owners = Gen.Int[-1, Keys - 1].Array[Prefixes];

    private static readonly Gen<Device> Observed = Gen.Select(
        Owners,
        Gen.Select(Gen.Bool, Gen.Int[-1, 2], Keepalive, Gen.Long[0, 9]).Array[Keys],
        Gen.Int[-1, 1],
        Gen.UShort[51871, 51872],
        Gen.UInt[0, 1],
        (owners, peers, pair, port, mark) => new Device(
            "cilium_wg0",
            pair < 0 ? null : Pairs[pair].PublicKey,
            port,
            mark,
            peers.Select((peer, key) => (peer, key)).Where(x => x.peer.Item1).Select(x => new DevicePeer(
                TestMesh.Key(x.key),
                x.peer.Item2 < 0 ? null : Endpoint(x.key, x.peer.Item2),
                Owned(owners, x.key),
                x.peer.Item3,
                TestMesh.Start,
                x.peer.Item4,
                x.peer.Item4)).ToEquatableArray()));

    private static readonly Gen<DesiredDevice> Desired = Gen.Select(
        Owners,
        Gen.Select(Gen.Bool, Gen.Int[0, 2], Keepalive).Array[Keys],
        Gen.Int[-1, 1],
        Gen.UShort[51871, 51872],
        (owners, peers, pair, port) => new DesiredDevice(
            "cilium_wg0",
            pair < 0 ? null : Pairs[pair],
            port,
            peers.Select((peer, key) => (peer, key)).Where(x => x.peer.Item1).Select(x => new DesiredPeer(
                TestMesh.Key(x.key),
                Enumerable.Range(0, x.peer.Item2).Select(candidate => Endpoint(x.key, candidate)).ToEquatableArray(),
                Owned(owners, x.key),
                x.peer.Item3)).ToEquatableArray()));

    private static readonly Gen<(Device Observed, DesiredDevice Desired)> Both = Gen.Select(Observed, Desired);

    [Fact]
    public void Build_Applied_GivesTheDesiredDevice() => Both.Sample(both =>
    {
        var (observed, desired) = both;
        var after = FakeWireGuardClient.Apply(observed, DevicePatchBuilder.Build(desired, observed));
        Assert.Equal(desired.KeyPair?.PublicKey ?? observed.PublicKey, after.PublicKey);
        Assert.Equal((desired.ListenPort, 0u), (after.ListenPort, after.FirewallMark));
        Assert.Equal(desired.Peers.Select(peer => peer.PublicKey), after.Peers.Select(peer => peer.PublicKey));
        foreach (var (wanted, peer) in desired.Peers.Zip(after.Peers))
        {
            Assert.Equal((wanted.AllowedIPs, wanted.PersistentKeepaliveInterval), (peer.AllowedIPs, peer.PersistentKeepaliveInterval));
            Assert.True(wanted.Endpoint is null || wanted.Endpoint.Equals(peer.Endpoint));
        }
    });

    [Fact]
    public void Build_Again_IsEmpty() => Both.Sample(both =>
    {
        var (observed, desired) = both;
        var after = FakeWireGuardClient.Apply(observed, DevicePatchBuilder.Build(desired, observed));
        Assert.Equal(DevicePatch.Empty, DevicePatchBuilder.Build(desired, after));
    });

    [Fact]
    public void Build_SameKeyAndPort_AreNotSentAgain() => Both.Sample(both =>
    {
        var (observed, desired) = both;
        var patch = DevicePatchBuilder.Build(desired, observed);
        Assert.True(patch.KeyPair is null || patch.KeyPair.PublicKey != observed.PublicKey);
        Assert.True(patch.ListenPort is null || patch.ListenPort != observed.ListenPort);
    });

    // Packets for a prefix without a peer are lost, and in between two netlink messages they are many.
    [Fact]
    public void Build_AppliedPeerByPeer_NeverLeavesAPrefixWithoutAPeer() => Lasting.Sample(both =>
    {
        var (observed, desired) = both;
        var lasting = observed.Peers.SelectMany(peer => peer.AllowedIPs)
            .Intersect(desired.Peers.SelectMany(peer => peer.AllowedIPs)).ToList();
        var device = observed;
        foreach (var change in DevicePatchBuilder.Build(desired, observed).Peers)
        {
            device = FakeWireGuardClient.Apply(device, new DevicePatch(null, null, [change]));
            Assert.Subset(device.Peers.SelectMany(peer => peer.AllowedIPs).ToHashSet(), lasting.ToHashSet());
        }
    });

    [Fact]
    public void Build_Phases_AddBeforeTheyRemove() => Lasting.Sample(both =>
    {
        var (observed, desired) = both;
        var phases = DevicePatchBuilder.Build(desired, observed).Peers
            .Select(change => change.Change == PeerChange.Remove ? 2 : change.ReplaceAllowedIPs ? 1 : 0).ToList();
        Assert.Equal(phases.Order(), phases);
    });

    // One entry, so that no order of entries can make something else of a peer that begins afresh.
    [Fact]
    public void Build_PeerThatBeginsAfresh_IsOneEntry() =>
        Gen.Select(Both, Gen.Int[0, Keys - 1].Select(TestMesh.Key)).Sample((both, reset) =>
    {
        var (observed, desired) = both;
        desired = desired with { Resets = new HashSet<PublicKey> { reset } };
        var isThere = observed.Peers.Any(peer => peer.PublicKey == reset) && desired.Peers.Any(peer => peer.PublicKey == reset);
        var changes = DevicePatchBuilder.Build(desired, observed).Peers.Where(change => change.PublicKey == reset)
            .Select(change => change.Change);
        if (isThere)
        {
            Assert.Equal([PeerChange.Reset], changes);
        }
        else
        {
            Assert.DoesNotContain(PeerChange.Reset, changes);
        }
    });

    // A device would go on showing the handshake of its former key. One write, so that no packet meets a device without the peer.
    [Fact]
    public void Build_NewKey_BeginsAfreshWhoeverHadShakenHands() => Both.Sample(both =>
    {
        var (observed, desired) = both;
        var after = FakeWireGuardClient.Apply(observed, DevicePatchBuilder.Build(desired, observed));
        if (after.PublicKey != observed.PublicKey)
        {
            Assert.All(after.Peers, peer => Assert.Null(peer.LastHandshakeTime));
        }
    });

    // A removal and addition of a peer ends its session; only peers that come or go are added or removed.
    [Fact]
    public void Build_PeerThatStays_IsOnlyUpdated() => Lasting.Sample(both =>
    {
        var (observed, desired) = both;
        var before = observed.Peers.Select(peer => peer.PublicKey).ToHashSet();
        var after = desired.Peers.Select(peer => peer.PublicKey).ToHashSet();
        Assert.All(DevicePatchBuilder.Build(desired, observed).Peers, change => Assert.Equal(
            (before.Contains(change.PublicKey), after.Contains(change.PublicKey)) switch
            {
                (true, true) => PeerChange.Update,
                (true, false) => PeerChange.Remove,
                _ => PeerChange.Add,
            },
            change.Change));
    });

    [Fact]
    public void Build_Endpoint_IsSetWhereItIsAnother()
    {
        var peer = new DesiredPeer(TestMesh.Key(1), [Endpoint(1, 0)], [], TimeSpan.Zero);
        Assert.True(DevicePatchBuilder.Build(NewDevice(peer), Observe(Endpoint(1, 0))).IsEmpty);
        Assert.Equal(
            [new PeerPatch(TestMesh.Key(1), PeerChange.Update, Endpoint(1, 0))],
            DevicePatchBuilder.Build(NewDevice(peer), Observe(Endpoint(1, 2))).Peers);
        Assert.True(DevicePatchBuilder.Build(NewDevice(peer with { Endpoint = null }), Observe(Endpoint(1, 2))).IsEmpty);
    }

    // A packet that comes between a write and its read back moves the endpoint, and is no fault of the write.
    [Fact]
    public void Build_OfWhatWasWritten_IsEmptyWhereverThePeersRoam() =>
        Gen.Select(Both, DeviceGen.Endpoint.Array[Keys]).Sample((both, endpoints) =>
    {
        var (observed, desired) = both;
        var after = FakeWireGuardClient.Apply(observed, DevicePatchBuilder.Build(desired, observed));
        var roamed = after with
        {
            Peers = [.. after.Peers.Select((peer, index) =>
            peer with { Endpoint = endpoints[index], ReceiveBytes = peer.ReceiveBytes + 32 })]
        };
        Assert.True(DevicePatchBuilder.Build(desired.Settled(), roamed).IsEmpty);
    });

    [Fact]
    public void Build_NewKeyOfANode_MovesItsPrefixBeforeTheOldPeerGoes()
    {
        var observed = Observe(Endpoint(1, 0)) with
        {
            Peers = [new DevicePeer(TestMesh.Key(1), Endpoint(1, 0), [TestMesh.PodCIDR(1)], TimeSpan.Zero, TestMesh.Start, 1, 1)],
        };
        var desired = NewDevice(new DesiredPeer(TestMesh.Key(2), [Endpoint(1, 0)], [TestMesh.PodCIDR(1)], TimeSpan.Zero));
        Assert.Equal(
            [
                new PeerPatch(TestMesh.Key(2), PeerChange.Add, Endpoint(1, 0), null, new EquatableArray<IPPrefix>([TestMesh.PodCIDR(1)])),
                new PeerPatch(TestMesh.Key(1), PeerChange.Remove),
            ],
            DevicePatchBuilder.Build(desired, observed).Peers);
    }

    private static DesiredDevice NewDevice(params DesiredPeer[] peers) => new("cilium_wg0", null, TestMesh.ListenPort, [.. peers]);

    private static Device Observe(IPEndPoint? endpoint) => new(
        "cilium_wg0", null, TestMesh.ListenPort, 0, [new DevicePeer(TestMesh.Key(1), endpoint, [], TimeSpan.Zero, null, 0, 0)]);

    private static IPEndPoint Endpoint(int key, int candidate) =>
        new(new IPAddress([192, 168, (byte)key, (byte)candidate]), TestMesh.ListenPort);

    private static EquatableArray<IPPrefix> Owned(int[] owners, int key) =>
        owners.Select((owner, prefix) => (owner, prefix)).Where(x => x.owner == key)
            .Select(x => TestMesh.PodCIDR(x.prefix)).ToEquatableArray();
}
