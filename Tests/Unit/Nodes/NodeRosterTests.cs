using CsCheck;
using Orleans.WireGuard.Grains.Nodes;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.Unit.Nodes;

/// <summary>A pod address belongs to one node.</summary>
public sealed class NodeRosterTests
{
    // Two prefixes for each of up to four nodes, close to each other, so that all kinds of overlaps are common.
    private static readonly Gen<RosterNode[]> Nodes = MeshGen.CloseByPrefix.Array[0, 2].Array[0, 4]
        .Select(lists => lists.Select((prefixes, node) => new RosterNode(TestMesh.Name(node), [], [.. prefixes])).ToArray());

    [Fact]
    public void FindOverlap_AnyNodes_IsThatOfComparingAllPairs() => Nodes.Sample(nodes =>
    {
        var overlaps = from first in nodes
                       from second in nodes
                       where first.NodeName != second.NodeName
                       from firstCIDR in first.PodCIDRs
                       from secondCIDR in second.PodCIDRs
                       where firstCIDR.Overlaps(secondCIDR)
                       select (first, firstCIDR, second, secondCIDR);
        if (NodeRoster.FindOverlap(nodes) is { } found)
        {
            Assert.Contains(found, overlaps);
        }
        else
        {
            Assert.Empty(overlaps);
        }
    });

    [Fact]
    public void FindOverlap_WithinOneNode_IsNone() =>
        Assert.Null(NodeRoster.FindOverlap([Node("a", "10.0.0.0/8", "10.1.0.0/16", "10.1.0.0/16"), Node("b", "11.0.0.0/8")]));

    // The prefix between the two belongs to the first node, and hides nothing.
    [Fact]
    public void FindOverlap_BehindAPrefixOfTheSameNode_IsFound() => Assert.Equal(
        ("a", "10.0.0.0/8", "b", "10.2.0.0/16"),
        NodeRoster.FindOverlap([Node("a", "10.0.0.0/8", "10.1.0.0/16"), Node("b", "10.2.0.0/16")]) is { } found
            ? (found.First.NodeName, found.FirstCIDR.ToString(), found.Second.NodeName, found.SecondCIDR.ToString())
            : default);

    [Fact]
    public void Find_Name_IsExact()
    {
        var roster = TestMesh.Roster(1, 2);
        Assert.Equal(TestMesh.RosterNode(2), roster.Find("node-2"));
        Assert.Null(roster.Find("Node-2"));
        Assert.Null(roster.Find("node-3"));
    }

    private static RosterNode Node(string name, params string[] prefixes) => new(name, [], [.. prefixes.Select(IPPrefix.Parse)]);
}
