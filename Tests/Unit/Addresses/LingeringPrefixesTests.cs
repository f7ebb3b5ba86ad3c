using Orleans.WireGuard.Grains.Addresses;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.Unit.Addresses;

/// <summary>Additions before removals.</summary>
public sealed class LingeringPrefixesTests
{
    private readonly LingeringPrefixes _lingering = new();

    [Fact]
    public void Note_PrefixGoes_StaysForFiveSeconds()
    {
        Assert.Equal(("10.0.1.4/32", null), Note("10.0.1.4/32", 0));
        Assert.Equal(("10.0.1.4/32 10.0.1.9/32", TimeSpan.FromSeconds(5)), Note("10.0.1.9/32", 1));
        Assert.Equal(("10.0.1.4/32 10.0.1.9/32", TimeSpan.FromSeconds(1)), Note("10.0.1.9/32", 5));
        Assert.Equal(("10.0.1.9/32", null), Note("10.0.1.9/32", 6));
    }

    // Two hundred pods that flap change nothing.
    [Fact]
    public void Note_PrefixComesBack_IsNotGone()
    {
        _ = Note("10.0.1.4/32", 0);
        _ = Note("", 1);
        Assert.Equal(("10.0.1.4/32", null), Note("10.0.1.4/32", 5));
        Assert.Equal(("10.0.1.4/32", TimeSpan.FromSeconds(5)), Note("", 9));
    }

    // It is on its way there.
    [Fact]
    public void Note_AnotherNodeClaimsIt_DoesNotLinger()
    {
        _ = Note("10.0.1.4/32 10.0.1.9/32", 0);
        Assert.Equal(("10.0.1.9/32", null), Note("10.0.1.9/32", 1, claimed: "10.0.1.4/32"));
    }

    [Fact]
    public void Note_Neighbours_AreOnePrefix() => Assert.Equal(
        ("10.0.1.0/28", null), Note(string.Join(' ', Enumerable.Range(0, 16).Select(i => $"10.0.1.{i}/32")), 0));

    private (string Prefixes, TimeSpan? Until) Note(string prefixes, double at, string claimed = "")
    {
        var current = prefixes.Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(IPPrefix.Parse).Order().ToEquatableArray();
        var (announced, until) = _lingering.Note(current, prefix => prefix.ToString() == claimed, TestMesh.SteadyAt(at));
        return (string.Join(' ', announced), until);
    }
}
