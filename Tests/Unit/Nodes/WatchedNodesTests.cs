using System.Net;
using System.Text.Json;
using Orleans.WireGuard.Api;
using Orleans.WireGuard.Silo.Nodes;

namespace Orleans.WireGuard.Tests.Unit.Nodes;

/// <summary>The pure half of node discovery: reading objects, changing rosters, deciding about the annotation.</summary>
public sealed class WatchedNodesTests
{
    private static readonly PublicKey Key = PublicKey.Parse("AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA=");

    [Fact]
    public void Read_DualStackNode_OrdersAddressesAndPrefixes()
    {
        var node = Read("""
            {"metadata":{"name":"a","uid":"u"},
             "spec":{"podCIDR":"10.244.1.0/24","podCIDRs":["fd00:1::/64","10.244.1.0/24"]},
             "status":{"addresses":[{"type":"Hostname","address":"a"},{"type":"ExternalIP","address":"20.1.1.1"},
               {"type":"InternalIP","address":"10.240.0.4"},{"type":"InternalIP","address":"fd00::4"},{"type":"InternalIP","address":"10.240.0.4"}]}}
            """);
        Assert.Equal(["10.240.0.4", "fd00::4", "20.1.1.1"], node.Addresses.Select(address => address.ToString()));
        Assert.Equal(["10.244.1.0/24", "fd00:1::/64"], node.PodCIDRs.Select(prefix => prefix.ToString()));
        Assert.Empty(node.Problems);
    }

    [Fact]
    public void Read_CiliumNode_TakesSpecAddressesAndIpam()
    {
        var node = Read("""
            {"metadata":{"name":"a","uid":"u","annotations":{"network.cilium.io/wg-pub-key":"k"}},
             "spec":{"addresses":[{"type":"CiliumInternalIP","ip":"10.0.0.9"},{"type":"InternalIP","ip":"10.240.0.4"}],"ipam":{"podCIDRs":["10.244.1.0/24"]}}}
            """);
        Assert.Equal([IPAddress.Parse("10.240.0.4")], node.Addresses);
        Assert.Equal([IPPrefix.Parse("10.244.1.0/24")], node.PodCIDRs);
        Assert.Equal("k", node.AnnotatedKey);
    }

    [Fact]
    public void Read_SinglePodCIDR_IsUsed() =>
        Assert.Equal([IPPrefix.Parse("10.244.1.0/24")], Read("""{"metadata":{"name":"a"},"spec":{"podCIDR":"10.244.1.0/24"}}""").PodCIDRs);

    [Fact]
    public void Read_NothingUsable_SaysEverythingThatIsWrong()
    {
        var node = Read("""
            {"metadata":{"name":"a"},"spec":{"podCIDRs":["x"]},"status":{"addresses":[{"type":"InternalIP","address":"nowhere"}]}}
            """);
        Assert.Equal(
            ["has an InternalIP that is no address: \"nowhere\"", "has a pod CIDR that is none: \"x\"", "has no InternalIP or ExternalIP"],
            node.Problems);
    }

    [Fact]
    public void With_SameNodeReadTwice_IsTheSameRoster()
    {
        var roster = WatchedNodes.Unknown.With(Node("a", "1"));
        Assert.Same(roster, roster.With(Node("a", "1")));
        var listed = roster.Replace([Node("a", "1")], "Node");
        Assert.Same(listed, listed.Replace([Node("a", "1")], "Node"));
        Assert.NotSame(listed, listed.Replace([Node("a", "2")], "Node"));
    }

    [Fact]
    public void Replace_FirstList_IsSyncedEvenWhenEmpty()
    {
        Assert.False(WatchedNodes.Unknown.IsSynced);
        var roster = WatchedNodes.Unknown.Replace([], "Node");
        Assert.True(roster.IsSynced);
        Assert.True(roster.Revision > WatchedNodes.Unknown.Revision);
    }

    // While Cilium comes or goes its objects are made or deleted one by one, and that takes no node away; the next list of the kind does.
    [Fact]
    public void Replace_ListOfAnotherKind_KeepsNodesThatHaveNoObjectOfItYet()
    {
        var known = WatchedNodes.Unknown.Replace([Node("a", "1"), Node("b", "2")], "Node");
        var moved = known.Replace([Node("a", "3") with { Kind = "CiliumNode" }], "CiliumNode");
        Assert.Equal(["CiliumNode", "Node"], moved.Nodes.Values.Select(node => node.Kind));
        Assert.Equal(["a"], moved.Replace([Node("a", "3") with { Kind = "CiliumNode" }], "CiliumNode").Nodes.Keys);
    }

    [Fact]
    public void Read_CIDRThatHoldsMostOfTheInternet_IsIgnoredAndNamed()
    {
        var node = Read("""{"metadata":{"name":"a"},"spec":{"podCIDRs":["0.0.0.0/0","::/0","fc00::/7","10.244.1.0/24"]}}""");
        Assert.Equal([IPPrefix.Parse("10.244.1.0/24")], node.PodCIDRs);
        Assert.Equal(3, node.Problems.Count(
            problem => problem.StartsWith("has a pod CIDR that is too wide for the pods of one node", StringComparison.Ordinal)));
    }

    [Fact]
    public void Read_CreationTimestamp_IsWhenItWasMade() => Assert.Equal(
        new DateTimeOffset(2026, 1, 1, 0, 0, 7, TimeSpan.Zero),
        Read("""{"metadata":{"name":"a","creationTimestamp":"2026-01-01T00:00:07Z"}}""").CreatedAt);

    [Fact]
    public void Without_OlderObjectOfTheSameName_KeepsTheNewOne()
    {
        var roster = WatchedNodes.Unknown.Replace([Node("a", "new"), Node("b", "1")], "Node");
        Assert.Same(roster, roster.Without("a", "old"));
        Assert.Equal(["b"], roster.Without("a", "new").Nodes.Keys);
    }

    [Fact]
    public void Decide_AnnotationIsRightOrUnknown_WritesNothing()
    {
        Assert.Null(AnnotationPublisher.Decide(null, Key));
        Assert.Null(AnnotationPublisher.Decide(Node("a", "1"), null));
        Assert.Null(AnnotationPublisher.Decide(Node("a", "1") with { AnnotatedKey = Key.ToString() }, Key));
        Assert.Equal(Key.ToString(), AnnotationPublisher.Decide(Node("a", "1"), Key));
        Assert.Equal(Key.ToString(), AnnotationPublisher.Decide(Node("a", "1") with { AnnotatedKey = "forged" }, Key));
    }

    private static NodeRecord Read(string json) =>
        NodeReader.Read(JsonSerializer.Deserialize(json, NodesJson.Default.NodeObject)!, ApiResource.Nodes);

    private static NodeRecord Node(string name, string uid) =>
        new(name, uid, [IPAddress.Loopback], [IPPrefix.Parse("10.0.0.0/24")], null, []);
}
