using System.Net;
using Orleans.WireGuard.Api;
using Orleans.WireGuard.Silo.Nodes;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.Unit.Nodes;

/// <summary>What of Kubernetes' nodes becomes the roster, what is complained about, and when Kubernetes is asked at all.</summary>
public sealed class KubernetesRosterSourceTests
{
    [Fact]
    public void Project_NotListedCompletely_IsUnknown()
    {
        Assert.Null(KubernetesRosterSource.Project(WatchedNodes.Unknown, "a"));
        Assert.Null(KubernetesRosterSource.Project(WatchedNodes.Unknown.With(Node("a")), "a"));
    }

    [Fact]
    public void Project_NodeWithoutAddressesAndCIDRs_IsListed()
    {
        var known = WatchedNodes.Unknown.Replace([Node("a"), Bare("b")], "Node");
        Assert.Equal(["a", "b"], KubernetesRosterSource.Project(known, "a")!.Nodes.Keys);
        Assert.Equal("its Node object has no InternalIP or ExternalIP", KubernetesRosterSource.FindProblems(known, "b", null, TimeSpan.Zero).ToText());
        Assert.Null(KubernetesRosterSource.FindProblems(known, "a", null, TimeSpan.Zero).ToText());
        Assert.Equal("has no Node object", KubernetesRosterSource.FindProblems(known, "c", null, TimeSpan.Zero).ToText());
        Assert.Null(KubernetesRosterSource.FindProblems(WatchedNodes.Unknown, "c", null, TimeSpan.Zero).ToText());
    }

    // Cilium's definition without an object of ours, as an uninstall leaves it, or an object deleted: whatever it says, it is not our mesh.
    [Fact]
    public void Project_ListWithoutThisNode_IsNotBelieved()
    {
        Assert.Null(KubernetesRosterSource.Project(WatchedNodes.Unknown.Replace([], "CiliumNode"), "a"));
        Assert.Null(KubernetesRosterSource.Project(WatchedNodes.Unknown.Replace([Node("b")], "Node"), "a"));
        Assert.Equal("has no CiliumNode object", KubernetesRosterSource.FindProblems(
            WatchedNodes.Unknown.Replace([], "CiliumNode"), "a", null, TimeSpan.Zero).ToText());
    }

    [Fact]
    public void HasSameNodes_AnnotationOrObjectChanged_IsTheSameRoster()
    {
        var roster = KubernetesRosterSource.Project(WatchedNodes.Unknown.Replace([Node("a")], "Node"), "a")!;
        Assert.True(roster.HasSameNodes(
            KubernetesRosterSource.Project(WatchedNodes.Unknown.Replace([Node("a") with { AnnotatedKey = "k", Uid = "2" }], "Node"), "a")));
        Assert.False(roster.HasSameNodes(KubernetesRosterSource.Project(
            WatchedNodes.Unknown.Replace([Node("a") with { Addresses = [IPAddress.Loopback] }], "Node"), "a")));
        Assert.False(
            roster.HasSameNodes(KubernetesRosterSource.Project(WatchedNodes.Unknown.Replace([Node("a"), Node("b")], "Node"), "a")));
        Assert.False(roster.HasSameNodes(null));
    }

    [Fact]
    public void FindProblem_AnnotationShowsAnotherKey_IsSaidAfterTheGrace()
    {
        var announced = TestMesh.Announce(1);
        var right = announced.Slots[0].PublicKey.ToString();
        Assert.Null(Problem(right, TimeSpan.FromMinutes(2)));
        Assert.Null(Problem(null, TimeSpan.FromMinutes(2)));
        Assert.Null(Problem("forged", TimeSpan.FromSeconds(30)));
        Assert.Equal(
            $"its annotation network.cilium.io/wg-pub-key shows no key at all, not the announced {announced.Slots[0].PublicKey.ToShortString()}",
            Problem("forged", TimeSpan.FromSeconds(31)));

        string? Problem(string? annotated, TimeSpan misleading) =>
            KubernetesRosterSource.FindProblems(
                WatchedNodes.Unknown.Replace([Node("a") with { AnnotatedKey = annotated }], "Node"), "a", announced, misleading).ToText();
    }

    // A key that is kept serves the later epoch and carries the traffic; the one made last waits for its turn.
    [Fact]
    public void FindProblem_AfterADeferral_NamesTheKeyThatCarriesTraffic()
    {
        var announced = TestMesh.Announce(1) with
        {
            Slots =
            [
                new SlotAnnouncement(Slot.Zero, TestMesh.Key(1), new Epoch(10), TestMesh.ListenPort) { ServesEpoch = new Epoch(12) },
                new SlotAnnouncement(Slot.One, TestMesh.Key(2), new Epoch(11), TestMesh.ListenPort),
            ],
        };
        Assert.Null(Problem(TestMesh.Key(1)));
        Assert.Contains($"not the announced {TestMesh.Key(1).ToShortString()}", Problem(TestMesh.Key(2)), StringComparison.Ordinal);

        string? Problem(PublicKey annotated) => KubernetesRosterSource.FindProblems(
            WatchedNodes.Unknown.Replace([Node("a") with { AnnotatedKey = annotated.ToString() }], "Node"),
            "a", announced, TimeSpan.FromHours(1)).ToText();
    }

    [Fact]
    public void Project_NodeThatCanRunNoSilo_IsExempt()
    {
        var roster = KubernetesRosterSource.Project(WatchedNodes.Unknown.Replace([Node("a"), Node("b") with { IsExempt = true }], "Node"), "a")!;
        Assert.Equal([false, true], roster.Nodes.Values.Select(node => node.IsExempt));
        Assert.False(roster.HasSameNodes(KubernetesRosterSource.Project(WatchedNodes.Unknown.Replace([Node("a"), Node("b")], "Node"), "a")));
    }

    [Theory]
    [InlineData(NodeSource.Auto, false, true, true)]
    [InlineData(NodeSource.Auto, false, false, false)]
    [InlineData(NodeSource.Auto, true, true, false)]
    [InlineData(NodeSource.Static, false, true, false)]
    [InlineData(NodeSource.Node, true, false, true)]
    [InlineData(NodeSource.CiliumNode, false, false, true)]
    public void IsKubernetes_Golden(NodeSource source, bool isListed, bool isApiKnown, bool expected)
    {
        var options = new NodesOptions { Source = source };
        if (isListed)
        {
            options.Static.Add(new StaticNodeOptions { Name = "a" });
        }

        Assert.Equal(expected, NodeSourceChoice.IsKubernetes(options, isApiKnown));
    }

    [Fact]
    public void IsKnown_ConfiguredServer_IsKnown()
    {
        Assert.True(ApiConnection.IsKnown(new KubernetesApiOptions { Address = new Uri("https://10.0.0.1") }));
        Assert.True(ApiConnection.IsKnown(new KubernetesApiOptions { KubeConfigPath = "config" }));
    }

    private static NodeRecord Node(string name) =>
        new(name, "1", [IPAddress.Parse("10.0.0.4")], [IPPrefix.Parse("10.244.1.0/24")], null, []);

    private static NodeRecord Bare(string name) => Node(name) with { PodCIDRs = [], Problems = ["has no InternalIP or ExternalIP"] };
}
