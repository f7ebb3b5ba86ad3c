using System.Globalization;
using System.Net;
using System.Reflection;
using CsCheck;
using Orleans.WireGuard.Grains.Clocks;
using Orleans.WireGuard.Grains.Delivery;
using Orleans.WireGuard.Grains.Nodes;
using Orleans.WireGuard.Keys;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.Unit.Delivery;

/// <summary>What a receiver takes, and for which reason it refuses the rest.</summary>
public sealed class AnnouncementRulesTests : IDisposable
{
    private static readonly NodeRoster Roster = TestMesh.Roster(1, 2, 3);
    private static readonly DateTimeOffset Now = TestMesh.Start;

    private readonly Identity _identity = new();
    private readonly AnnouncementIndex _held;

    public AnnouncementRulesTests() =>
        _held = AnnouncementIndex.Empty.Set(Signed(TestMesh.Announce(1, revision: 5))).Set(Signed(TestMesh.Announce(2, revision: 5)));

    public void Dispose() => _identity.Dispose();

    [Fact]
    public void Judge_FirstOfANode_IsHeld() => Assert.Equal(AnnouncementVerdict.Taken, Judge(Signed(TestMesh.Announce(3))));

    [Fact]
    public void Judge_Newer_IsHeld()
    {
        Assert.Equal(AnnouncementOutcome.Held, Judge(Signed(TestMesh.Announce(1, TestMesh.Key(99), 6))).Outcome);
        Assert.Equal(AnnouncementOutcome.Held, Judge(Signed(
            TestMesh.Announce(1) with { Sequence = new AnnouncementSequence(new Epoch(2), 0) })).Outcome);
    }

    [Fact]
    public void Judge_TheOneThatIsHeld_IsApplied() =>
        Assert.Equal(AnnouncementVerdict.Repeated, Judge(_held.Announcements[TestMesh.Name(1)]));

    [Theory]
    [InlineData(5)]
    [InlineData(4)]
    public void Judge_NotNewer_IsStale(long revision) =>
        AssertRefused(AnnouncementOutcome.StaleSequence, "not above 1.5", Signed(TestMesh.Announce(1, TestMesh.Key(99), revision)));

    [Fact]
    public void Judge_ZeroKey_IsRefused() =>
        AssertRefused(AnnouncementOutcome.ZeroKey, "slot 0", Signed(TestMesh.Announce(3, default(PublicKey))));

    [Fact]
    public void Judge_NameOutsideTheRoster_IsUnknown()
    {
        var stranger = Signed(TestMesh.Announce(4));
        AssertRefused(AnnouncementOutcome.UnknownNode, "'node-4'", stranger);

        // Until the source has answered nobody can tell.
        Assert.Equal(AnnouncementOutcome.Held, AnnouncementRules.Judge(stranger, _held, null, Now).Outcome);
    }

    [Fact]
    public void Judge_ChangedAfterSigning_IsRefused() =>
        AssertRefused(
            AnnouncementOutcome.BadSignature, "signature", Signed(TestMesh.Announce(3)) with { IssuedAt = TestMesh.Start.AddTicks(1) });

    [Fact]
    public void Judge_KeyOfAnotherNode_IsRefused()
    {
        AssertRefused(AnnouncementOutcome.KeyOfAnotherNode, "'node-2'", Signed(TestMesh.Announce(3, TestMesh.Key(2))));
        AssertRefused(AnnouncementOutcome.KeyOfAnotherNode, "'node-2'", Signed(TestMesh.Announce(1, TestMesh.Key(2), 6)));
    }

    [Fact]
    public void Judge_KeyOfAnotherNodeInAnotherSlot_IsRefused() => AssertRefused(
        AnnouncementOutcome.KeyOfAnotherNode,
        "'node-2'",
        Signed(TestMesh.Announce(3) with { Slots = [NewSlot(0, 3), NewSlot(1, 2)] }));

