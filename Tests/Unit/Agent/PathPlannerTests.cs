using Orleans.WireGuard.Grains;
using Orleans.WireGuard.Grains.Rotation;
using Orleans.WireGuard.Keys;
using Orleans.WireGuard.Linux.Devices;
using Orleans.WireGuard.Linux.Routing;
using Orleans.WireGuard.Silo.Agent;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.Unit.Agent;

/// <summary>Handshakes are started by one side, tried again with patience, and come before traffic moves.</summary>
public sealed class PathPlannerTests : IDisposable
{
    private static readonly PublicKey PeerZero = TestMesh.Key(20);
    private static readonly PublicKey PeerOne = TestMesh.Key(21);

    private readonly KeyPair _zero = KeyPair.Create();
    private readonly KeyPair _one = KeyPair.Create();
    private readonly PathPlanner _planner = new();

    [Fact]
    public void Plan_NewPair_IsStartedByTheOlderAnnouncement()
    {
        Assert.Equal([(Slot.Zero, PeerZero)], _planner.Plan(OneSlot(0, ownRevision: 1)).Starts);
        Assert.Empty(_planner.Plan(OneSlot(0, ownRevision: 3)).Starts);
    }

    [Fact]
    public void Plan_NotAcknowledgedYet_StartsAndAwaitsNothing()
    {
        var plan = _planner.Plan(OneSlot(0) with { Applied = new HashSet<string>() });
        Assert.Empty(plan.Starts);
        Assert.False(plan.IsAwaiting);
    }

    [Fact]
    public void Plan_HandshakeDoesNotCome_ResetsMoreAndMoreSeldom()
    {
        var resets = Enumerable.Range(0, 211).Where(second => _planner.Plan(OneSlot(second)).Resets.Count > 0);
        Assert.Equal([6, 18, 42, 90, 150, 210], resets);
        Assert.Equal(6, _planner.Retries);
    }

    [Fact]
    public void Look_HandshakeIsMissing_StartsNothing()
    {
        var plan = _planner.Look(OneSlot(0));
        Assert.True(plan.IsAwaiting);
        Assert.Empty(plan.Starts);
        Assert.Equal(new PathStatus("node-2", Slot.Zero, PeerZero, IsProven: false), plan.Paths["node-2"]);
    }

    // What it sees is learned by Note only: without that, the session that is missing two seconds later was never there.
    [Fact]
    public void Look_SessionIsThere_LearnsNothingOfIt()
    {
        var proven = OneSlot(0, ownRevision: 3, handshake: At(0));
        var (first, second) = (_planner.Look(proven), _planner.Look(proven));
        Assert.Equal(first.Paths, second.Paths);
        Assert.True(first.Paths["node-2"].IsProven);
        _planner.Clock.Observe(Slot.Zero, NewDevice(_zero, PeerZero, null) with { Peers = [] }, SteadyAt(1), At(1));
        Assert.Empty(_planner.Plan(OneSlot(1, ownRevision: 3, since: 1)).Starts);
        Assert.Empty(_planner.Plan(OneSlot(2, ownRevision: 3)).Starts);
    }

    [Fact]
    public void Look_HandshakeIsMissing_BeginsNoPatience()
    {
        _planner.Clock.Observe(Slot.Zero, NewDevice(_zero, PeerZero, null), SteadyAt(0), At(0));
        Assert.Equal(_planner.Look(OneSlot(100, ownRevision: 3)).Wanted, _planner.Look(OneSlot(100, ownRevision: 3)).Wanted);
        Assert.Empty(_planner.Plan(OneSlot(111, ownRevision: 3)).Starts);
        Assert.Equal(0, _planner.Retries);
    }

    [Fact]
    public void Plan_NewSlotIsProven_MovesThere()
    {
        var plan = _planner.Plan(TwoSlots(handshakeOnOne: At(0)));
        Assert.Equal(new PathStatus("node-2", Slot.One, PeerOne, IsProven: true), plan.Paths["node-2"]);
        Assert.False(plan.IsAwaiting);
    }

    // Both sides would move onto it at once, and their handshakes would cross. But the other side may still send in it.
    [Fact]
    public void Plan_NewSlotHasAStaleSession_IsRenewedBeforeTheMove()
    {
        var stale = TwoSlots(handshakeOnOne: At(0) - PathPlanner.FreshFor);
        foreach (var seconds in (int[])[0, 30, 59])
        {
            var plan = _planner.Plan(stale with { Now = SteadyAt(seconds) });
            Assert.Equal(Slot.Zero, plan.Paths["node-2"].Slot);
            Assert.Equal([(Slot.One, PeerOne)], plan.Starts);
            Assert.Empty(plan.Resets);
        }

        Assert.Equal([(Slot.One, PeerOne)], _planner.Plan(stale with { Now = SteadyAt(60) }).Resets);
    }

    [Fact]
    public void Plan_NewSlotHasASessionThatIsOver_BeginsAfresh()
    {
        var plan = _planner.Plan(TwoSlots(handshakeOnOne: At(0) - PathPlanner.OverAfter));
        Assert.Equal(Slot.Zero, plan.Paths["node-2"].Slot);
        Assert.Equal([(Slot.One, PeerOne)], plan.Starts);
        Assert.Equal([(Slot.One, PeerOne)], plan.Resets);
        Assert.Equal(0, _planner.Retries);
    }

