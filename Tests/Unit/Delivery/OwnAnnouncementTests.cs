using System.Collections;
using System.Net;
using CsCheck;
using Orleans.WireGuard.Grains.Delivery;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.Unit.Delivery;

/// <summary>Who has acknowledged the current announcement, and only the current one.</summary>
public sealed class OwnAnnouncementTests
{
    private static readonly NodeProblem NoAnswer = NodeProblem.Of(NodeProblemCode.NoAnswer, "2");

    private static readonly SiloAddress Second = Silo(2, 1);
    private static readonly SiloAddress Third = Silo(3, 1);
    private static readonly PeerAnnouncement Announcement = TestMesh.Announce(1);

    private readonly OwnAnnouncement _own = new();

    // Noted by a clock that was far ahead and has been set back since: nobody takes them, and they must not hide what counts.
    [Fact]
    public void RaiseFloorAndNoteFormerSelf_BehindOnesThatNobodyTakes_TakeTheirPlace()
    {
        var (ahead, horizon) = (TestMesh.Start.AddDays(2), TestMesh.Start.AddDays(1));
        var (far, near) = (AnnouncementSequence.At(TestMesh.Start.AddDays(1.5)), AnnouncementSequence.At(TestMesh.Start.AddHours(1)));
        Assert.True(_own.RaiseFloor(far, ahead));
        Assert.False(_own.RaiseFloor(near, ahead));
        Assert.True(_own.RaiseFloor(near, horizon));
        Assert.True(_own.NextSequence(TestMesh.Start, horizon) > near);
        Assert.True(_own.NextSequence(TestMesh.Start, horizon) < far);

        Assert.True(_own.NoteFormerSelf(Announcement with { Sequence = far }, ahead));
        Assert.False(_own.NoteFormerSelf(Announcement with { Sequence = near }, ahead));
        Assert.True(_own.NoteFormerSelf(Announcement with { Sequence = near }, horizon));
        Assert.Equal(near, _own.FormerSelf!.Sequence);
    }

    [Fact]
    public void ToStatus_NothingPublished_ListsTheMembers() => Assert.Equal(
        new DeliveryStatus(
            null, null, [new ReceiverStatus("node-2", null, null, 0, null), new ReceiverStatus("node-3", null, null, 0, null)]),
        _own.ToStatus([(Third, "node-3"), (Second, "node-2")]));

    [Fact]
    public void Record_Applied_TellsHowLongItTook()
    {
        _own.Begin(Announcement, TestMesh.Start);
        Record(Second, "node-2", null, NoAnswer, 1000);
        Record(Second, "node-2", AnnouncementOutcome.Held, null, 1100);
        Record(Second, "node-2", AnnouncementOutcome.Applied, null, 1250);
        Assert.True(_own.HasApplied(Second));
        Assert.False(_own.HasApplied(Third));
        Assert.Equal(
            new DeliveryStatus(
                Announcement.Sequence,
                TestMesh.Start,
                [new ReceiverStatus("node-2", AnnouncementOutcome.Applied, TimeSpan.FromMilliseconds(1250), 3, null)]),
            _own.ToStatus([(Second, "node-2")]));
    }

    [Fact]
    public void Record_FailureAfterwards_KeepsTheAcknowledgement()
    {
        _own.Begin(Announcement, TestMesh.Start);
        Record(Second, "node-2", AnnouncementOutcome.Applied, null, 10);
        Record(Second, "node-2", AnnouncementOutcome.Applied, null, 20);
        Record(Second, "node-2", null, NoAnswer, 30);
        Assert.True(_own.HasApplied(Second));
        Assert.Equal(
            [new ReceiverStatus("node-2", AnnouncementOutcome.Applied, TimeSpan.FromMilliseconds(10), 3, NoAnswer)],
            _own.ToStatus([(Second, "node-2")]).Receivers);
    }

    [Fact]
    public void Record_OfAnOlderAnnouncement_IsIgnored()
    {
        _own.Begin(Announcement, TestMesh.Start);
        _own.Begin(TestMesh.Announce(1, revision: 1), TestMesh.Start);
        Record(Second, "node-2", AnnouncementOutcome.Applied, null, 10);
        Assert.False(_own.HasApplied(Second));
        Assert.Equal(0, _own.ToStatus([(Second, "node-2")]).Receivers[0].Attempts);
    }

    [Fact]
    public void Begin_NewAnnouncement_StartsOver()
    {
        _own.Begin(Announcement, TestMesh.Start);
        Record(Second, "node-2", AnnouncementOutcome.Applied, null, 10);
        _own.Begin(TestMesh.Announce(1, revision: 1), TestMesh.Start);
        Assert.False(_own.HasApplied(Second));
        Assert.Empty(_own.AppliedNodes([Second]));
    }

    // A restarted silo remembers nothing, so what its former self acknowledged does not count.
    [Fact]
    public void AppliedNodes_RestartedSilo_IsNotAmongThem()
    {
        _own.Begin(Announcement, TestMesh.Start);
        Record(Second, "node-2", AnnouncementOutcome.Applied, null, 10);
        Record(Third, "node-3", AnnouncementOutcome.Held, null, 10);
        Assert.Equal(["node-2"], _own.AppliedNodes([Second, Third]));
        Assert.Empty(_own.AppliedNodes([Silo(2, 2), Third]));
    }