    // A key must not wait for an address. What a node has for its pods is judged apart from its keys, each prefix by itself.
    [Theory]
    [InlineData("10.0.2.0/24")]
    [InlineData("10.0.1.128/25")]
    [InlineData("0.0.0.0/0")]
    [InlineData("8.0.0.0/8")]
    public void Judge_AllowedIPsOfAnotherNodeOrOfNobody_DecideNothing(string prefix)
    {
        var announcement = Signed(TestMesh.Announce(3) with { AllowedIPs = [IPPrefix.Parse(prefix)] });
        Assert.Equal(AnnouncementVerdict.Taken, AnnouncementRules.Judge(announcement, _held, Roster, Now));
        Assert.Equal(AnnouncementVerdict.Taken, AnnouncementRules.Judge(announcement, _held, null, Now));
    }

    [Fact]
    public void Judge_EndpointThatIsNoAddressOfItsNode_IsNotInRoster()
    {
        var elsewhere = Signed(TestMesh.Announce(3) with { Endpoints = [TestMesh.Address(3), TestMesh.Address(2)] });
        AssertRefused(AnnouncementOutcome.NotInRoster, "192.168.0.2", elsewhere);
        Assert.Equal(AnnouncementOutcome.Held, AnnouncementRules.Judge(elsewhere, _held, null, Now).Outcome);
    }

    // It is one address, however a source writes it.
    [Fact]
    public void Judge_EndpointThatIsMappedInOneOfTheRosters_IsHeld()
    {
        var mapped = Signed(TestMesh.Announce(3) with { Endpoints = [TestMesh.Address(3).MapToIPv6()] });
        Assert.Equal(AnnouncementOutcome.Held, Judge(mapped).Outcome);
        var roster = NodeRoster.Of(
            [new RosterNode(TestMesh.Name(3), [TestMesh.Address(3).MapToIPv6()], [TestMesh.PodCIDR(3)])]);
        Assert.Equal(
            AnnouncementOutcome.Held, AnnouncementRules.Judge(Signed(TestMesh.Announce(3)), AnnouncementIndex.Empty, roster, Now).Outcome);
    }

    [Fact]
    public void Judge_ItsOwnFormerKeyAndPrefix_IsHeld() =>
        Assert.Equal(AnnouncementOutcome.Held, Judge(Signed(TestMesh.Announce(1, revision: 6))).Outcome);

    [Fact]
    public void Judge_ManyEndpointsAndPrefixes_AreHeldUpToTheLimit()
    {
        var wide = TestMesh.RosterNode(3) with
        {
            Addresses = [.. Enumerable.Range(1, PeerAnnouncement.MaxEndpoints).Select(TestMesh.Address)],
            PodCIDRs = [IPPrefix.Parse("10.3.0.0/16"), IPPrefix.Parse("10.4.0.0/16")],
        };
        var roster = NodeRoster.Of([TestMesh.RosterNode(1), TestMesh.RosterNode(2), wide]);
        var many = TestMesh.Announce(3) with
        {
            Endpoints = [.. Enumerable.Range(1, PeerAnnouncement.MaxEndpoints).Select(TestMesh.Address)],
            AllowedIPs = [.. Enumerable.Range(1000, PeerAnnouncement.MaxAllowedIPs).Select(TestMesh.PodCIDR)],
        };
        Assert.Equal(AnnouncementOutcome.Held, AnnouncementRules.Judge(Signed(many), _held, roster, Now).Outcome);
        AssertRefused(AnnouncementOutcome.Malformed, "came 9", Signed(many with { Endpoints = [.. many.Endpoints, TestMesh.Address(9)] }));
        AssertRefused(
            AnnouncementOutcome.Malformed, "came 257", Signed(many with { AllowedIPs = [.. many.AllowedIPs, TestMesh.PodCIDR(999)] }));
    }

    [Fact]
    public void Judge_NoAllowedIPs_IsHeld() =>
        Assert.Equal(AnnouncementOutcome.Held, Judge(Signed(TestMesh.Announce(3) with { AllowedIPs = [] })).Outcome);

    [Fact]
    public void Judge_BadName_IsMalformed()
    {
        // Kubernetes has no such nodes, and a terminal would obey some of them.
        string?[] names = [null, "", new string(
            'a', 254), "node-\ud800", "nöde", "\u001b[2Jnode", "node\n", "node\u202e", "Node", "node 3", "-node", "node..3"];
        Assert.All(
            names, name => AssertRefused(AnnouncementOutcome.Malformed, "node name", TestMesh.Announce(3) with { NodeName = name! }));
    }

