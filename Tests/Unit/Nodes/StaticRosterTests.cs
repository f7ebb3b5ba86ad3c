using System.Text;
using Microsoft.Extensions.Configuration;
using Orleans.WireGuard.Silo.Nodes;

namespace Orleans.WireGuard.Tests.Unit.Nodes;

/// <summary>A roster as an operator writes it, and what is said about the mistakes: what was expected, what came, what to do.</summary>
public sealed class StaticRosterTests
{
    private const string First =
        """{ "Name": "node-1", "Addresses": ["192.168.100.1", "fd00::1"], "PodCIDRs": ["fd00:1::/64", "10.244.1.0/24"] }""";
    private const string Second = """{ "Name": "node-2", "Addresses": ["192.168.100.2"], "PodCIDRs": ["10.244.2.0/24"] }""";

    [Fact]
    public void TryParse_GoodList_IsTheRoster()
    {
        var roster = StaticRoster.TryParse(Options(First, Second), "node-2", out var failures);
        Assert.Empty(failures);
        Assert.Equal(["node-1", "node-2"], roster!.Nodes.Keys);
        var first = roster.Find("node-1")!;
        Assert.Equal(["192.168.100.1", "fd00::1"], first.Addresses.Select(address => address.ToString()));
        Assert.Equal(["10.244.1.0/24", "fd00:1::/64"], first.PodCIDRs.Select(cidr => cidr.ToString()));
    }

    [Fact]
    public void TryParse_NoPodCIDRs_IsFine() =>
        Assert.NotNull(StaticRoster.TryParse(Options("""{ "Name": "node-1", "Addresses": ["10.0.0.1"] }"""), "node-1", out _));

    [Theory]
    [InlineData("""{ "Name": "Node_1", "Addresses": ["10.0.0.1"] }""", "Nodes:Static:0:Name 'Node_1' is not a node name; expected 1 to 253 lower-case letters")]
    [InlineData("""{ "Addresses": ["10.0.0.1"] }""", "Nodes:Static:0:Name '' is not a node name")]
    [InlineData("""{ "Name": null, "Addresses": ["10.0.0.1"] }""", "Nodes:Static:0:Name '' is not a node name")]
    [InlineData(
        """{ "Name": "node-9", "Addresses": ["10.0.0.1"], "PodCIDRs": ["0.0.0.0/0"] }""",
        "PodCIDRs: 0.0.0.0/0 is too wide for the pods of one node")]
    [InlineData("""{ "Name": "node-9" }""", "Nodes:Static:0:Addresses has 0 entries; give 1 to 8 IP addresses")]
    [InlineData("""{ "Name": "node-9", "Addresses": ["node-9.example"] }""", "Nodes:Static:0:Addresses: 'node-9.example' is not an IP address; give one such as")]
    [InlineData("""{ "Name": "node-9", "Addresses": ["10.0.0.1/24"] }""", "'10.0.0.1/24' is not an IP address")]
    [InlineData("""{ "Name": "node-9", "Addresses": ["10.1"] }""", "'10.1' is not an IP address")]
    [InlineData("""{ "Name": "node-9", "Addresses": ["fe80::1%1"] }""", "'fe80::1%1' is not an IP address")]
    [InlineData("""{ "Name": "node-9", "Addresses": [null] }""", "'' is not an IP address")]
    public void TryParse_BadNode_SaysWhatToDo(string node, string expected) => AssertSaid(expected, node);

    [Theory]
    [InlineData("10.244.1.0/33", "Nodes:Static:0:PodCIDRs: '10.244.1.0/33' is not a CIDR: 10.244.1.0/33: the length must be from 0 to 32")]
    [InlineData("10.244.1.7/24", "Nodes:Static:0:PodCIDRs: '10.244.1.7/24' is not a CIDR: 10.244.1.7/24 has bits behind its length; did you mean 10.244.1.0/24?")]
    [InlineData("pods", "Nodes:Static:0:PodCIDRs: 'pods' is not a CIDR: expected an address and a length, such as 10.244.1.0/24")]
    [InlineData("", "Nodes:Static:0:PodCIDRs: '' is not a CIDR")]
    public void TryParse_BadPodCIDR_SaysWhatToDo(string cidr, string expected) =>
        AssertSaid(expected, $$"""{ "Name": "node-9", "Addresses": ["10.0.0.1"], "PodCIDRs": ["{{cidr}}"] }""");

