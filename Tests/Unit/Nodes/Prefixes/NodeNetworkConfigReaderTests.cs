using System.Text.Json;
using System.Text.Json.Nodes;
using Orleans.WireGuard.Silo.Nodes.Prefixes;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.Unit.Nodes.Prefixes;

/// <summary>What Azure's object assigns to a node, in each of its kinds, and what of a wrong one is told.</summary>
public sealed class NodeNetworkConfigReaderTests
{
    [Fact]
    public void Read_Overlay_PrimaryIsThePrefix()
    {
        var answer = Read(AzureObjects.Overlay("a"));
        Assert.Equal(["192.168.1.0/24"], Texts(answer.Prefixes));
        Assert.Equal(["192.168.0.0/16"], Texts(answer.PodRanges));
        Assert.Empty(answer.Faults);
        Assert.True(answer.IsTold);
    }

    // The object as a cluster has it, of which primaryIP is the gateway's neighbour and no pod's.
    [Fact]
    public void Read_DynamicSubnet_AssignmentsAreAddressesAndPrimaryIsNot()
    {
        var answer = Read(AzureObjects.Batch("a", 16));
        Assert.Equal(Enumerable.Range(22, 16).Select(last => $"10.241.0.{last}/32"), Texts(answer.Prefixes));
        Assert.Equal(["10.241.0.0/16"], Texts(answer.PodRanges));
        Assert.Empty(answer.Faults);
    }

    [Fact]
    public void Read_BlocksOfASubnet_AreAllPrefixes()
    {
        var answer = Read(AzureObjects.Of("a", AzureObjects.Container(
            "static", "vnetblock", "10.241.0.16/28", "10.241.0.0/16", ["10.241.0.32/28", "10.241.3.0/28"])));
        Assert.Equal(["10.241.0.16/28", "10.241.0.32/28", "10.241.3.0/28"], Texts(answer.Prefixes));
        Assert.Empty(answer.Faults);
    }

    // The definition's defaults are dynamic and vnet, and older objects have neither.
    [Fact]
    public void Read_NeitherModeNorType_IsDynamic() => Assert.Equal(
        ["10.241.0.5/32"],
        Texts(Read(AzureObjects.Of("a", AzureObjects.Container(null, null, "10.241.0.4", "10.241.0.0/16", ["10.241.0.5"]))).Prefixes));

    [Fact]
    public void Read_SeveralContainersOfBothFamilies_CountTogether()
    {
        var second = AzureObjects.Container("static", "overlay", "fd12:3456:789a:1::/64", null, []);
        var third = AzureObjects.Container("static", "overlay", "192.168.2.0/24", "192.168.0.0/16", []);
        third["primaryIPV6"] = "fd12:3456:789a:2::/64";
        third["subnetAddressSpaceV6"] = "fd12:3456:789a::/48";
        var answer = Read(AzureObjects.Of(
            "a", AzureObjects.Container("static", "overlay", "192.168.1.0/24", "192.168.0.0/16", []), second, third));
        Assert.Equal(
            ["192.168.1.0/24", "192.168.2.0/24", "fd12:3456:789a:1::/64", "fd12:3456:789a:2::/64"], Texts(answer.Prefixes));
        Assert.Equal(["192.168.0.0/16", "fd12:3456:789a::/48"], Texts(answer.PodRanges));
        Assert.Empty(answer.Faults);
    }

    // As Azure's own reader takes it.
    [Fact]
    public void Read_BlockWithBitsBehindItsLength_IsTheNetwork() =>
        Assert.Equal(["192.168.1.0/24"], Texts(Read(AzureObjects.Overlay("a", "192.168.1.7/24")).Prefixes));

