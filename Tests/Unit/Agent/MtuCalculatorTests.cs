using CsCheck;
using Orleans.WireGuard.Silo.Agent;

namespace Orleans.WireGuard.Tests.Unit.Agent;

/// <summary>What a tunnel carries is what its narrowest way carries, less what WireGuard adds.</summary>
public sealed class MtuCalculatorTests
{
    private static readonly Gen<(int PathMtu, bool IsIPv6)> Path = Gen.Select(Gen.Int[1280, 9000], Gen.Bool);

    [Theory]
    [InlineData(1500, false, false, 1440, false)]
    [InlineData(1500, true, false, 1420, false)]
    [InlineData(3900, false, true, 3840, false)]
    [InlineData(1340, false, true, 1280, false)]
    [InlineData(1339, false, true, 1280, true)]
    [InlineData(1339, false, false, 1279, false)]
    [InlineData(1280, true, true, 1280, true)]
    public void Calculate_OnePath_IsItsMtuLessTheOverhead(int pathMtu, bool isIPv6, bool carriesIPv6, int expected, bool isClamped) =>
        Assert.Equal((expected, isClamped), MtuCalculator.Calculate([(pathMtu, isIPv6)], carriesIPv6));

    [Fact]
    public void Calculate_NoPath_IsUnknown() => Assert.Null(MtuCalculator.Calculate([], carriesIPv6: true));

    [Fact]
    public void Calculate_ManyPaths_NoneCarriesLess() => Gen.Select(Path.Array[1, 5], Gen.Bool).Sample((paths, carriesIPv6) =>
    {
        var (mtu, isClamped) = MtuCalculator.Calculate(paths, carriesIPv6)!.Value;
        var carried = paths.Select(path => path.PathMtu - (path.IsIPv6 ? 80 : 60)).ToList();
        Assert.Equal(isClamped ? 1280 : carried.Min(), mtu);
        Assert.Equal(carriesIPv6 && carried.Min() < 1280, isClamped);
    });
}
