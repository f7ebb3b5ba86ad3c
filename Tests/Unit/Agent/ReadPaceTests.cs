using Orleans.WireGuard.Silo.Agent;

namespace Orleans.WireGuard.Tests.Unit.Agent;

public sealed class ReadPaceTests
{
    private static readonly TimeSpan Second = TimeSpan.FromSeconds(1);

    [Theory]
    [InlineData(0.2, 1)]
    [InlineData(5, 1)]
    [InlineData(20, 4)]
    [InlineData(50, 10)]
    public void Next_CostKnown_StaysBelowHalfAPercentOfACore(double milliseconds, double seconds)
    {
        var pace = new ReadPace(Second);
        for (var i = 0; i < 4; i++)
        {
            pace.Note(TimeSpan.FromMilliseconds(milliseconds));
        }

        Assert.Equal(TimeSpan.FromSeconds(seconds), pace.Next);
    }

    // The first pass compiles the code, and a busy machine makes any pass long.
    [Fact]
    public void Next_OneOfTheLatestWasShort_CountsThatOne()
    {
        var pace = new ReadPace(Second);
        Assert.Equal(Second, pace.Next);
        foreach (var milliseconds in (int[])[900, 800, 1, 700, 600, 500])
        {
            pace.Note(TimeSpan.FromMilliseconds(milliseconds));
            Assert.Equal(Second, pace.Next);
        }

        pace.Note(TimeSpan.FromMilliseconds(400));
        Assert.Equal(TimeSpan.FromSeconds(80), pace.Next);
    }
}