    [Theory]
    [InlineData(-1, 0)]
    [InlineData(0, -1)]
    [InlineData(4_000_000_000_000, 0)]
    [InlineData(0, (1L << 48) + 1)]
    public void Judge_SequenceOutOfRange_IsMalformed(long epoch, long revision) => AssertRefused(
        AnnouncementOutcome.Malformed,
        string.Create(CultureInfo.InvariantCulture, $"{epoch}.{revision}"),
        TestMesh.Announce(3) with { Sequence = new AnnouncementSequence(new Epoch(epoch), revision) });

    // Whoever has announced it: nobody is locked out by it for longer than a millisecond, because the bound moves on by then.
    [Fact]
    public void IsPossible_HighestSequence_CanBeSurpassedAMillisecondLater() => MeshGen.Time.Sample(horizon =>
    {
        var highest = AnnouncementSequence.At(horizon);
        Assert.True(SequenceBounds.IsPossible(highest, horizon));
        var next = AnnouncementSequence.Next(highest, horizon - SequenceBounds.MaxLead(TimeSpan.Zero));
        Assert.True(next > highest);
        Assert.False(SequenceBounds.IsPossible(next, horizon));
        Assert.True(SequenceBounds.IsPossible(next, horizon.AddMilliseconds(1)));
    });

    [Theory]
    [InlineData(1, 302)]
    [InlineData(120, 540)]
    [InlineData(86_400, 173_100)]
    public void MaxLead_Period_IsTwiceThatAndFiveMinutes(int period, int expected) =>
        Assert.Equal(TimeSpan.FromSeconds(expected), SequenceBounds.MaxLead(TimeSpan.FromSeconds(period)));

    // The node's clock, or the receiver's, was ahead and is not any more.
    [Fact]
    public void Judge_HeldOneLiesBeyondTheHorizon_CountsNoMore()
    {
        var ahead = Signed(TestMesh.Announce(1) with { Sequence = AnnouncementSequence.At(Now.AddHours(1)) });
        var held = AnnouncementIndex.Empty.Set(ahead);
        var next = Signed(TestMesh.Announce(1, TestMesh.Key(99)) with { Sequence = AnnouncementSequence.At(Now) });
        Assert.Equal(AnnouncementOutcome.Held, AnnouncementRules.Judge(next, held, Roster, Now).Outcome);
        Assert.Equal(AnnouncementOutcome.StaleSequence, AnnouncementRules.Judge(next, held, Roster, Now.AddHours(1)).Outcome);
    }

    // That of a node with another period is taken: it is being changed, node by node.
    [Fact]
    public void Judge_KeyOfAnEpochThatNobodyCanHaveReached_IsMalformed()
    {
        var latest = Epoch.At(Now, TimeSpan.FromSeconds(1));
        Assert.Equal(AnnouncementOutcome.Held, Judge(
            Signed(TestMesh.Announce(3) with { Slots = [NewSlot(0, 3) with { ServesEpoch = latest }] })).Outcome);
        AssertRefused(
            AnnouncementOutcome.Malformed, "no clock", Signed(
                TestMesh.Announce(3) with { Slots = [NewSlot(0, 3) with { ServesEpoch = new Epoch(latest.Value + 1) }] }));
        AssertRefused(
            AnnouncementOutcome.Malformed,
            "no clock",
            Signed(TestMesh.Announce(
                3) with
            { Slots = [NewSlot(0, 3) with { KeyEpoch = new Epoch(long.MaxValue), ServesEpoch = new Epoch(long.MaxValue) }] }));
    }

    [Fact]
    public void Judge_BadSlots_IsMalformed()
    {
        EquatableArray<SlotAnnouncement>[] lists =
        [
            [],
            [NewSlot(1, 30), NewSlot(0, 31)],
            [NewSlot(0, 30), NewSlot(0, 31)],
            [NewSlot(0, 30), NewSlot(1, 30)],
            [NewSlot(0, 30), NewSlot(1, 31), NewSlot(1, 32)],
            [NewSlot(0, 30) with { ListenPort = 0 }],
            [null!],
            [NewSlot(0, 30), null!],
        ];
        Assert.All(lists, slots => AssertRefused(AnnouncementOutcome.Malformed, "slot", TestMesh.Announce(3) with { Slots = slots }));
    }