    [Fact]
    public void TryParse_NullPodCIDR_SaysWhatToDo() => AssertSaid(
        "Nodes:Static:0:PodCIDRs: '' is not a CIDR", """{ "Name": "node-9", "Addresses": ["10.0.0.1"], "PodCIDRs": [null] }""");

    [Fact]
    public void TryParse_NoNodes_SaysWhatToDo() =>
        AssertSaid("Nodes:Static is empty; list every node of the mesh with its Name, Addresses and PodCIDRs.");

    [Fact]
    public void TryParse_UnknownLocalName_ListsTheKnown()
    {
        Assert.Null(StaticRoster.TryParse(Options(First, Second), "node-3", out var failures));
        Assert.Equal(
            ["Node:Name 'node-3' is not in Nodes:Static, which lists node-1, node-2; correct the name or add the node."], failures);
    }

    [Fact]
    public void TryParse_UnknownLocalNameAmongMany_ListsSome()
    {
        var nodes = Enumerable.Range(10, 12).Select(i => $$"""{ "Name": "node-{{i}}", "Addresses": ["10.0.0.{{i}}"] }""").ToArray();
        Assert.Null(StaticRoster.TryParse(Options(nodes), "node-3", out var failures));
        Assert.Contains("node-19 and 2 more;", Assert.Single(failures), StringComparison.Ordinal);
    }

    [Fact]
    public void TryParse_NameTwice_IsSaid() => AssertSaid("Nodes:Static:1:Name 'node-1' is listed twice", First, First);

    [Theory]
    [InlineData("10.244.1.0/24", "Pod CIDR 10.244.1.0/24 of 'node-1' overlaps 10.244.1.0/24 of 'node-9'")]
    [InlineData("10.244.1.128/25", "Pod CIDR 10.244.1.0/24 of 'node-1' overlaps 10.244.1.128/25 of 'node-9'")]
    [InlineData("10.244.0.0/16", "Pod CIDR 10.244.0.0/16 of 'node-9' overlaps 10.244.1.0/24 of 'node-1'")]
    [InlineData("fd00::/16", "Pod CIDR fd00::/16 of 'node-9' overlaps fd00:1::/64 of 'node-1'")]
    public void TryParse_OverlappingPodCIDRs_NamesBoth(string cidr, string expected) =>
        AssertSaid(expected, First, $$"""{ "Name": "node-9", "Addresses": ["10.0.0.9"], "PodCIDRs": ["{{cidr}}"] }""");

    [Fact]
    public void TryParse_ManyFaults_TellsAll()
    {
        Assert.Null(StaticRoster.TryParse(
            Options("""{ "Name": "A", "Addresses": ["x", "y"], "PodCIDRs": ["z"] }""", """{ "Name": "b" }"""), "c", out var failures));
        Assert.Equal(6, failures.Count);
    }

    // As the silo reads it, because the binder has a mind of its own about null and missing values.
    private static NodesOptions Options(params string[] nodes)
    {
        var json = $$"""{ "Nodes": { "Static": [{{string.Join(',', nodes)}}] } }""";
        return new ConfigurationBuilder().AddJsonStream(new MemoryStream(Encoding.UTF8.GetBytes(json))).Build()
            .GetSection(NodesOptions.SectionName).Get<NodesOptions>() ?? new NodesOptions();
    }

    private static void AssertSaid(string expected, params string[] nodes)
    {
        Assert.Null(StaticRoster.TryParse(Options(nodes), "", out var failures));
        Assert.Contains(expected, Assert.Single(failures), StringComparison.Ordinal);
    }
}
