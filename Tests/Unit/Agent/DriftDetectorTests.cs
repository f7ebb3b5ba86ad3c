using System.Net;
using CsCheck;
using Orleans.WireGuard.Linux.Devices;
using Orleans.WireGuard.Linux.Routing;
using Orleans.WireGuard.Silo.Agent;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.Unit.Agent;

/// <summary>What somebody else changed, told by what we left and what is there.</summary>
public sealed class DriftDetectorTests
{
    private static readonly Gen<ExpectedDevice> Expected = Gen.Select(
        DeviceGen.Device, DeviceGen.PublicKey, (device, key) => Expect(device with { PublicKey = key, FirewallMark = 0 }));

    private static readonly Gen<ExpectedDevice> WithPeers = Expected.Where(expected => expected.Device.Peers.Count > 0);

    // Counters, handshakes and a roaming within what was announced are the data plane's own doing.
    [Fact]
    public void OfDevice_OnlyTrafficWentThrough_IsEmpty() => Gen.Select(Expected, Gen.Int[0, 9]).Sample((expected, bytes) =>
    {
        var peers = expected.Device.Peers.Select(peer => peer with
        {
            ReceiveBytes = peer.ReceiveBytes / 2 + bytes,
            TransmitBytes = bytes,
            LastHandshakeTime = TestMesh.Start,
            Endpoint = expected.Endpoints.TryGetValue(peer.PublicKey, out var announced) ? announced[^1] : peer.Endpoint,
        });
        Assert.Empty(DriftDetector.OfDevice(expected, expected.Device with { Peers = [.. peers] }));
    });

    // What the detector does not call drift, the patch has nothing to repair on, and the other way round.
    [Fact]
    public void OfDevice_AnyTwoDevices_IsEmptyExactlyWhenThePatchIs() =>
        Gen.Select(Expected, Expected, Gen.Bool).Sample((expected, other, isSame) =>
    {
        var observed = isSame ? expected.Device : other.Device with { PublicKey = expected.Device.PublicKey };
        var desired = new DesiredDevice(
            expected.Device.Name,
            null,
            expected.Device.ListenPort,
            [.. expected.Device.Peers.Select(peer => new DesiredPeer(
                peer.PublicKey, expected.Endpoints.GetValueOrDefault(peer.PublicKey), peer.AllowedIPs, peer.PersistentKeepaliveInterval))]);
        Assert.Equal(
            DevicePatchBuilder.Build(desired.Settled(), observed).IsEmpty,
            DriftDetector.OfDevice(expected, observed).All(drift => drift.Kind == DriftKind.EndpointChanged));
    });

    [Fact]
    public void OfDevice_PortChanged_IsThatAlone() => Expected.Sample(expected => Assert.Equal(
        [DriftKind.PortChanged],
        Kinds(expected, expected.Device with { ListenPort = (ushort)(expected.Device.ListenPort + 1) })));

    [Fact]
    public void OfDevice_FirewallMarkSet_IsThatAlone() => Expected.Sample(expected => Assert.Equal(
        [DriftKind.FirewallMarkChanged],
        Kinds(expected, expected.Device with { FirewallMark = 7 })));

    [Fact]
    public void OfDevice_KeyChangedOrGone_IsThatAlone() => Gen.Select(Expected, Gen.Bool).Sample((expected, isGone) => Assert.Equal(
        [DriftKind.KeyChanged],
        Kinds(expected, expected.Device with { PublicKey = isGone ? null : TestMesh.Key(77) })));

    [Fact]
    public void OfDevice_DeviceGone_IsThatAlone() => Expected.Sample(expected =>
        Assert.Equal([DriftKind.LinkDeleted], DriftDetector.OfDevice(expected, null).Select(drift => drift.Kind)));

    [Fact]
    public void OfDevice_PeerAdded_IsThatAlone() => Gen.Select(Expected, DeviceGen.Peer).Sample((expected, peer) =>
    {
        var drift = Assert.Single(DriftDetector.OfDevice(expected, expected.Device with { Peers = [.. expected.Device.Peers, peer] }));
        Assert.Equal(new Drift(DriftKind.PeerAdded, peer.PublicKey.ToShortString()), drift);
    });

    [Fact]
    public void OfDevice_PeerRemoved_IsThatAlone() => WithPeers.Sample(expected => Assert.Equal(
        [new Drift(DriftKind.PeerRemoved, expected.Device.Peers[0].PublicKey.ToShortString())],
        DriftDetector.OfDevice(expected, expected.Device with { Peers = [.. expected.Device.Peers.Skip(1)] })));

    [Theory]
    [InlineData(DriftKind.EndpointChanged)]
    [InlineData(DriftKind.AllowedIPsChanged)]
    [InlineData(DriftKind.KeepaliveChanged)]
    public void OfDevice_OnePeerChanged_IsThatAlone(DriftKind kind) => WithPeers.Sample(expected =>
    {
        var peer = expected.Device.Peers[0];
        var changed = kind switch
        {
            DriftKind.EndpointChanged => peer with { Endpoint = IPEndPoint.Parse("203.0.113.9:9") },
            DriftKind.AllowedIPsChanged => peer with { AllowedIPs = [.. peer.AllowedIPs, IPPrefix.Parse("203.0.113.9/32")] },
            _ => peer with { PersistentKeepaliveInterval = peer.PersistentKeepaliveInterval + TimeSpan.FromSeconds(1) },
        };
        var announced = expected with
        {
            Endpoints = new Dictionary<PublicKey, EquatableArray<IPEndPoint>>
            {
                [peer.PublicKey] = [
            TestMesh.Endpoint(2)]
            }
        };
        var before = announced with { Device = With(expected.Device, peer with { Endpoint = TestMesh.Endpoint(2) }) };
        var after = With(
            expected.Device, changed with { Endpoint = kind == DriftKind.EndpointChanged ? changed.Endpoint : TestMesh.Endpoint(2) });
        Assert.Equal([new Drift(kind, peer.PublicKey.ToShortString())], DriftDetector.OfDevice(before, after));
    });

