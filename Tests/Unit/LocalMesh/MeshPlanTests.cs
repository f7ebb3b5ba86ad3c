using System.Net;
using Orleans.WireGuard.LocalMesh.Silos;
using Orleans.WireGuard.LocalMesh.Topology;

namespace Orleans.WireGuard.Tests.Unit.LocalMesh;

/// <summary>Names and addresses of a mesh on one machine.</summary>
public sealed class MeshPlanTests
{
    [Fact]
    public void Demo_ThirdNode_HasTheDocumentedNamesAndAddresses()
    {
        var node = MeshPlan.Demo(3).Nodes[2];

        Assert.Equal("node-3", node.Name);
        Assert.Equal("owg-node-3", node.Namespace);
        Assert.Equal("owg-pod-3", node.PodNamespace);
        Assert.Equal(IPAddress.Parse("192.168.100.3"), node.Address);
        Assert.Equal(IPNetwork.Parse("10.244.3.0/24"), node.PodCIDR);
        Assert.Equal(IPAddress.Parse("10.244.3.10"), node.PodAddress);
        Assert.Equal(IPAddress.Parse("10.244.3.1"), node.PodGateway);
    }

    [Fact]
    public void Test_DualStack_HasIPv6BesideIPv4()
    {
        var node = MeshPlan.Test(3, isDualStack: true).Nodes[2];

        Assert.Equal(MeshPlan.Test(3).Nodes[2], node with { IPv6 = null });
        Assert.Equal(IPAddress.Parse("fd00:192:168:101::3"), node.IPv6!.Address);
        Assert.Equal(IPNetwork.Parse("fd00:10:245:3::/64"), node.IPv6.PodCIDR);
        Assert.Equal(IPAddress.Parse("fd00:10:245:3::1"), node.IPv6.PodGateway);
        Assert.Equal(IPAddress.Parse("fd00:10:245:3::10"), node.IPv6.PodAddress);
        Assert.False(MeshPlan.Demo(3).IsDualStack);
    }

    [Fact]
    public void Demo_Host_IsOnTheUnderlay()
    {
        var plan = MeshPlan.Demo(2);

        Assert.Equal("owg-underlay", plan.Bridge);
        Assert.Equal(IPAddress.Parse("192.168.100.254"), plan.HostAddress);
        Assert.True(plan.Underlay.Contains(plan.HostAddress));
        Assert.Equal("http://192.168.100.1:8080/dashboard/", plan.DashboardUri.ToString());
    }

    [Fact]
    public void Plans_DemoAndTest_ShareNothing()
    {
        var (demo, test) = (MeshPlan.Demo(MeshPlan.MaxNodes), MeshPlan.Test(MeshPlan.MaxNodes));

        Assert.Empty(demo.Nodes.Select(n => n.Namespace).Intersect(test.Nodes.Select(n => n.Namespace)));
        Assert.Empty(demo.Nodes.Select(n => n.Address).Intersect(test.Nodes.Select(n => n.Address)));
        Assert.Empty(demo.Nodes.Select(n => n.PodCIDR).Intersect(test.Nodes.Select(n => n.PodCIDR)));
        Assert.NotEqual(MeshState.LockFile(demo), MeshState.LockFile(test));
        Assert.DoesNotContain(test.Nodes, n => demo.OwnsNamespace(n.Namespace) || demo.OwnsLink(n.UnderlayLink));
    }

    [Fact]
    public void Links_AnyNode_FitTheKernelsLimit()
    {
        var plan = new MeshPlan("abcdef", MeshPlan.MaxNodes, 1, 1);

        Assert.All(plan.Nodes.Select(n => n.UnderlayLink).Append(plan.Bridge), name => Assert.InRange(name.Length, 1, 15));
    }

    [Theory]
    [InlineData("")]
    [InlineData("seven77")]
    [InlineData("Owg")]
    [InlineData("o g")]
    public void Constructor_PrefixThatCannotNameALink_Throws(string prefix) =>
        Assert.Throws<ArgumentException>(() => new MeshPlan(prefix, 2, 1, 1));

    [Theory]
    [InlineData(1)]
    [InlineData(21)]
    public void Constructor_NodeCountOutOfRange_Throws(int nodes) => Assert.Throws<ArgumentOutOfRangeException>(() => MeshPlan.Demo(nodes));

    [Theory]
    [InlineData("owg-node-1", true)]
    [InlineData("owg-pod-20", true)]
    [InlineData("owg-node-99", true)]
    [InlineData("owgt-node-1", false)]
    [InlineData("owg-node-", false)]
    [InlineData("owg-node-1x", false)]
    [InlineData("my-owg-node-1", false)]
    [InlineData("owg-nodes", false)]
    public void OwnsNamespace_Name_IsOursOnlyWithOurPattern(string name, bool expected) =>
        Assert.Equal(expected, MeshPlan.Demo(2).OwnsNamespace(name));

    [Theory]
    [InlineData("owg-underlay", true)]
    [InlineData("owg-n7", true)]
    [InlineData("owg-net", false)]
    [InlineData("eth0", false)]
    [InlineData("owgt-n1", false)]
    public void OwnsLink_Name_IsOursOnlyWithOurPattern(string name, bool expected) =>
        Assert.Equal(expected, MeshPlan.Demo(2).OwnsLink(name));

    [Fact]
    public void TopologyCommands_WithoutControlRun_RouteNoOtherPods()
    {
        var plan = MeshPlan.Demo(3);
        var commands = TopologyCommands.RaiseHost(plan).Concat(plan.Nodes.SelectMany(n => TopologyCommands.RaiseNode(plan, n)));

        Assert.DoesNotContain(commands, c => c.Contains("route", StringComparison.Ordinal));
    }

    [Fact]
    public void TopologyCommands_ControlRun_RoutesEveryOtherPodOverTheUnderlay()
    {
        var plan = MeshPlan.Demo(3);

        Assert.Equal(
            ["route add 10.244.1.0/24 via 192.168.100.1", "route add 10.244.3.0/24 via 192.168.100.3"],
            TopologyCommands.AddPlainRoutes(plan, plan.Nodes[1]));
    }

    [Fact]
    public void SiloConfiguration_SecondNode_IsTheContract()
    {
        var plan = MeshPlan.Demo(2);

        Assert.Equal(
            """
            {"Node":{"Name":"node-2"},"Nodes":{"Source":"Static","Static":[{"Name":"node-1","Addresses":["192.168.100.1"],"PodCIDRs":["10.244.1.0/24"]},{"Name":"node-2","Addresses":["192.168.100.2"],"PodCIDRs":["10.244.2.0/24"]}]},
            """ +
            """
            "Clustering":{"Provider":"Redis","Redis":"192.168.100.254:6379","ClusterId":"local","SiloPort":11111,"GatewayPort":30000},"Device":{"StartUserspace":true},"Rotation":{"Period":"00:00:05"},"Dashboard":{"Enabled":false,"Counters":true},"Web":{"Address":"127.0.0.1","Port":8080}}
            """,
            SiloConfiguration.Create(plan, plan.Nodes[1], TimeSpan.FromSeconds(5)).ToJsonString());
    }

    [Fact]
    public void SiloConfiguration_FirstNode_ServesTheDashboardToTheHost()
    {
        var plan = MeshPlan.Demo(2);
        var json = SiloConfiguration.Create(plan, plan.Nodes[0], TimeSpan.FromSeconds(5));

        Assert.True(json["Dashboard"]!["Enabled"]!.GetValue<bool>());
        Assert.Equal("192.168.100.1", json["Web"]!["Address"]!.GetValue<string>());
    }
}
