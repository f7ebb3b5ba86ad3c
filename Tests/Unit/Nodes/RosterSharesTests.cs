using System.Net;
using CsCheck;
using Orleans.WireGuard.Grains.Nodes;
using Orleans.WireGuard.Silo.Agent;
using Orleans.WireGuard.Silo.Findings;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.Unit.Nodes;

/// <summary>Every address has one owner, whoever claims it, and one object that is wrong costs no node that is right.</summary>
public sealed class RosterSharesTests
{
    // So close to each other that equal, nested and overlapping claims are common; of four seconds or of no known time; with and without a
    // silo; with more or less of it announced.
    private static readonly Gen<Claimant[]> Rosters = Gen.Select(
        MeshGen.CloseByPrefix.Array[0, 2], Gen.Byte[0, 7].Array[0, 2], Gen.Int[0, 3],
        Gen.Select(MeshGen.CloseByPrefix.Array[0, 2], Gen.Bool, Gen.Bool)).Array[1, 5]
        .Select(nodes => nodes.Select((node, index) =>
        {
            var (cidrs, lasts, second, (announced, isActive, isReachable)) = node;
            EquatableArray<IPAddress> addresses = [.. lasts.Distinct().Select(last => new IPAddress([10, 0, 0, last]))];
            var presence = new NodePresence(
                [new AnnouncedClaims(ClaimRank.Held, [.. announced], isReachable ? addresses : [])], isActive
                    ? ClaimRank.Active
                    : ClaimRank.Absent);
            return new Claimant(
                new RosterNode(TestMesh.Name(index), addresses, [.. cidrs.Distinct().Order()])
                {
                    Kind = "Node",
                    CreatedAt = second == 0 ? null : TestMesh.Start.AddSeconds(second),
                },
                presence);
        }).ToArray());

    // All that the generators make: 10.0.0.0/24 and the last byte of its IPv6 counterpart.
    private static readonly IPPrefix[] Addresses =
    [
        .. Enumerable.Range(0, 256).Select(last => IPPrefix.Host(new IPAddress([10, 0, 0, (byte)last]))),
        .. Enumerable.Range(0, 256).Select(last => IPPrefix.Parse($"fd00::{last:x}/128")),
    ];

    [Fact]
    public void Divide_AnyRoster_GivesEachAddressToTheFirstInRankAndToNobodyElse() => Rosters.Sample(
        nodes =>
        {
            var divided = Divide(nodes);
            Assert.Null(NodeRoster.FindOverlap(divided.Nodes.Values));
            foreach (var address in Addresses)
            {
                var owner = divided.Nodes.Values.SingleOrDefault(node => node.PodCIDRs.Any(cidr => cidr.Contains(address)))?.NodeName;
                var claims = nodes.SelectMany(
                    each => each.Node.PodCIDRs.Where(cidr => cidr.Contains(address)).Select(cidr => (each, cidr, isPod: true))
                    .Concat(each.Node.Addresses.Select(IPPrefix.Host)
                    .Where(own => own == address).Select(own => (each, cidr: own, isPod: false))));
                var ranked = claims.OrderByDescending(claim => Rank(claim.each, address, claim.isPod))
                    .ThenBy(claim => claim.each.Node.CreatedAt ?? DateTimeOffset.MaxValue).ThenByDescending(claim => claim.cidr.Length)
                    .ThenBy(claim => claim.each.Node.NodeName, StringComparer.Ordinal)
                    .Select(claim => (claim.each.Node.NodeName, claim.isPod)).ToList();

                // Where a node's own address comes first it is nobody else's pod; inside its own pod CIDR it takes nothing away.
                var pod = ranked.FirstOrDefault(claim => claim.isPod).NodeName;
                Assert.Equal(ranked.TakeWhile(claim => !claim.isPod).All(claim => claim.NodeName == pod) ? pod : null, owner);
            }

            static ClaimRank Rank(Claimant claimant, IPPrefix address, bool isPod) =>
                claimant.Presence.Announced.FirstOrDefault(announced => isPod
                ? announced.AllowedIPs.Any(prefix => prefix.Contains(address))
                : announced.Endpoints.Any(endpoint => IPPrefix.Host(endpoint) == address))?.Rank ?? claimant.Presence.Otherwise;
        },
        iter: 300);

    [Fact]
    public void Divide_AnyOrderOfTheObjects_IsTheSame() => Gen.Select(Rosters, Gen.Int).Sample(
        (nodes, seed) =>
        {
            var shuffled = nodes.ToArray();
            new Random(seed).Shuffle(shuffled);
            var (left, right) = (Divide(nodes), Divide(shuffled));
            Assert.True(left.HasSameNodes(right));
            Assert.Equal(left.Conflicts, right.Conflicts);
        },
        iter: 300);

    [Fact]
    public void Divide_NothingInDispute_IsTheVeryRoster()
    {
        var roster = TestMesh.Roster(1, 2, 3);
        Assert.Same(roster, RosterShares.Divide(roster, _ => NodePresence.Absent));
    }

