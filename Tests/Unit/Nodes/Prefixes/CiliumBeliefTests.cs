using System.Net;
using System.Text.Json;
using Orleans.WireGuard.Api;
using Orleans.WireGuard.Silo.Findings;
using Orleans.WireGuard.Silo.Nodes;
using Orleans.WireGuard.Silo.Nodes.Prefixes;

namespace Orleans.WireGuard.Tests.Unit.Nodes.Prefixes;

/// <summary>What of a CiliumNode counts, in each of Cilium's ways to assign addresses, and what old agents made up.</summary>
public sealed class CiliumBeliefTests
{
    private static readonly IPAddress[] Node = [IPAddress.Parse("10.240.0.5"), IPAddress.Parse("fd00::4")];

    [Theory]
    [InlineData("10.5.0.0/16", true)]
    [InlineData("10.4.0.0/16", false)]
    [InlineData("10.5.0.0/24", false)]
    [InlineData("11.5.0.0/16", false)]
    [InlineData("fd00:5::/16", false)]
    public void IsMadeUp_Golden(string prefix, bool expected)
    {
        if (IPPrefix.TryParse(prefix, out var parsed))
        {
            Assert.Equal(expected, CiliumBelief.IsMadeUp(parsed, Node));
        }
    }

    [Fact]
    public void Judge_MadeUp_IsBelievedOnlyWithAPodInside()
    {
        foreach (var pods in (LocalPod[]?[])[null, [], [Pod("10.244.1.7/32")]])
        {
            var none = Judge(pods, "10.5.0.0/16");
            Assert.False(none.IsTold);
            Assert.Contains("make up from the node's address", none.Absence, StringComparison.Ordinal);
        }

        // True by chance.
        var believed = Judge([Pod("10.5.3.7/32")], "10.5.0.0/16");
        Assert.Equal([IPPrefix.Parse("10.5.0.0/16")], believed.Prefixes);
        Assert.Empty(believed.Faults);
    }

    [Fact]
    public void Judge_MadeUpBesideATrueOne_LeavesTheTrueOneAndIsTold()
    {
        var answer = Judge([Pod("10.244.1.7/32")], "10.5.0.0/16", "10.244.1.0/24");
        Assert.Equal([IPPrefix.Parse("10.244.1.0/24")], answer.Prefixes);
        Assert.Contains("10.5.0.0/16", Assert.Single(answer.Faults), StringComparison.Ordinal);
    }

    // A node without pods has nothing that could prove it, nor disprove.
    [Fact]
    public void Judge_RealPodCIDR_IsBelievedWithoutAPodAndNotAgainstOne()
    {
        Assert.True(Judge(null, "10.244.1.0/24").IsTold);
        Assert.True(Judge([], "10.244.1.0/24").IsTold);
        var against = Judge([Pod("10.250.0.7/32")], "10.244.1.0/24");
        Assert.Contains("10.250.0.7/32 at veth0", against.Absence, StringComparison.Ordinal);
    }

    // Of each family alone.
    [Fact]
    public void Judge_PodsOfOneFamilyElsewhere_CostsThatFamilyOnly()
    {
        var answer = Judge([Pod("10.244.1.7/32"), Pod("fd00:9::7/128")], "10.244.1.0/24", "fd00:1::/64");
        Assert.Equal([IPPrefix.Parse("10.244.1.0/24")], answer.Prefixes);
        Assert.Contains("fd00:1::/64", Assert.Single(answer.Faults), StringComparison.Ordinal);
    }

    [Fact]
    public void Judge_NoPrefix_SaysSo() => Assert.Equal("its CiliumNode object has no pod CIDR", Judge([]).Absence);

    // Cluster scope, multi-pool, and ENI or Azure, as Cilium writes them.
    [Fact]
    public void Read_EveryWayOfCilium_IsRead()
    {
        var record = Read("""
            {"metadata":{"name":"a"},"spec":{"addresses":[{"type":"InternalIP","ip":"10.240.0.5"}],"ipam":{
             "podCIDRs":["10.244.1.0/24"],
             "pools":{"requested":[{"pool":"default","needed":{"ipv4-addrs":16}}],
                      "allocated":[{"pool":"default","cidrs":["10.10.0.0/27","10.10.0.32/27"]},{"pool":"mars","cidrs":["10.20.0.0/27"]}]},
             "pool":{"10.100.0.9":{"resource":"eni-1"},"10.100.0.8":{"owner":"x","resource":"eni-1"}}}}}
            """);
        Assert.Equal(["10.10.0.0/27", "10.10.0.32/27", "10.20.0.0/27", "10.244.1.0/24"], record.PodCIDRs.Select(prefix => prefix.ToString()));
        Assert.Equal(["10.100.0.8/32", "10.100.0.9/32"], record.PoolAddresses.Select(prefix => prefix.ToString()));
        Assert.Empty(record.Problems);
    }

    [Theory]
    [InlineData("""{"pools":7,"pool":"x"}""")]
    [InlineData("""{"pools":{"allocated":{}},"pool":[]}""")]
    [InlineData("""{"pools":{"allocated":[null,7,{"cidrs":"x"}]},"pool":null}""")]
    public void Read_FieldsOfAnotherForm_AreNothing(string ipam)
    {
        var record = Read("""{"metadata":{"name":"a"},"spec":{"addresses":[{"type":"InternalIP","ip":"10.240.0.5"}],"ipam":IPAM}}""".Replace(
            "IPAM", ipam, StringComparison.Ordinal));
        Assert.Empty(record.PodCIDRs);
        Assert.Empty(record.PoolAddresses);
        Assert.Empty(record.Problems);
    }

    [Fact]
    public void Read_AddressOfThePoolThatIsNone_IsAProblem()
    {
        var record = Read("""
            {"metadata":{"name":"a"},"spec":{"addresses":[{"type":"InternalIP","ip":"10.240.0.5"}],"ipam":{"pool":{"x":{},"10.0.0.0/28":{},"10.0.0.1":{}}}}}
            """);
        Assert.Equal(["10.0.0.1/32"], record.PoolAddresses.Select(prefix => prefix.ToString()));
        Assert.Equal(2, record.Problems.Count);
    }

    private static PrefixAnswer Judge(LocalPod[]? pods, params string[] prefixes) =>
        CiliumBelief.Judge(prefixes.Select(IPPrefix.Parse), Node, pods);

    private static LocalPod Pod(string prefix) => new(IPPrefix.Parse(prefix), "veth0");

    private static NodeRecord Read(string json) =>
        NodeReader.Read(JsonSerializer.Deserialize(json, NodesJson.Default.NodeObject)!, ApiResource.CiliumNodes);
}