    [Theory]
    [InlineData("static", "overlay", "192.168.1.0", "192.168.0.0/16", "", "has a primaryIP that is an address where a CIDR belongs: \"192.168.1.0\"")]
    [InlineData("static", "overlay", "nowhere", "192.168.0.0/16", "", "has a primaryIP that is no CIDR: \"nowhere\"")]
    [InlineData("static", "overlay", "0.0.0.0/0", "192.168.0.0/16", "", "has a primaryIP that is too wide to be believed: 0.0.0.0/0")]
    [InlineData("static", "vnetblock", "10.241.0.16", "10.241.0.0/16", "10.241.0.32", "has a primaryIP that is an address where a CIDR belongs")]
    [InlineData("dynamic", "vnet", "10.241.0.21", "10.241.0.0/16", "10.241.0.32/28", "has an assignment that is a CIDR where an address belongs")]
    [InlineData("dynamic", "vnet", "10.241.0.21", "10.241.0.0/16", "10.241.0.300", "has an assignment that is no address: \"10.241.0.300\"")]
    [InlineData("dynamic", "vnet", "10.241.0.21", "10.241.0.0/16", "[::1]", "has an assignment that is no address")]
    [InlineData("pooled", "vnet", "10.241.0.21", "10.241.0.0/16", "10.241.0.22", "assignmentMode \"pooled\", of which only static and dynamic are known")]
    [InlineData("static", "overlay", "192.168.1.0/24/7", "192.168.0.0/16", "", "has a primaryIP that is no CIDR")]
    public void Read_WhatCannotBe_IsAFaultAndAssignsNothing(
        string mode, string type, string primary, string range, string assignment, string expected)
    {
        string[] assignments = assignment.Length > 0 ? [assignment] : [];
        var answer = Read(AzureObjects.Of("a", AzureObjects.Container(mode, type, primary, range, assignments)));
        Assert.Empty(answer.Prefixes);
        Assert.Contains(expected, string.Join("; ", answer.Faults), StringComparison.Ordinal);
        Assert.Contains(expected, answer.Absence, StringComparison.Ordinal);
    }

    [Fact]
    public void Read_OneFaultAmongMany_LeavesTheRest()
    {
        var answer = Read(AzureObjects.Of("a", AzureObjects.Container(
            "dynamic", "vnet", "10.241.0.21", "no range", ["10.241.0.22", "", "10.241.0.24"])));
        Assert.Equal(["10.241.0.22/32", "10.241.0.24/32"], Texts(answer.Prefixes));
        Assert.Empty(answer.PodRanges);
        Assert.Equal(["has a subnetAddressSpace that is no CIDR: \"no range\"", "has an assignment that is no address: \"\""], answer.Faults);
        Assert.True(answer.IsTold);
    }

    [Fact]
    public void Read_HundredsOfFaults_AreAFewAndACount()
    {
        var answer = Read(AzureObjects.Of("a", AzureObjects.Container(
            "dynamic", "vnet", "10.241.0.21", "10.241.0.0/16", ["10.241.0.22", .. Enumerable.Repeat("x", 250)])));
        Assert.Equal(5, answer.Faults.Count);
        Assert.Equal("and 246 more faults", answer.Faults[4]);
    }

    [Theory]
    [InlineData("""{"metadata":{"name":"a"}}""", "has no network container yet")]
    [InlineData("""{"metadata":{"name":"a"},"status":null}""", "has no network container yet")]
    [InlineData("""{"metadata":{"name":"a"},"status":"x"}""", "has no network container yet")]
    [InlineData("""{"metadata":{"name":"a"},"status":{"networkContainers":{}}}""", "has no network container yet")]
    [InlineData("""{"metadata":{"name":"a"},"status":{"networkContainers":[]}}""", "has no network container yet")]
    [InlineData("""{"metadata":{"name":"a"},"status":{"networkContainers":[null,7,"x",[]]}}""", "assigns no address yet")]
    [InlineData("""{"metadata":{"name":"a"},"status":{"networkContainers":[{"assignmentMode":"static","primaryIP":{"a":1}}]}}""", "has a primaryIP that is no CIDR")]
    [InlineData("""{"metadata":{"name":"a"},"status":{"networkContainers":[{"ipAssignments":[{"ip":7},"x"]}]}}""", "has an assignment that is no address: \"7\"")]
    [InlineData("""{"metadata":{"name":"b"},"status":{"networkContainers":[{"assignmentMode":"static","primaryIP":"10.0.0.0/24"}]}}""", "is of the node 'b', not of this one")]
    public void Read_NothingToTell_IsAbsentWithAReason(string json, string expected)
    {
        var answer = NodeNetworkConfigReader.Read(JsonSerializer.Deserialize(json, PrefixesJson.Default.NodeNetworkConfig)!, "a");
        Assert.False(answer.IsTold);
        Assert.Empty(answer.Prefixes);
        Assert.Contains(expected, answer.Absence, StringComparison.Ordinal);
    }

    // A name that was used again.
    [Fact]
    public void Read_ObjectThatAnotherNodeOwns_IsNotBelieved()
    {
        var stolen = AzureObjects.Overlay("b");
        stolen["metadata"]!["name"] = "a";
        Assert.Equal("the NodeNetworkConfig object 'a' is of the node 'b', not of this one", Read(stolen).Absence);
    }

    private static PrefixAnswer Read(JsonObject json) =>
        NodeNetworkConfigReader.Read(json.Deserialize(PrefixesJson.Default.NodeNetworkConfig)!, "a");

    private static IEnumerable<string> Texts(IEnumerable<IPPrefix> prefixes) => prefixes.Select(prefix => prefix.ToString());
}
