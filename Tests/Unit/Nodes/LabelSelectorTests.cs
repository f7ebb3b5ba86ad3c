using Orleans.WireGuard.Silo.Nodes;

namespace Orleans.WireGuard.Tests.Unit.Nodes;

/// <summary>Selectors as kubectl takes them.</summary>
public sealed class LabelSelectorTests
{
    private static readonly Dictionary<string, string> Linux = new()
    {
        ["kubernetes.io/os"] = "linux",
        ["type"] = "vm",
        ["empty"] = "",
    };

    [Theory]
    [InlineData("kubernetes.io/os=linux", true)]
    [InlineData("kubernetes.io/os==linux", true)]
    [InlineData(" kubernetes.io/os = linux ", true)]
    [InlineData("kubernetes.io/os=windows", false)]
    [InlineData("kubernetes.io/os!=windows", true)]
    [InlineData("kubernetes.io/os!=linux", false)]
    [InlineData("missing!=a", true)]
    [InlineData("type in (vm, metal)", true)]
    [InlineData("type in (virtual-kubelet)", false)]
    [InlineData("type notin (vm)", false)]
    [InlineData("missing notin (vm)", true)]
    [InlineData("type", true)]
    [InlineData("missing", false)]
    [InlineData("!missing", true)]
    [InlineData("!type", false)]
    [InlineData("empty=", true)]
    [InlineData("type in (vm,metal),kubernetes.io/os=linux", true)]
    [InlineData("type in (vm,metal),kubernetes.io/os=windows", false)]
    public void Matches_Golden(string text, bool expected)
    {
        Assert.True(LabelSelector.TryParse(text, out var selector));
        Assert.Equal(expected, selector.Matches(Linux));
    }

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData(" ")]
    [InlineData("a=b,")]
    [InlineData("=b")]
    [InlineData("a b")]
    [InlineData("a in b")]
    [InlineData("a in (b")]
    [InlineData("a=b=c")]
    [InlineData("a=b c")]
    [InlineData("a>1")]
    public void TryParse_WhatIsNone_IsRefused(string? text) => Assert.False(LabelSelector.TryParse(text, out _));

    [Fact]
    public void Of_Default_IsWindowsAndVirtualNodes()
    {
        var selectors = LabelSelector.Of(new NodesOptions());
        Assert.Contains(selectors, selector => selector.Matches(new Dictionary<string, string> { ["kubernetes.io/os"] = "windows" }));
        Assert.Contains(selectors, selector => selector.Matches(new Dictionary<string, string> { ["type"] = "virtual-kubelet" }));
        Assert.DoesNotContain(selectors, selector => selector.Matches(Linux));
        Assert.DoesNotContain(selectors, selector => selector.Matches(null));
        Assert.Empty(LabelSelector.Of(new NodesOptions { Exempt = [] }));
    }
}
