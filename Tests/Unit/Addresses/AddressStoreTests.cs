using Orleans.WireGuard.Grains.Addresses;
using Orleans.WireGuard.Grains.Delivery;
using Orleans.WireGuard.Grains.Nodes;
using Orleans.WireGuard.Keys;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.Unit.Addresses;

/// <summary>What follows from a node's own source and from what others announced, while either is missing.</summary>
public sealed class AddressStoreTests : IDisposable
{
    private readonly Identity _identity = new();
    private readonly FakeRosterSource _roster = new(0);
    private readonly SettableSource _own = new();
    private readonly AnnouncementStore _store;
    private readonly AddressStore _addresses;

    public AddressStoreTests()
    {
        var (time, membership) = (new WaitableTimeProvider(TestMesh.Start), new FakeMembership(1, 2, 3));
        _roster.Set(TestMesh.Roster(1, 2, 3));
        _store = TestMesh.Store(_roster, membership, time);
        _addresses = TestMesh.Addresses(_store, _roster, membership.Members, time, _own);
    }

    public void Dispose() => _identity.Dispose();

    // Its object is gone, or may not be read any more. What was refused stays refused: strict mode fails closed.
    [Fact]
    public void Roster_SourceTellsNothingAnyMore_StaysAsItWasToldLast()
    {
        _store.MarkSynced();
        _own.Current = Told("10.7.1.0/28");
        Announce(2, "10.7.2.0/28");
        var before = _addresses.Roster!;
        _own.Current = new OwnPrefixes([], []) { Because = "its object is gone" };
        Assert.True(before.HasSameNodes(_addresses.Roster));
        Assert.Equal(before.PodRanges, _addresses.Roster!.PodRanges);
        Assert.Equal("10.7.2.0/28", string.Join(' ', _addresses.FindGranted(TestMesh.Name(2))!));
    }

    // At a start nothing was told yet, and what the former process left is all there is.
    [Fact]
    public void Roster_SourceHasToldNothingYet_IsUnknownAndPrefixesCount()
    {
        _store.MarkSynced();
        _own.Current = new OwnPrefixes([], []) { Because = "it may not be read" };
        Announce(2, "10.7.2.0/28");
        Assert.Null(_addresses.Roster);
        Assert.Equal("10.7.2.0/28", string.Join(' ', _addresses.FindGranted(TestMesh.Name(2))!));
    }

    // A node that has not been heard would seem to have no pods, and would lose those that a former process gave it.
    [Fact]
    public void Roster_ListTellsNothingOfPodsAndNobodyWasAsked_IsUnknown()
    {
        _own.Current = Told("10.7.1.0/28");
        Assert.Null(_addresses.Roster);
        _store.MarkSynced();
        Assert.NotNull(_addresses.Roster);
    }

    [Fact]
    public void Roster_ListIsBelieved_IsKnownAtOnce()
    {
        _own.Current = Told("10.0.1.0/24") with { IsRosterBelieved = true, PodRanges = [] };
        Assert.Equal(_store.Roster!.Nodes.Keys, _addresses.Roster!.Nodes.Keys);
        Assert.Equal([TestMesh.PodCIDR(2)], _addresses.Roster.Find(TestMesh.Name(2))!.PodCIDRs);
    }

    // Two pools of nodes with a subnet for pods each: the own object tells of one of them.
    [Theory]
    [InlineData(false, "10.9.2.0/28")]
    [InlineData(true, "")]
    public void Offer_PrefixOutsideOfTheRange_CountsUnlessTheRangesAreWhole(bool areWhole, string granted)
    {
        _store.MarkSynced();
        _own.Current = Told("10.7.1.0/28") with { ArePodRangesWhole = areWhole };
        Announce(2, "10.9.2.0/28");
        Assert.Equal(granted, string.Join(' ', _addresses.Roster!.Find(TestMesh.Name(2))!.PodCIDRs));
    }

    // A Windows node announces nothing, and its pods are neither refused nor dropped.
    [Fact]
    public void Roster_ExemptNode_KeepsWhatTheListSays()
    {
        _store.MarkSynced();
        _own.Current = Told("10.7.1.0/28");
        _roster.Set(NodeRoster.Of([TestMesh.RosterNode(1), TestMesh.RosterNode(2) with { IsExempt = true }, TestMesh.RosterNode(3)]));
        Assert.Equal([TestMesh.PodCIDR(2)], _addresses.Roster!.Find(TestMesh.Name(2))!.PodCIDRs);
        Assert.Empty(_addresses.Roster.Find(TestMesh.Name(3))!.PodCIDRs);
    }

    private static OwnPrefixes Told(string prefix) => new([IPPrefix.Parse(prefix)], [IPPrefix.Parse("10.7.0.0/16")])
    {
        Source = "NodeNetworkConfig",
        IsRosterBelieved = false,
    };

    private void Announce(int node, string prefix) => Assert.Equal(AnnouncementVerdict.Taken, _addresses.Offer(_identity.Sign(
        new AddressAnnouncement
        {
            NodeName = TestMesh.Name(node),
            Identity = _identity.PublicKey,
            Sequence = AnnouncementSequence.At(TestMesh.Start),
            Prefixes = [IPPrefix.Parse(prefix)],
        })));

    private sealed class SettableSource : IOwnPrefixSource
    {
        public event Action? Changed
        {
            add { }
            remove { }
        }

        public OwnPrefixes? Current { get; set; }

        public EquatableArray<NodeProblem> Problems => [];
    }
}