    // Our device lost the session and the other one did not, so the side that starts sees nothing to start.
    [Fact]
    public void Plan_PeerWasRemovedFromOurDevice_IsStartedByThisSideToo()
    {
        var proven = OneSlot(0, ownRevision: 3, handshake: At(0));
        _planner.Note(proven);
        _ = _planner.Plan(proven);
        _planner.Clock.Observe(Slot.Zero, NewDevice(_zero, PeerZero, null) with { Peers = [] }, SteadyAt(1), At(1));
        Assert.Empty(_planner.Plan(OneSlot(1, ownRevision: 3, since: 1)).Starts);
        Assert.Equal([(Slot.Zero, PeerZero)], _planner.Plan(OneSlot(2, ownRevision: 3)).Starts);
    }

    // Both sides would remove each other's peer at once, and one its half of the other's new session.
    [Fact]
    public void Plan_OtherSideStarts_ThisSideNeverTakesThePeerAway() =>
        Assert.DoesNotContain(Enumerable.Range(0, 211), second => _planner.Plan(OneSlot(second, ownRevision: 3)).Resets.Count > 0);

    // The other side announced anew, and its own handshake may be on its way.
    [Fact]
    public void Plan_ThisSideBecomesTheStarter_BeginsWithoutAReset()
    {
        Assert.Contains(Enumerable.Range(0, 12), second => _planner.Plan(OneSlot(second, ownRevision: 3)).Starts.Count > 0);
        Assert.Empty(_planner.Plan(OneSlot(100, ownRevision: 1)).Resets);
    }

    // The peer has been there for long, but nobody wanted a handshake with it.
    [Fact]
    public void Plan_SlotBecomesWanted_StarterGoesFirst()
    {
        _planner.Clock.Observe(Slot.Zero, NewDevice(_zero, PeerZero, null), SteadyAt(0), At(0));
        Assert.Empty(_planner.Plan(OneSlot(100, ownRevision: 3, since: 0)).Starts);
        Assert.NotEmpty(_planner.Plan(OneSlot(110, ownRevision: 3, since: 0)).Starts);
    }

    [Fact]
    public void Plan_StarterDoesNotStart_ThisSideDoesAfterAWhile()
    {
        var starts = Enumerable.Range(0, 12).Where(second => _planner.Plan(OneSlot(second, ownRevision: 3)).Starts.Count > 0);
        Assert.Equal([10, 11], starts);
    }

    // With the next announcement the other side is the one that starts; two that start take each other's session away.
    [Fact]
    public void Plan_KeptKeyIsNotAnnouncedYet_StartsNothing()
    {
        var sources = TwoSlots(handshakeOnOne: At(0) - PathPlanner.OverAfter);
        var kept = sources.View.Keys.Select(key => key with { ServesEpoch = new Epoch(key.Epoch.Value + 2) }).ToList();
        var observed = new PassObservation(
            sources.View with { Keys = kept }, sources.Devices, sources.Routes, sources.Own, sources.Applied, sources.Now);
        Assert.Empty(_planner.Plan(observed).Starts);
    }

    public void Dispose()
    {
        _zero.Dispose();
        _one.Dispose();
    }

    private static DateTimeOffset At(int seconds) => TestMesh.Start.AddSeconds(seconds);

    private static SteadyTime SteadyAt(int seconds) => TestMesh.SteadyAt(seconds);

    private static PeerAnnouncement Announce(int node, long revision, params PublicKey[] keys) =>
        TestMesh.Announce(node, revision: revision) with
        {
            Slots = keys.Select(
                (key, index) => new SlotAnnouncement(new Slot((byte)index), key, new Epoch(10 + index), TestMesh.ListenPort))
            .ToEquatableArray(),
        };

    private static Device NewDevice(KeyPair keyPair, PublicKey peer, DateTimeOffset? handshake) =>
        new("cilium_wg0", keyPair.PublicKey, TestMesh.ListenPort, 0, [new DevicePeer(peer, null, [], TimeSpan.Zero, handshake, 0, 0)]);

    private PassObservation OneSlot(int seconds, long ownRevision = 1, DateTimeOffset? handshake = null, int since = 0)
    {
        var device = NewDevice(_zero, PeerZero, handshake);
        _planner.Clock.Observe(Slot.Zero, device, SteadyAt(since), At(since));
        return Sources(
            [new SlotKey(Slot.Zero, _zero, new Epoch(10), At(0))],
            Announce(1, ownRevision, _zero.PublicKey),
            Announce(2, 2, PeerZero),
            new Dictionary<Slot, Device> { [Slot.Zero] = device },
            SteadyAt(seconds));
    }

    private PassObservation TwoSlots(DateTimeOffset handshakeOnOne)
    {
        var devices = new Dictionary<Slot, Device>
        {
            [Slot.Zero] = NewDevice(_zero, PeerZero, At(-300)),
            [Slot.One] = NewDevice(_one, PeerOne, handshakeOnOne),
        };
        foreach (var (slot, device) in devices)
        {
            _planner.Clock.Observe(slot, device, SteadyAt(0), At(0));
        }

        return Sources(
            [new SlotKey(Slot.Zero, _zero, new Epoch(10), At(0)), new SlotKey(Slot.One, _one, new Epoch(11), At(0))],
            Announce(1, 1, _zero.PublicKey, _one.PublicKey),
            Announce(2, 2, PeerZero, PeerOne),
            devices,
            SteadyAt(0));
    }

    // The routes lead through slot 0, and node 2 has acknowledged what node 1 announced.
    private static PassObservation Sources(
        SlotKey[] keys, PeerAnnouncement own, PeerAnnouncement other, Dictionary<Slot, Device> devices, SteadyTime now) => new(
            new MeshView(
                "node-1",
                keys,
                new Dictionary<string, PeerAnnouncement> { ["node-1"] = own, ["node-2"] = other },
                roster: null,
                isSynced: true,
                isSettled: true),
            devices,
            [new Route(TestMesh.PodCIDR(2), "cilium_wg0")],
            own,
            new HashSet<string> { "node-2" },
            now);
}
