using Microsoft.Extensions.Time.Testing;
using Orleans.WireGuard.Grains.Rotation;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.Unit.Rotation;

/// <summary>A clock that is far off follows the mesh's.</summary>
public sealed class MeshClockTests
{
    private static readonly TimeSpan Period = TimeSpan.FromSeconds(120);

    [Theory]
    [InlineData(29, 0)]
    [InlineData(30, 0)]
    [InlineData(31, 31)]
    [InlineData(-31, -31)]
    [InlineData(600, 600)]
    [InlineData(-600, -600)]
    public void Correction_AllOthersAgree_BeginsBeyondAQuarterOfThePeriod(int ahead, int expected) =>
        Assert.Equal(TimeSpan.FromSeconds(expected), Correction(ahead, ahead));

    [Fact]
    public void Correction_OneWrongClock_MovesNobodyElse()
    {
        Assert.Equal(TimeSpan.Zero, Correction(600, 0));
        Assert.Equal(TimeSpan.Zero, Correction(600, 1, -1));
    }

    // Of two nodes nobody knows which is wrong.
    [Fact]
    public void Correction_TwoNodes_IsZero() => Assert.Equal(TimeSpan.Zero, Correction(600));

    [Fact]
    public void Correction_NobodyElse_IsZero() => Assert.Equal(TimeSpan.Zero, Correction());

    [Fact]
    public void Correction_EvenNumber_TakesTheMiddleThatIsNearer() => Assert.Equal(TimeSpan.FromSeconds(60), Correction(60, 120, 180));

    [Fact]
    public void Note_AnswerOnTheWay_CountsFromTheMiddleOfTheCall()
    {
        var clock = new MeshClock(new FakeTimeProvider(TestMesh.Start));
        clock.Note("node-2", TestMesh.Start, TestMesh.Start.AddSeconds(11), TimeSpan.FromSeconds(2));
        Assert.Equal([new ClockSkew("node-2", TimeSpan.FromSeconds(10), TestMesh.Start.AddSeconds(2))], clock.Skews);
    }

    [Fact]
    public void Correction_OldMeasurements_CountNoMore()
    {
        var time = new FakeTimeProvider(TestMesh.Start);
        var clock = new MeshClock(time);
        clock.Note("node-2", TestMesh.Start, TestMesh.Start.AddMinutes(10), TimeSpan.Zero);
        clock.Note("node-3", TestMesh.Start, TestMesh.Start.AddMinutes(10), TimeSpan.Zero);
        time.Advance(TimeSpan.FromMinutes(30));
        Assert.Equal(TimeSpan.FromMinutes(10), clock.Correction(Period));
        time.Advance(TimeSpan.FromTicks(1));
        Assert.Equal(TimeSpan.Zero, clock.Correction(Period));
    }

    [Fact]
    public void IsWorthAWarning_BeyondAnEighth_InEitherDirection()
    {
        Assert.False(MeshClock.IsWorthAWarning(Period / 8, Period));
        Assert.True(MeshClock.IsWorthAWarning((Period / 8) + TimeSpan.FromTicks(1), Period));
        Assert.True(MeshClock.IsWorthAWarning(-Period / 4, Period));
    }

    private static TimeSpan Correction(params int[] seconds) =>
        MeshClock.Correction([.. seconds.Select(second => TimeSpan.FromSeconds(second))], Period);
}