    [Fact]
    public void Judge_BadEndpoints_IsMalformed()
    {
        EquatableArray<IPAddress>[] lists = [[], [null!], [IPAddress.Parse("fe80::1%1")]];
        Assert.All(lists, endpoints => AssertRefused(
            AnnouncementOutcome.Malformed, "endpoint", TestMesh.Announce(3) with { Endpoints = endpoints }));
    }

    // A serializer sets fields, not what a constructor has checked. With host bits no prefix seems to overlap; the device drops them.
    [Fact]
    public void Judge_ValuesThatCannotBeMade_AreMalformed()
    {
        IPPrefix[] prefixes =
        [
            WithField(TestMesh.PodCIDR(2), "_bits", (UInt128)0x0A000201 << 96),
            WithField(TestMesh.PodCIDR(2), "_bits", ((UInt128)0x0A000200 << 96) + 1),
            WithField(TestMesh.PodCIDR(2), "<Length>k__BackingField", 33),
            WithField(TestMesh.PodCIDR(2), "<Length>k__BackingField", -1),
        ];
        Assert.All(prefixes, prefix => AssertRefused(
            AnnouncementOutcome.Malformed, "allowed IP", TestMesh.Announce(3) with { AllowedIPs = [prefix] }));

        var slot = NewSlot(0, 30) with { Slot = WithField(Slot.Zero, "_index", (byte)2) };
        AssertRefused(AnnouncementOutcome.Malformed, "slot", TestMesh.Announce(3) with { Slots = [slot] });
    }

    // The cheap checks come first, and what is wrong with the message before what is wrong with its place in the mesh.
    [Fact]
    public void Judge_EverythingWrong_NamesTheFirstReason()
    {
        var announcement = TestMesh.Announce(4, default(PublicKey)) with { AllowedIPs = [TestMesh.PodCIDR(2)], Endpoints = [] };
        AssertRefused(AnnouncementOutcome.Malformed, "endpoint", announcement);

        announcement = announcement with { Endpoints = [TestMesh.Address(4)] };
        AssertRefused(AnnouncementOutcome.ZeroKey, "all-zero", announcement);

        announcement = announcement with { Slots = [NewSlot(0, 2)] };
        AssertRefused(AnnouncementOutcome.UnknownNode, "'node-4'", announcement);

        announcement = announcement with { NodeName = TestMesh.Name(1) };
        AssertRefused(AnnouncementOutcome.BadSignature, "signature", announcement);
        AssertRefused(AnnouncementOutcome.StaleSequence, "not above", Signed(announcement));

        announcement = announcement with { Sequence = new AnnouncementSequence(new Epoch(1), 6) };
        AssertRefused(AnnouncementOutcome.KeyOfAnotherNode, "'node-2'", Signed(announcement));

        announcement = announcement with { Slots = [NewSlot(0, 1)] };
        AssertRefused(AnnouncementOutcome.NotInRoster, "192.168.0.4", Signed(announcement));
    }

    private static T WithField<T>(T value, string name, object content)
        where T : struct
    {
        object boxed = value;
        typeof(T).GetField(name, BindingFlags.Instance | BindingFlags.NonPublic)!.SetValue(boxed, content);
        return (T)boxed;
    }

    private static SlotAnnouncement NewSlot(byte slot, int key) =>
        new(new Slot(slot), TestMesh.Key(key), new Epoch(1), TestMesh.ListenPort);

    private PeerAnnouncement Signed(PeerAnnouncement announcement) => _identity.Sign(announcement);

    private AnnouncementVerdict Judge(PeerAnnouncement announcement) =>
        AnnouncementRules.Judge(announcement, _held, Roster, Now);

    private void AssertRefused(AnnouncementOutcome outcome, string detail, PeerAnnouncement announcement)
    {
        var judgement = Judge(announcement);
        Assert.Equal((false, outcome), (judgement.IsAccepted, judgement.Outcome));
        Assert.Contains(detail, judgement.Detail, StringComparison.Ordinal);
    }
}
