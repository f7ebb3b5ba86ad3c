using Orleans.WireGuard.Grains.Agent;
using Orleans.WireGuard.Grains.Clocks;
using Orleans.WireGuard.Grains.Delivery;
using Orleans.WireGuard.Grains.Rotation;
using Orleans.WireGuard.Keys;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.Unit.Rotation;

/// <summary>What the others say and the devices show becomes what is known of every peer.</summary>
public sealed class PathSurveyTests : IDisposable
{
    private readonly KeyPair _keyPair = KeyPair.Create();
    private readonly SettableTime _time = new();
    private readonly PathSurvey _survey;

    public PathSurveyTests()
    {
        var membership = new FakeMembership(1, 2);
        var store = TestMesh.Store(new FakeRosterSource(0), membership, _time);
        _survey = new PathSurvey(
            membership.Members, new AnsweringPeerService(), new MeshClock(_time, TimeSpan.FromSeconds(120)),
            new MeshProtocol(OwnProtocol.Range, store, membership.Members, _time), _time);
    }

    // A restarted silo that reaches nobody has adopted the device, and knows no announcement. It must not take the key away from its peers.
    [Fact]
    public void Facts_PeerThatNoAnnouncementExplains_MayDependOnTheKey()
    {
        var facts = Facts(Slot.One, nodeName: null);
        Assert.Equal(TestMesh.Key(2).ToShortString(), facts.NodeName);
        Assert.Single(LaggardRules.Find(Slot.One, TestMesh.Key(1), isOnly: false, [facts], TestMesh.SteadyAt(0)));
        Assert.Empty(
            LaggardRules.Find(Slot.Zero, TestMesh.Key(1), isOnly: false, [Facts(Slot.Zero, nodeName: null)], TestMesh.SteadyAt(0)));
    }

    [Fact]
    public void Facts_PeerThatIsAnnounced_GoesByItsNode() => Assert.Equal("node-2", Facts(Slot.One, "node-2").NodeName);

    // Its clock is behind: what it announced for the other slot serves no later epoch than our key here.
    [Fact]
    public void Facts_ActivePeerThatIsBehind_MayMoveHere()
    {
        var behind =
            TestMesh.Announce(2) with { Slots = [new SlotAnnouncement(Slot.Zero, TestMesh.Key(2), new Epoch(1), TestMesh.ListenPort)] };
        Assert.True(Facts(Slot.One, "node-2", behind).MayMoveHere);
        Assert.False(Facts(Slot.One, "node-3", behind).MayMoveHere);
        Assert.False(Facts(Slot.One, "node-2").MayMoveHere);
    }

    // We missed a turn of the other slot, so the pair's level there is no later than here.
    [Fact]
    public void Facts_ActivePeerWhileOurOtherKeyIsBehind_MayMoveHere()
    {
        var ahead =
            TestMesh.Announce(2) with { Slots = [new SlotAnnouncement(Slot.Zero, TestMesh.Key(2), new Epoch(2), TestMesh.ListenPort)] };
        Assert.False(Facts(Slot.One, "node-2", ahead).MayMoveHere);
        Assert.True(Facts(Slot.One, "node-2", ahead, otherServes: 0).MayMoveHere);
    }

    // It chooses its slot by what we announced before.
    [Fact]
    public void Facts_ActivePeerThatHasNotHeardOurAnnouncement_MayMoveToASlotWithAHandshake()
    {
        Assert.True(Facts(Slot.One, "node-2", heard: []).MayMoveHere);
        Assert.False(Facts(Slot.Zero, "node-2", heard: []).MayMoveHere);
    }

    // When it said so, it could not use the key.
    [Theory]
    [InlineData(0)]
    [InlineData(-60)]
    [InlineData(60)]
    public async Task Facts_AnswerOfBeforeTheKeyWasMade_DoesNotCount(int clockSetBySeconds)
    {
        var older = NewKey();
        _time.Elapsed += TimeSpan.FromSeconds(1);
        _ = await _survey.AskAsync(TimeSpan.FromSeconds(1), TestContext.Current.CancellationToken);
        _time.Elapsed += TimeSpan.FromSeconds(1);
        _time.SetBy = TimeSpan.FromSeconds(clockSetBySeconds);
        Assert.False(Facts(NewKey(), "node-2").IsPathKnown);
        Assert.True(Facts(older, "node-2").IsPathKnown);
    }

    // Or what every peer says would be lost at once.
    [Fact]
    public async Task Facts_ClockWasSetBackBeforeTheAnswer_CountsIt()
    {
        var key = NewKey();
        _time.SetBy = TimeSpan.FromSeconds(-60);
        _time.Elapsed += TimeSpan.FromSeconds(1);
        _ = await _survey.AskAsync(TimeSpan.FromSeconds(1), TestContext.Current.CancellationToken);
        Assert.True(Facts(key, "node-2").IsPathKnown);
    }

    public void Dispose() => _keyPair.Dispose();

    private SlotKey NewKey(Slot slot = default) =>
        new(slot, _keyPair, new Epoch(1), _time.GetUtcNow()) { HeldSince = SteadyTime.Now(_time) };

    private PeerFacts Facts(
        Slot question, string? nodeName, PeerAnnouncement? announcement = null, HashSet<string>? heard = null, long otherServes = 2) =>
        Facts(NewKey(question), nodeName, announcement, heard, otherServes);

    private PeerFacts Facts(
        SlotKey question, string? nodeName, PeerAnnouncement? announcement = null, HashSet<string>? heard = null, long otherServes = 2)
    {
        var announcements = new Dictionary<string, PeerAnnouncement>();
        if (announcement is not null)
        {
            announcements[nodeName!] = announcement;
        }

        var peer = new PeerStatus(nodeName, TestMesh.Key(2), null, [TestMesh.PodCIDR(2)], TestMesh.Start, 0, 0, PeerState.Up);
        var device = new DeviceStatus(Slot.One, "cilium_wg1", Transport.Uapi, TestMesh.Key(1), TestMesh.ListenPort, 1420, [peer]);
        return Assert.Single(_survey.Facts(
            question,
            new Epoch(otherServes),
            new AgentSnapshot([device], null, 1),
            new HashSet<string>(),
            heard ?? new HashSet<string> { "node-2" },
            announcements));
    }

    private sealed class AnsweringPeerService : IPeerServiceClient
    {
        public Task<AnnouncementReceipt> ReceiveAsync(SiloAddress silo, PeerAnnouncement announcement) => throw new NotSupportedException();

        public Task<AnnouncementReceipt> ReceiveAddressesAsync(SiloAddress silo, AddressAnnouncement announcement) =>
            throw new NotSupportedException();

        public Task<DigestReply> ExchangeAsync(SiloAddress silo, MeshDigest digest) => throw new NotSupportedException();

        public Task<PathReply> GetPathAsync(SiloAddress silo, string nodeName) => Task.FromResult(new PathReply(null, TestMesh.Start));
    }
}