    // Whoever sees it: what a node drops and refuses never holds its own pods, nor a node that is not in another's share.
    [Fact]
    public void BuildRefusalsAndDroppedSources_AnyRosterOnAnyNode_SpareOwnPodsAndNodes() => Rosters.Sample(
        nodes =>
        {
            var divided = Divide(nodes);
            foreach (var self in divided.Nodes.Values)
            {
                var view = new MeshView(
                    self.NodeName, [], new Dictionary<string, PeerAnnouncement>(), divided, isSynced: true, isSettled: true);
                var dropped = DesiredState.BuildDropped(view)!;
                var refusals = DesiredState.BuildRefusals(view, new EncryptionOptions { ClusterCIDRs = { "10.0.0.0/8" } })!.Value;
                foreach (var address in Addresses)
                {
                    var isRemote = divided.Nodes.Values.Any(node => node != self && node.PodCIDRs.Any(cidr => cidr.Contains(address)));
                    var isSpared = self.PodCIDRs.Any(cidr => cidr.Contains(address))
                        || (!isRemote && divided.Nodes.Values.Any(node => node.Addresses.Any(own => IPPrefix.Host(own) == address)));
                    var isDropped = dropped.Remote.Any(source => source.Contains(address))
                        && !dropped.Spared.Any(source => source.Contains(address));

                    // Of two routes to the same destination the refusal has the larger metric, so it lies below.
                    var way = refusals.Where(route => route.Destination.Contains(address))
                        .MaxBy(route => (route.Destination.Length, !route.IsUnreachable));
                    Assert.True(!isSpared || !isDropped, $"{self.NodeName} drops {address}");
                    Assert.True(!isSpared || way is null || way.IsThrow, $"{self.NodeName} refuses {address}");
                    Assert.True(!isRemote || isDropped, $"{self.NodeName} lets in {address}");
                    Assert.True(!isRemote || way is { IsUnreachable: true }, $"{self.NodeName} lets out {address}");
                }

                Assert.Equal(dropped.Remote, PrefixSet.Merge(dropped.Remote));
                Assert.Equal(dropped.Spared, PrefixSet.Merge(dropped.Spared));
            }
        },
        iter: 100);

    // A machine that nobody has, with the whole cluster's range: by its age it would win, but it never announced itself.
    [Theory]
    [InlineData(-1, "10.0.0.0/16")]
    [InlineData(1, "10.0.0.0/16")]
    [InlineData(-1, "10.0.1.0/24")]
    [InlineData(1, "10.0.1.64/26")]
    [InlineData(-1, "10.0.1.64/26")]
    [InlineData(-1, "192.168.0.0/16")]
    public void Divide_ObjectWithoutAMachine_TakesNothingFromNodesThatAreThere(int seconds, string cidr)
    {
        RosterNode[] nodes =
            [.. TestMesh.Roster(1, 2, 3).Nodes.Values.Select(node => node with { CreatedAt = TestMesh.Start, Kind = "Node" })];
        var wide = new RosterNode("wide", [], [IPPrefix.Parse(cidr)]) { CreatedAt = TestMesh.Start.AddSeconds(seconds), Kind = "Node" };
        var divided = RosterShares.Divide(NodeRoster.Of([.. nodes, wide]), Present);
        Assert.All(nodes, node => Assert.Equal(node.PodCIDRs, divided.Find(node.NodeName)!.PodCIDRs));
        Assert.Equal([IPPrefix.Parse(cidr)], divided.Find("wide")!.ListedPodCIDRs);

        // Both objects by kind and name, on either side.
        var conflict = divided.Conflicts[0];
        var (problem, note) =
            (RosterRemarks.FindProblems(divided, "wide").ToText(), RosterRemarks.FindNotes(divided, conflict.Keeper.NodeName).ToText());
        Assert.All([problem, note], text => Assert.Contains("Node 'wide'", text, StringComparison.Ordinal));
        Assert.All([problem, note], text => Assert.Contains($"Node '{conflict.Keeper.NodeName}'", text, StringComparison.Ordinal));
        Assert.All(nodes, node => Assert.Empty(RosterRemarks.FindProblems(divided, node.NodeName)));
    }

    // The rest is the newcomer's: it loses the common part and nothing else.
    [Fact]
    public void Divide_WiderThanOthers_KeepsWhatIsLeft()
    {
        var wide = new RosterNode("wide", [], [IPPrefix.Parse("10.0.0.0/22")]);
        var divided = RosterShares.Divide(NodeRoster.Of([TestMesh.RosterNode(1), wide]), Present);
        Assert.Equal(["10.0.0.0/24", "10.0.2.0/23"], divided.Find("wide")!.PodCIDRs.Select(cidr => cidr.ToString()));
    }

    private static NodePresence Present(string name) => name == "wide" ? NodePresence.Absent : new NodePresence([], ClaimRank.Active);

    private static NodeRoster Divide(Claimant[] nodes) => RosterShares.Divide(
        NodeRoster.Of(nodes.Select(node => node.Node)), name => nodes.Single(node => node.Node.NodeName == name).Presence);

    private sealed record Claimant(RosterNode Node, NodePresence Presence);
}
