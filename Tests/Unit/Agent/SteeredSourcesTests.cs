using System.Net;
using CsCheck;
using Orleans.WireGuard.Silo.Agent;

namespace Orleans.WireGuard.Tests.Unit.Agent;

/// <summary>Few rules for many pods, and none that takes what somebody else has.</summary>
public sealed class SteeredSourcesTests
{
    private static readonly Gen<EquatableArray<IPPrefix>> Prefixes = Gen.Int[0, 255].Select(Gen.Int[24, 32]).Array[0, 200]
        .Select(items => PrefixSet.Merge(items.Select(item => Cut([10, 0, (byte)item.Item1, (byte)(item.Item1 * 7)], item.Item2))));

    [Fact]
    public void Build_FewPrefixes_AreTheyThemselves()
    {
        EquatableArray<IPPrefix> own = [IPPrefix.Parse("10.0.1.0/24"), IPPrefix.Parse("10.1.0.0/16"), IPPrefix.Parse("fd00:1::/64")];
        Assert.Equal((own, []), SteeredSources.Build([], own, _ => false));
        Assert.Equal(
            ([IPPrefix.Parse("10.0.0.0/8"), IPPrefix.Parse("fd00:1::/64")], []),
            SteeredSources.Build([IPPrefix.Parse("10.0.0.0/8")], own, _ => false));
    }

    [Fact]
    public void Build_ManyPrefixes_ArePutTogetherAsFarAsNobodyElseHasAnyOfIt()
    {
        var own = Enumerable.Range(0, 100).Select(i => IPPrefix.Host(new IPAddress([10, 0, 0, (byte)(2 * i)]))).ToEquatableArray();
        var (sources, left) = SteeredSources.Build([], own, _ => false);
        Assert.InRange(sources.Count, 1, SteeredSources.Max);
        Assert.Empty(left);
        Assert.All(own, prefix => Assert.True(PrefixSet.Covers(sources, prefix)));

        // Each second address is another node's.
        (sources, left) = SteeredSources.Build([], own, prefix => prefix.Length < 32);
        Assert.Equal((SteeredSources.Max, 100 - SteeredSources.Max), (sources.Count, left.Count));
    }

    [Fact]
    public void Build_Any_IsFewAndStealsNothing() => Gen.Select(Prefixes, Prefixes, Prefixes).Sample((ranges, own, others) =>
    {
        var taken = PrefixSet.Merge(others.Where(other => !PrefixSet.Overlaps(own, other)));
        var (sources, left) = SteeredSources.Build(ranges, own, prefix => PrefixSet.Overlaps(taken, prefix));
        Assert.True(sources.Count <= Math.Max(SteeredSources.Max, ranges.Count));
        Assert.All(ranges, range => Assert.True(PrefixSet.Covers(sources, range)));
        Assert.All(own, prefix => Assert.True(PrefixSet.Covers(sources, prefix) != left.Contains(prefix)));
        Assert.All(sources.Where(source => !ranges.Contains(source)), source => Assert.False(PrefixSet.Overlaps(taken, source)));
    });

    private static IPPrefix Cut(byte[] address, int length) => IPPrefix.Host(new IPAddress(address)).Shorten(length);
}