    // Who holds it chooses a slot by it, whether the device has been written or not; who refused it, or did not answer, goes by the one
    // before.
    [Fact]
    public void HeldNodes_HeldOrApplied_AreAmongThem()
    {
        var (fourth, fifth) = (Silo(4, 1), Silo(5, 1));
        SiloAddress[] members = [Second, Third, fourth, fifth, Silo(6, 1)];
        _own.Begin(Announcement, TestMesh.Start);
        Record(Second, "node-2", AnnouncementOutcome.Applied, null, 10);
        Record(Third, "node-3", AnnouncementOutcome.Held, null, 10);
        Record(fourth, "node-4", AnnouncementOutcome.UnknownNode, null, 10);
        Record(fifth, "node-5", null, NoAnswer, 10);
        Assert.Equal(["node-2", "node-3"], _own.HeldNodes(members).Order());
        Assert.Equal(["node-3"], _own.HeldNodes([Silo(2, 2), Third]));

        _own.Begin(TestMesh.Announce(1, revision: 1), TestMesh.Start);
        Assert.Empty(_own.HeldNodes(members));
    }

    [Fact]
    public void IsEverywhere_Receipts_CountDown()
    {
        (SiloAddress, string)[] members = [(Second, "node-2"), (Third, "node-3")];
        _own.Begin(Announcement, TestMesh.Start);
        Assert.False(_own.IsEverywhere(members));
        Record(Second, "node-2", AnnouncementOutcome.Applied, null, 10);
        Record(Third, "node-3", AnnouncementOutcome.Held, null, 10);
        Assert.False(_own.IsEverywhere(members));
        Record(Third, "node-3", AnnouncementOutcome.Applied, null, 20);
        Assert.True(_own.IsEverywhere(members));

        // Whoever joins has to be told, also with a new life.
        Assert.False(_own.IsEverywhere([.. members, (Silo(4, 1), "node-4")]));
        Assert.False(_own.IsEverywhere([(Silo(2, 2), "node-2"), (Third, "node-3")]));
        Assert.True(_own.IsEverywhere([(Third, "node-3")]));
        Assert.True(_own.IsEverywhere([]));
    }

    [Fact]
    public void IsEverywhere_NoLongerApplied_IsNot()
    {
        (SiloAddress, string)[] members = [(Second, "node-2")];
        _own.Begin(Announcement, TestMesh.Start);
        Record(Second, "node-2", AnnouncementOutcome.Applied, null, 10);
        Assert.True(_own.IsEverywhere(members));
        Record(Second, "node-2", AnnouncementOutcome.Held, null, 20);
        Assert.False(_own.IsEverywhere(members));
        _own.Begin(TestMesh.Announce(1, revision: 1), TestMesh.Start);
        Assert.False(_own.IsEverywhere(members));
    }

    // Against its definition, whatever comes in which order.
    [Fact]
    public void IsEverywhere_AnyReceipts_IsThatAllHaveApplied() => Gen.Select(
            Gen.Int[0, 5], Gen.Enum<AnnouncementOutcome>().Nullable(), Gen.Bool, Gen.Int[0, 5]).Array[0, 40].Sample(steps =>
        {
            var own = new OwnAnnouncement();
            var all = Enumerable.Range(0, 6).Select(i => (Silo(i + 2, 1), TestMesh.Name(i + 2))).ToArray();
            IReadOnlyList<(SiloAddress Silo, string)> members = all;
            own.Begin(Announcement, TestMesh.Start);
            foreach (var (receiver, outcome, isOtherMembership, count) in steps)
            {
                own.Record(Announcement.Sequence, all[receiver].Item1, all[receiver].Item2, outcome, null, TimeSpan.Zero);
                members = isOtherMembership ? all[..count] : members;
                Assert.Equal(members.All(member => own.HasApplied(member.Silo)), own.IsEverywhere(members));
            }
        });

    // It was quadratic: each receipt went through all others, 1.3 s of CPU for an announcement at 1,000 nodes.
    [Theory]
    [InlineData(100)]
    [InlineData(1_000)]
    public void IsEverywhere_AllReceiptsOfAnAnnouncement_GoThroughTheMembersOnce(int count)
    {
        var members = new CountingList([.. Enumerable.Range(2, count).Select(node => (Silo(node, 1), TestMesh.Name(node)))]);
        _own.Begin(Announcement, TestMesh.Start);
        for (var i = 0; i < count; i++)
        {
            Assert.False(_own.IsEverywhere(members));
            Record(Silo(i + 2, 1), TestMesh.Name(i + 2), AnnouncementOutcome.Applied, null, i);
        }

        Assert.True(_own.IsEverywhere(members));
        Assert.Equal(count, members.Reads);
    }

    // What is asked for with every receipt is made once for a membership.
    [Fact]
    public void Others_SameMembership_IsTheSameList()
    {
        var membership = new FakeMembership(1, 2, 3);
        var members = new MeshMembers(membership, membership);
        Assert.Equal(["node-2", "node-3"], members.Others.Select(other => other.NodeName));
        Assert.Same(members.Others, members.Others);
    }

    private static SiloAddress Silo(int node, int generation) => SiloAddress.New(new IPEndPoint(TestMesh.Address(node), 11111), generation);

    private void Record(SiloAddress silo, string name, AnnouncementOutcome? outcome, NodeProblem? problem, int afterMilliseconds) =>
        _own.Record(Announcement.Sequence, silo, name, outcome, problem, TimeSpan.FromMilliseconds(afterMilliseconds));

    private sealed class CountingList(IReadOnlyList<(SiloAddress Silo, string NodeName)> items)
        : IReadOnlyList<(SiloAddress Silo, string NodeName)>
    {
        public int Reads { get; private set; }

        public int Count => items.Count;

        public (SiloAddress Silo, string NodeName) this[int index]
        {
            get
            {
                Reads++;
                return items[index];
            }
        }

        public IEnumerator<(SiloAddress Silo, string NodeName)> GetEnumerator()
        {
            foreach (var item in items)
            {
                Reads++;
                yield return item;
            }
        }

        IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
    }
}
