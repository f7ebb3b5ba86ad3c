using Orleans.WireGuard.Grains.Rotation;
using Orleans.WireGuard.Keys;
using Orleans.WireGuard.Linux.Devices;
using Orleans.WireGuard.Linux.Routing;
using Orleans.WireGuard.Silo.Agent;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.Unit.Agent;

/// <summary>What devices and routes tell at one moment.</summary>
public sealed class PassObservationTests : IDisposable
{
    private readonly KeyPair _own = KeyPair.Create();

    [Fact]
    public void Current_Routes_TellTheSlotOfEachNode()
    {
        var observed = Observe(
            [Slot.Zero, Slot.One], [Through(2, Slot.Zero), Through(3, Slot.One), Route.Unreachable(TestMesh.PodCIDR(4))]);
        Assert.Equal(
            new Dictionary<string, Slot> { [TestMesh.Name(2)] = Slot.Zero, [TestMesh.Name(3)] = Slot.One }, observed.Current);
    }

    // A former silo used two slots, and this one does not send through the second.
    [Fact]
    public void Current_RouteThroughADeviceThatIsNotUsed_TellsNothing() =>
        Assert.Empty(Observe([Slot.Zero], [Through(2, Slot.One)]).Current);

    [Fact]
    public void FindPeer_DeviceHasThePair_IsFoundUntilTheKeyIsAnother()
    {
        var observed = Observe([Slot.Zero], []);
        var key = new SlotKey(Slot.Zero, _own, new Epoch(1), TestMesh.Start);
        Assert.Equal(TestMesh.Key(2), observed.FindPeer(key, TestMesh.Key(2))!.PublicKey);
        Assert.Null(observed.FindPeer(key, TestMesh.Key(3)));
        Assert.Null(observed.FindPeer(key with { Slot = Slot.One }, TestMesh.Key(2)));
        using var next = KeyPair.Create();
        Assert.Null(observed.FindPeer(key with { KeyPair = next }, TestMesh.Key(2)));
    }

    public void Dispose() => _own.Dispose();

    private static Route Through(int node, Slot slot) => new(TestMesh.PodCIDR(node), DeviceNames.Default.Of(slot));

    // A device of each slot, which knows node 2.
    private PassObservation Observe(Slot[] slots, EquatableArray<Route> routes) => new(
        new MeshView(
            TestMesh.Name(1),
            [],
            new[] { 2, 3, 4 }.ToDictionary(TestMesh.Name, node => TestMesh.Announce(node)),
            roster: null,
            isSynced: true,
            isSettled: true),
        slots.ToDictionary(slot => slot, slot => new Device(
            DeviceNames.Default.Of(slot), _own.PublicKey, TestMesh.ListenPort, 0,
            [new DevicePeer(TestMesh.Key(2), null, [], TimeSpan.Zero, null, 0, 0)])),
        routes,
        own: null,
        new HashSet<string>(),
        TestMesh.SteadyAt(0));
}
