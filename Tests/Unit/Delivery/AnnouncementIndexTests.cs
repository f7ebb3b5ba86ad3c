using System.Collections.Immutable;
using CsCheck;
using Orleans.WireGuard.Grains.Delivery;
using Orleans.WireGuard.Grains.Nodes;
using Orleans.WireGuard.Keys;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.Unit.Delivery;

/// <summary>The indexes find what a comparison with everything that is held finds.</summary>
public sealed class AnnouncementIndexTests : IDisposable
{
    private const int Nodes = 5;

    // So few nodes, keys and prefixes that conflicts are common.
    private static readonly Gen<Offer> Offers = Gen.Select(
        Gen.Int[1, Nodes], Gen.Int[1, 2 * Nodes].Array[1, Slot.Count]
            .Where(keys => keys.Distinct().Count() == keys.Length), MeshGen.CloseByPrefix.Array[0, 2], Gen.Int[0, 9],
        (node, keys, prefixes, chance) => new Offer(node, keys, prefixes, IsForgotten: chance == 0));

    private static readonly Gen<NodeRoster> Rosters = MeshGen.CloseByPrefix.Array[0, 2].Array[Nodes].Select(cidrs => RosterShares.Divide(
        NodeRoster.Of(cidrs.Select((prefixes, index) => TestMesh.RosterNode(index + 1) with { PodCIDRs = [.. prefixes.Order()] })), _ =>
            NodePresence.Absent));

    private readonly Identity _identity = new();

    public void Dispose() => _identity.Dispose();

    [Fact]
    public void Judge_AnyHistory_FindsWhatAComparisonWithEverythingFinds() => Gen.Select(Offers.Array[1, 12], Rosters, Gen.Bool).Sample(
        (offers, roster, isRosterKnown) =>
        {
            var held = AnnouncementIndex.Empty;
            var index = isRosterKnown ? roster : null;
            foreach (var (offer, revision) in offers.Select((offer, revision) => (offer, revision)))
            {
                var announcement = Sign(offer, revision);
                var judgement = AnnouncementRules.Judge(announcement, held, index, TestMesh.Start);
                var conflicts = FindConflicts(announcement, held.Announcements);
                Assert.Contains(judgement, conflicts.Count == 0 ? [AnnouncementVerdict.Taken] : conflicts);
                held = judgement.IsTaken ? held.Set(announcement) : held;
                held = offer.IsForgotten ? held.Remove([announcement.NodeName]) : held;
            }
        }, iter: 300);

    [Fact]
    public void FindOverlap_AnyPrefixes_FindsWhatAComparisonWithAllFinds() =>
        Gen.Select(Entry.Array[0, 8], Entry.Array[0, 3], Entry).Sample((kept, removed, asked) =>
    {
        var index = PrefixIndex.Of(kept.Concat(removed));
        index = removed.Aggregate(index, (rest, entry) => rest.Remove(entry.NodeName, [entry.Prefix]));
        var overlaps = kept.Except(removed)
            .Where(entry => entry.NodeName != asked.NodeName && entry.Prefix.Overlaps(asked.Prefix)).ToList();
        var found = index.FindOverlap(asked.Prefix, asked.NodeName);
        Assert.Equal(overlaps.Count > 0, found is not null);
        Assert.True(found is null || overlaps.Contains(found.Value));
    });

    private static Gen<(IPPrefix Prefix, string NodeName)> Entry =>
        Gen.Select(MeshGen.CloseByPrefix, Gen.Int[1, 3], (prefix, node) => (prefix, TestMesh.Name(node)));

    // Which of several conflicts is told is up to the rules.
    private static List<AnnouncementVerdict> FindConflicts(
        PeerAnnouncement announcement, ImmutableDictionary<string, PeerAnnouncement> held) =>
        [.. from other in held.Values
            where other.NodeName != announcement.NodeName
            from otherSlot in other.Slots
            from slot in announcement.Slots
            where slot.PublicKey == otherSlot.PublicKey
            select AnnouncementVerdict.Refused(
                AnnouncementOutcome.KeyOfAnotherNode, $"key {slot.PublicKey.ToShortString()} belongs to '{other.NodeName}'")];

    private PeerAnnouncement Sign(Offer offer, int revision) => _identity.Sign(TestMesh.Announce(offer.Node, revision: revision) with
    {
        Slots = [.. offer.Keys.Select(
            (key, slot) => new SlotAnnouncement(new Slot((byte)slot), TestMesh.Key(key), new Epoch(1), TestMesh.ListenPort))],
        AllowedIPs = [.. offer.Prefixes],
    });

    private sealed record Offer(int Node, int[] Keys, IPPrefix[] Prefixes, bool IsForgotten);
}
