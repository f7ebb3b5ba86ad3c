using System.Net;
using Orleans.WireGuard.Grains.Delivery;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.Unit.Delivery;

/// <summary>Who has acknowledged the current announcement, and only the current one.</summary>
public sealed class DeliveryLedgerTests
{
    private static readonly SiloAddress Second = Silo(2, 1);
    private static readonly SiloAddress Third = Silo(3, 1);
    private static readonly PeerAnnouncement Announcement = TestMesh.Announce(1);

    private readonly DeliveryLedger _ledger = new();

    [Fact]
    public void ToStatus_NothingPublished_ListsTheMembers() => Assert.Equal(
        new DeliveryStatus(null, null, [new ReceiverStatus("node-2", null, null, 0, null), new ReceiverStatus("node-3", null, null, 0, null)]),
        _ledger.ToStatus([(Third, "node-3"), (Second, "node-2")]));

    [Fact]
    public void Record_Applied_TellsHowLongItTook()
    {
        _ledger.Begin(Announcement, TestMesh.Start);
        Record(Second, "node-2", null, "no answer", 1000);
        Record(Second, "node-2", AnnouncementOutcome.Held, null, 1100);
        Record(Second, "node-2", AnnouncementOutcome.Applied, null, 1250);
        Assert.True(_ledger.HasApplied(Second));
        Assert.False(_ledger.HasApplied(Third));
        Assert.Equal(
            new DeliveryStatus(
                Announcement.Sequence,
                TestMesh.Start,
                [new ReceiverStatus("node-2", AnnouncementOutcome.Applied, TimeSpan.FromMilliseconds(1250), 3, null)]),
            _ledger.ToStatus([(Second, "node-2")]));
    }

    [Fact]
    public void Record_FailureAfterwards_KeepsTheAcknowledgement()
    {
        _ledger.Begin(Announcement, TestMesh.Start);
        Record(Second, "node-2", AnnouncementOutcome.Applied, null, 10);
        Record(Second, "node-2", AnnouncementOutcome.Applied, null, 20);
        Record(Second, "node-2", null, "no answer", 30);
        Assert.True(_ledger.HasApplied(Second));
        Assert.Equal(
            [new ReceiverStatus("node-2", AnnouncementOutcome.Applied, TimeSpan.FromMilliseconds(10), 3, "no answer")],
            _ledger.ToStatus([(Second, "node-2")]).Receivers);
    }

    [Fact]
    public void Record_OfAnOlderAnnouncement_IsIgnored()
    {
        _ledger.Begin(Announcement, TestMesh.Start);
        _ledger.Begin(TestMesh.Announce(1, revision: 1), TestMesh.Start);
        Record(Second, "node-2", AnnouncementOutcome.Applied, null, 10);
        Assert.False(_ledger.HasApplied(Second));
        Assert.Equal(0, _ledger.ToStatus([(Second, "node-2")]).Receivers[0].Attempts);
    }

    [Fact]
    public void Begin_NewAnnouncement_StartsOver()
    {
        _ledger.Begin(Announcement, TestMesh.Start);
        Record(Second, "node-2", AnnouncementOutcome.Applied, null, 10);
        _ledger.Begin(TestMesh.Announce(1, revision: 1), TestMesh.Start);
        Assert.False(_ledger.HasApplied(Second));
        Assert.Empty(_ledger.AppliedNodes([Second]));
    }

    // A restarted silo remembers nothing, so what its former self acknowledged does not count.
    [Fact]
    public void AppliedNodes_RestartedSilo_IsNotAmongThem()
    {
        _ledger.Begin(Announcement, TestMesh.Start);
        Record(Second, "node-2", AnnouncementOutcome.Applied, null, 10);
        Record(Third, "node-3", AnnouncementOutcome.Held, null, 10);
        Assert.Equal(["node-2"], _ledger.AppliedNodes([Second, Third]));
        Assert.Empty(_ledger.AppliedNodes([Silo(2, 2), Third]));
    }

    // Who holds it chooses a slot by it, whether the device has been written or not; who refused it, or did not answer, goes by the one before.
    [Fact]
    public void HeldNodes_HeldOrApplied_AreAmongThem()
    {
        var (fourth, fifth) = (Silo(4, 1), Silo(5, 1));
        SiloAddress[] members = [Second, Third, fourth, fifth, Silo(6, 1)];
        _ledger.Begin(Announcement, TestMesh.Start);
        Record(Second, "node-2", AnnouncementOutcome.Applied, null, 10);
        Record(Third, "node-3", AnnouncementOutcome.Held, null, 10);
        Record(fourth, "node-4", AnnouncementOutcome.UnknownNode, null, 10);
        Record(fifth, "node-5", null, "no answer", 10);
        Assert.Equal(["node-2", "node-3"], _ledger.HeldNodes(members).Order());
        Assert.Equal(["node-3"], _ledger.HeldNodes([Silo(2, 2), Third]));

        _ledger.Begin(TestMesh.Announce(1, revision: 1), TestMesh.Start);
        Assert.Empty(_ledger.HeldNodes(members));
    }

    private static SiloAddress Silo(int node, int generation) => SiloAddress.New(new IPEndPoint(TestMesh.Address(node), 11111), generation);

    private void Record(SiloAddress silo, string name, AnnouncementOutcome? outcome, string? problem, int afterMilliseconds) =>
        _ledger.Record(Announcement.Sequence, silo, name, outcome, problem, TimeSpan.FromMilliseconds(afterMilliseconds));
}
