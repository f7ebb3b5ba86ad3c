using System.Net;
using CsCheck;
using Orleans.WireGuard.Silo.Clustering;

namespace Orleans.WireGuard.Tests.Unit.Clustering;

/// <summary>A silo follows those of its address in the table, whatever its clock says, and is never taken for a client.</summary>
public sealed class SiloGenerationTests
{
    private static readonly IPEndPoint Own = new(IPAddress.Parse("10.0.0.1"), 11111);

    private static readonly Gen<SiloAddress> Silos = Gen.Select(
        Gen.OneOf(
            Gen.Const(Own), Gen.Const(new IPEndPoint(Own.Address, 11112)), Gen.Const(new IPEndPoint(IPAddress.Parse("10.0.0.2"), 11111))),
        Gen.Int[1, int.MaxValue - 1],
        SiloAddress.New);

    [Fact]
    public void Choose_AnyClockAndTable_FollowsAllOfItsAddress() => Gen.Select(Gen.Int, Silos.List[0, 6]).Sample((byClock, silos) =>
    {
        var chosen = SiloAddress.New(Own, SiloGeneration.Choose(byClock, SiloGeneration.FindNewest(Own, silos)));

        Assert.False(chosen.IsClient);
        Assert.True(chosen.Generation >= byClock);
        Assert.Null(SiloGeneration.FindSuccessor(chosen, silos));
        Assert.DoesNotContain(chosen, silos);

        // A clock that is right decides, as it always did.
        Assert.True(
            chosen.Generation == byClock || byClock < 1 || silos.Any(silo => silo.Endpoint.Equals(Own) && silo.Generation >= byClock));
    });

    // 1970, two years before Orleans' time begins, a clock that was set back by an hour and by 90 s, and one that is right.
    [Theory]
    [InlineData(-1_640_995_200, null, 1)]
    [InlineData(-1_640_995_200, 150_000_000, 150_000_001)]
    [InlineData(149_996_400, 150_000_000, 150_000_001)]
    [InlineData(149_999_910, 150_000_000, 150_000_001)]
    [InlineData(150_000_100, 150_000_000, 150_000_100)]
    [InlineData(150_000_000, null, 150_000_000)]
    public void Choose_Table(int byClock, int? newest, int expected) => Assert.Equal(expected, SiloGeneration.Choose(byClock, newest));

    [Fact]
    public void Choose_NothingAbove_Throws() => Assert.Throws<OverflowException>(() => SiloGeneration.Choose(1, int.MaxValue));
}
