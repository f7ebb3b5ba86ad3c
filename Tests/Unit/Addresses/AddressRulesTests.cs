using System.Net;
using Orleans.WireGuard.Grains.Addresses;
using Orleans.WireGuard.Grains.Delivery;
using Orleans.WireGuard.Keys;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.Unit.Addresses;

/// <summary>What is an announcement of addresses, and what is none.</summary>
public sealed class AddressRulesTests : IDisposable
{
    private static readonly DateTimeOffset Now = TestMesh.Start;

    private readonly Identity _identity = new();

    public void Dispose() => _identity.Dispose();

    [Fact]
    public void Judge_Signed_IsTakenOnceAndInOrder()
    {
        var first = Sign(Announcement(revision: 5));
        Assert.Equal(AnnouncementVerdict.Taken, AddressRules.Judge(first, null, TestMesh.Roster(1, 2), Now));
        Assert.Equal(AnnouncementVerdict.Repeated, AddressRules.Judge(first, first, TestMesh.Roster(1, 2), Now));
        Assert.Equal(AnnouncementVerdict.Taken, AddressRules.Judge(Sign(Announcement(revision: 6)), first, TestMesh.Roster(1, 2), Now));
        var stale = Sign(Announcement(revision: 5) with { Prefixes = [] });
        Assert.Equal(AnnouncementOutcome.StaleSequence, AddressRules.Judge(stale, first, null, Now).Outcome);
        Assert.Equal(AnnouncementOutcome.UnknownNode, AddressRules.Judge(first, null, TestMesh.Roster(1), Now).Outcome);
    }

    // What was taken by a clock that has been set back since counts no more.
    [Fact]
    public void Judge_HeldOneLiesBeyondTheHorizon_CountsNoMore()
    {
        var ahead = Sign(Announcement(5) with { Sequence = AnnouncementSequence.At(Now.AddHours(3)) });
        Assert.Equal(AnnouncementVerdict.Taken, AddressRules.Judge(Sign(Announcement(6)), ahead, null, Now));
    }

    [Fact]
    public void Judge_AnythingChangedAfterSigning_IsBadSignature()
    {
        var signed = Sign(Announcement(5));
        Assert.All<AddressAnnouncement>(
            [
                signed with { NodeName = "node-3" },
                signed with { Sequence = new AnnouncementSequence(new Epoch(1), 6) },
                signed with { Prefixes = Parse("10.0.2.0/25") },
                signed with { NodeAddresses = [] },
                signed with { Encapsulations = [Encapsulation.IPInIP] },
                signed with { Signature = [] },
            ],
            changed => Assert.Equal(AnnouncementOutcome.BadSignature, AddressRules.Judge(changed, null, null, Now).Outcome));
    }

    // A signature over keys is none over addresses, whatever the two have in common.
    [Fact]
    public void Encode_Context_IsNotThatOfKeys() => Assert.Equal(
        "orleans-wireguard/addresses/1\0"u8.ToArray(), AddressEncoding.Encode(Announcement(5))[..30]);

    [Fact]
    public void Encode_Golden_IsAsAlways() => Assert.Equal(
        "6F726C65616E732D7769726567756172642F6164647265737365732F3100"
        + "0006" + "6E6F64652D32" + new string('0', 64) + "0000000000000001" + "0000000000000005"
        + "0002" + "04" + "0A000200" + "18" + "06" + "FD000002000000000000000000000000" + "40"
        + "0001" + "04" + "0A000201" + "0002" + "11" + "2118" + "04" + "0000",
        Convert.ToHexString(AddressEncoding.Encode(Announcement(5))));

    [Fact]
    public void Judge_Malformed_SaysWhat()
    {
        Assert.All<(AddressAnnouncement Announcement, string Expected)>(
            [
                (Announcement(5) with { NodeName = "no name" }, "not a node name"),
                (Announcement(5) with { Sequence = new AnnouncementSequence(new Epoch(-1), 0) }, "out of range"),
                (Announcement(5) with { Sequence = AnnouncementSequence.At(Now.AddHours(3)) }, "later than"),
                (Announcement(5) with { Prefixes = Parse("10.0.2.0/25", "10.0.2.0/24") }, "is not behind"),
                (Announcement(5) with { Prefixes = Parse("10.0.2.0/24", "10.0.2.0/25") }, "inside it"),
                (Announcement(5) with { Prefixes = Parse("10.0.2.0/24", "10.0.2.0/24") }, "is not behind"),
                (Announcement(5) with { Prefixes = Hosts(AddressAnnouncement.MaxPrefixes + 1) }, "came 4097"),
                (Announcement(5) with { NodeAddresses = [.. Enumerable.Repeat(IPAddress.Loopback, 17)] }, "came 17"),
                (Announcement(5) with { NodeAddresses = [IPAddress.Parse("fe80::1%2")] }, "has a zone"),
                (Announcement(5) with { NodeAddresses = [null!] }, "is missing"),
                (Announcement(5) with { Encapsulations = [.. Enumerable.Repeat(Encapsulation.IPInIP, 5)] }, "came 5"),
                (Announcement(5) with { Encapsulations = [Encapsulation.Udp(0)] }, "neither a UDP port"),
                (Announcement(5) with { Encapsulations = [new Encapsulation(6, 443)] }, "neither a UDP port"),
            ],
            row =>
            {
                var verdict = AddressRules.Judge(row.Announcement, null, null, Now);
                Assert.Equal(AnnouncementOutcome.Malformed, verdict.Outcome);
                Assert.Contains(row.Expected, verdict.Detail, StringComparison.Ordinal);
            });
        Assert.Equal(
            AnnouncementVerdict.Taken,
            AddressRules.Judge(Sign(Announcement(5) with { Prefixes = Hosts(AddressAnnouncement.MaxPrefixes) }), null, null, Now));
    }

    private static EquatableArray<IPPrefix> Hosts(int count) =>
        [.. Enumerable.Range(0, count).Select(i => new IPPrefix(new([10, 7, (byte)(i >> 8), (byte)i]), 32))];

    private static EquatableArray<IPPrefix> Parse(params string[] prefixes) => [.. prefixes.Select(IPPrefix.Parse)];

    private static AddressAnnouncement Announcement(long revision) => new()
    {
        NodeName = "node-2",
        Identity = default,
        Sequence = new AnnouncementSequence(new Epoch(1), revision),
        Prefixes = Parse("10.0.2.0/24", "fd00:2::/64"),
        NodeAddresses = [IPAddress.Parse("10.0.2.1")],
        Encapsulations = [Encapsulation.Udp(8472), Encapsulation.IPInIP],
    };

    private AddressAnnouncement Sign(AddressAnnouncement announcement) => _identity.Sign(announcement);
}
