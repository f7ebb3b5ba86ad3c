using Orleans.WireGuard.Grains.Nodes;

namespace Orleans.WireGuard.Tests.Unit.Nodes;

/// <summary>Names that Kubernetes gives to nodes.</summary>
public sealed class NodeNameRuleTests
{
    [Theory]
    [InlineData("a")]
    [InlineData("1")]
    [InlineData("node-1")]
    [InlineData("aks-nodepool1-12345678-vmss000000")]
    [InlineData("ip-10-0-0-1.eu-central-1.compute.internal")]
    [InlineData("10.0.0.1")]
    public void IsValid_Name_IsTrue(string name) => Assert.True(NodeNameRule.IsValid(name));

    [Theory]
    [InlineData("")]
    [InlineData("-a")]
    [InlineData("a-")]
    [InlineData(".a")]
    [InlineData("a.")]
    [InlineData("a..b")]
    [InlineData("a.-b")]
    [InlineData("a-.b")]
    [InlineData("Node-1")]
    [InlineData("node_1")]
    [InlineData("node 1")]
    [InlineData("node-ä")]
    [InlineData("node\n")]
    public void IsValid_NoName_IsFalse(string name) => Assert.False(NodeNameRule.IsValid(name));

    [Fact]
    public void IsValid_Length_IsAtMost253()
    {
        Assert.True(NodeNameRule.IsValid(new string('a', 253)));
        Assert.False(NodeNameRule.IsValid(new string('a', 254)));
    }
}
