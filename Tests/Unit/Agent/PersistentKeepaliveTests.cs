using Orleans.WireGuard.Keys;
using Orleans.WireGuard.Linux.Devices;
using Orleans.WireGuard.Silo.Agent;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.Unit.Agent;

public sealed class PersistentKeepaliveTests
{
    private static readonly TimeSpan Off = TimeSpan.Zero;
    private static readonly TimeSpan On = TimeSpan.FromSeconds(15);

    [Fact]
    public void Apply_NewPair_StaysOffUntilItIsSettled()
    {
        Assert.Equal(Off, Apply(desired: Off, current: Off, isSettled: false));
        Assert.Equal(On, Apply(desired: Off, current: Off, isSettled: true));
    }

    // The starter relies on the change from off to on.
    [Fact]
    public void Apply_HandshakeBeingStarted_LeavesTheStartersInterval() =>
        Assert.Equal(HandshakeStarter.StartInterval, Apply(HandshakeStarter.StartInterval, current: Off, isSettled: false));

    [Fact]
    public void Apply_OnAlready_StaysOnUntilOurKeyChanges()
    {
        Assert.Equal(On, Apply(desired: Off, current: On, isSettled: false));
        using var next = KeyPair.Create();
        Assert.Equal(Off, Apply(desired: Off, current: On, isSettled: false, next));
    }

    [Fact]
    public void Apply_OfNode_TakesThePlaceOfTheGeneralOne()
    {
        var own = TimeSpan.FromSeconds(40);
        Assert.Equal(
            own, Apply(
                Off, Off, isSettled: true,
                options: new DeviceOptions { PersistentKeepalive = On, PersistentKeepaliveOf = { ["node-2"] = own } }));
        Assert.Equal(Off, Apply(Off, Off, isSettled: true, options: new DeviceOptions()));
    }

    // Only then can be told a dead node from one whose silo is away.
    [Fact]
    public void Apply_NodeWithoutSilo_IsAsked()
    {
        Assert.Equal(PersistentKeepalive.ToSilent, Apply(Off, Off, isSettled: true, options: new DeviceOptions(), hasSilo: false));
        Assert.Equal(On, Apply(Off, Off, isSettled: true, hasSilo: false));
    }

    private static TimeSpan Apply(
        TimeSpan desired, TimeSpan current, bool isSettled, KeyPair? keyPair = null, DeviceOptions? options = null, bool hasSilo = true)
    {
        var device = new DesiredDevice("cilium_wg0", keyPair, 51871, [new DesiredPeer(TestMesh.Key(2), [], [], desired)]);
        var observed = new Device(
            "cilium_wg0", TestMesh.Key(1), 51871, 0, [new DevicePeer(TestMesh.Key(2), null, [], current, null, 0, 0)]);
        return PersistentKeepalive.Apply(device, observed, _ =>
            PersistentKeepalive.Configured(options ?? new DeviceOptions { PersistentKeepalive = On }, "node-2", hasSilo), _ => isSettled)
            .Peers[0].PersistentKeepaliveInterval;
    }
}
