using System.Net;
using Orleans.WireGuard.Silo.Clustering;
using Orleans.WireGuard.Silo.Hosting;
using Orleans.WireGuard.Silo.Nodes;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.Unit.Nodes;

/// <summary>What of Kubernetes' nodes becomes the roster, what is complained about, and when Kubernetes is asked at all.</summary>
public sealed class KubernetesRosterSourceTests
{
    private static readonly DateTimeOffset Now = DateTimeOffset.UnixEpoch + TimeSpan.FromDays(20_000);

    [Fact]
    public void Project_NotListedCompletely_IsUnknown()
    {
        Assert.Null(KubernetesRosterSource.Project(WatchedNodes.Unknown));
        Assert.Null(KubernetesRosterSource.Project(WatchedNodes.Unknown.With(Node("a"))));
        Assert.Empty(KubernetesRosterSource.Project(WatchedNodes.Unknown.Replace([]))!.Nodes);
    }

    [Fact]
    public void Project_NodeWithoutAddressesAndCIDRs_IsListed()
    {
        var known = WatchedNodes.Unknown.Replace([Node("a"), Bare("b")]);
        Assert.Equal(["a", "b"], KubernetesRosterSource.Project(known)!.Nodes.Keys);
        Assert.Equal("its node object has no pod CIDR", KubernetesRosterSource.FindProblem(known, "b", null, Now));
        Assert.Null(KubernetesRosterSource.FindProblem(known, "a", null, Now));
        Assert.Equal("has no node object", KubernetesRosterSource.FindProblem(known, "c", null, Now));
        Assert.Null(KubernetesRosterSource.FindProblem(WatchedNodes.Unknown, "c", null, Now));
    }

    [Fact]
    public void HasSameNodes_AnnotationOrObjectChanged_IsTheSameRoster()
    {
        var roster = KubernetesRosterSource.Project(WatchedNodes.Unknown.Replace([Node("a")]))!;
        Assert.True(roster.HasSameNodes(KubernetesRosterSource.Project(WatchedNodes.Unknown.Replace([Node("a") with { AnnotatedKey = "k", Uid = "2" }]))));
        Assert.False(roster.HasSameNodes(KubernetesRosterSource.Project(WatchedNodes.Unknown.Replace([Node("a") with { Addresses = [IPAddress.Loopback] }]))));
        Assert.False(roster.HasSameNodes(KubernetesRosterSource.Project(WatchedNodes.Unknown.Replace([Node("a"), Node("b")]))));
        Assert.False(roster.HasSameNodes(null));
    }

    [Fact]
    public void FindProblem_AnnotationShowsAnotherKey_IsSaidAfterTheGrace()
    {
        var announced = Announcement();
        var right = announced.Slots[0].PublicKey.ToString();
        Assert.Null(Problem(right, announced, TimeSpan.FromMinutes(2)));
        Assert.Null(Problem(null, announced, TimeSpan.FromMinutes(2)));
        Assert.Null(Problem("forged", announced, TimeSpan.FromSeconds(30)));
        var problem = Problem("forged", announced, TimeSpan.FromSeconds(31));
        Assert.Equal(
            $"its annotation network.cilium.io/wg-pub-key shows no key at all, not the announced {announced.Slots[0].PublicKey.ToShortString()}", problem);

        static string? Problem(string? annotated, PeerAnnouncement announced, TimeSpan age) => KubernetesRosterSource.FindProblem(
            WatchedNodes.Unknown.Replace([Node("a") with { AnnotatedKey = annotated }]), "a", announced, announced.IssuedAt + age);
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
    public void IsApiKnown_ConfiguredServer_IsKnown()
    {
        Assert.True(NodeSourceChoice.IsApiKnown(new KubernetesApiOptions { Address = new Uri("https://10.0.0.1") }));
        Assert.True(NodeSourceChoice.IsApiKnown(new KubernetesApiOptions { KubeConfigPath = "config" }));
    }

    private static PeerAnnouncement Announcement() => TestMesh.Announce(1);

    private static NodeRecord Node(string name) => new(name, "1", [IPAddress.Parse("10.0.0.4")], [IPPrefix.Parse("10.244.1.0/24")], null, []);

    private static NodeRecord Bare(string name) => Node(name) with { PodCIDRs = [], Problems = ["has no pod CIDR"] };
}