    // WireGuard's own doing: it follows an authentic packet to wherever that came from, announced or not, and counts it.
    [Fact]
    public void OfDevice_PeerWasHeardFromElsewhere_IsEmpty() =>
        Gen.Select(WithPeers, DeviceGen.Endpoint, Gen.Bool).Sample((expected, elsewhere, isHandshake) =>
    {
        var peer = expected.Device.Peers[0] with { Endpoint = TestMesh.Endpoint(2), ReceiveBytes = 7 };
        var roamed = isHandshake
            ? peer with
            {
                Endpoint = elsewhere,
                LastHandshakeTime = TestMesh.Start
                + TimeSpan.FromSeconds(1),
                ReceiveBytes = peer.ReceiveBytes + 92
            }
            : peer with { Endpoint = elsewhere, ReceiveBytes = peer.ReceiveBytes + 32 };
        var announced = new Dictionary<PublicKey, EquatableArray<IPEndPoint>> { [peer.PublicKey] = [TestMesh.Endpoint(2)] };
        Assert.Empty(DriftDetector.OfDevice(
            expected with { Device = With(expected.Device, peer), Endpoints = announced }, With(expected.Device, roamed)));
    });

    // Nobody announced it, so nobody knows where it should be.
    [Fact]
    public void OfDevice_UnexplainedPeerRoams_IsEmpty() => WithPeers.Sample(expected =>
    {
        var peer = expected.Device.Peers[0] with { Endpoint = TestMesh.Endpoint(9) };
        Assert.Empty(DriftDetector.OfDevice(
            expected with { Endpoints = new Dictionary<PublicKey, EquatableArray<IPEndPoint>>() }, With(expected.Device, peer)));
    });

    [Theory]
    [InlineData(3, 1420, true)]
    [InlineData(3, 1300, true, DriftKind.MtuChanged)]
    [InlineData(3, 1420, false, DriftKind.LinkDown)]
    [InlineData(3, 1300, false, DriftKind.LinkDown, DriftKind.MtuChanged)]
    [InlineData(4, 1300, false, DriftKind.LinkDeleted)]
    public void OfLink_Changes_AreTold(int index, int mtu, bool isUp, params DriftKind[] kinds) => Assert.Equal(
        kinds, DriftDetector.OfLink(new Link("cilium_wg0", 3, 1420, true), new Link("cilium_wg0", index, mtu, isUp))
            .Select(drift => drift.Kind));

    [Fact]
    public void OfRoutes_DeletedAndAdded_AreTold()
    {
        var (first, second, third) =
            (new Route(TestMesh.PodCIDR(2), "cilium_wg0"), Route.Unreachable(TestMesh.PodCIDR(3)), new Route(TestMesh.PodCIDR(4), "eth0"));
        Assert.Empty(DriftDetector.OfRoutes([first, second], [second, first], Nothing));
        Assert.Equal(
            [new Drift(DriftKind.RouteDeleted, "10.0.2.0/24"), new Drift(DriftKind.RouteAdded, "10.0.4.0/24")],
            DriftDetector.OfRoutes([first, second], [second, third], Nothing));
    }

    // The kernel took them away together with the link.
    [Fact]
    public void OfRoutes_LinkLost_CountsOnlyWhatDidNotHangOnIt() => Assert.Equal(
        [new Drift(DriftKind.RouteDeleted, "10.0.3.0/24")],
        DriftDetector.OfRoutes([new Route(TestMesh.PodCIDR(2), "cilium_wg0"), Route.Unreachable(TestMesh.PodCIDR(3))], [],
        new HashSet<string> { "cilium_wg0" }));

    [Fact]
    public void OfRules_DeletedAndAdded_AreTold() => Assert.Equal(
        [new Drift(DriftKind.RuleDeleted, "10.0.1.0/24"), new Drift(DriftKind.RuleAdded, "10.0.5.0/24")],
        DriftDetector.OfRules([TestMesh.PodCIDR(1)], [TestMesh.PodCIDR(5)]));

    private static readonly HashSet<string> Nothing = [];

    private static ExpectedDevice Expect(Device device) => new(
        device,
        device.Peers.Where(peer => peer.Endpoint is not null).ToDictionary(
            peer => peer.PublicKey, peer => new[] { peer.Endpoint!, TestMesh.Endpoint(8) }.ToEquatableArray()));

    private static Device With(Device device, DevicePeer first) => device with { Peers = [first, .. device.Peers.Skip(1)] };

    private static IEnumerable<DriftKind> Kinds(ExpectedDevice expected, Device observed) =>
        DriftDetector.OfDevice(expected, observed).Select(drift => drift.Kind);
}
