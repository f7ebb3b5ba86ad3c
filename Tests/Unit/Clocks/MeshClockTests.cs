using CsCheck;
using Orleans.WireGuard.Grains.Clocks;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.Unit.Clocks;

/// <summary>A clock that is far off follows the mesh's.</summary>
public sealed class MeshClockTests
{
    private static readonly TimeSpan Period = TimeSpan.FromSeconds(120);

    private readonly WaitableTimeProvider _time = new(TestMesh.Start);
    private readonly MeshClock _clock;

    public MeshClockTests() => _clock = new MeshClock(_time, Period);

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

    // A clock that was never set, one that lost its battery, one that was set at random: it counts nowhere, so the others agree as they
    // would without it, and its own node goes by their time, whatever it says itself. Of one other too, because that one can be right.
    [Fact]
    public void Find_ClockThatCannotBeRight_ShiftsNobody() =>
        Gen.Select(Gen.Int[-100_000, 100_000].Array[1, 6], Absurd).Sample((seconds, absurd) =>
        {
            var right = seconds.Select(second => TestMesh.Start.AddDays(100).AddSeconds(second)).ToList();
            for (var own = 0; own < right.Count; own++)
            {
                var others = right.Where((_, index) => index != own).ToList();
                Assert.Equal(MeshClock.Find(right[own], others, Period), MeshClock.Find(right[own], [.. others, absurd], Period));
            }

            var followed = absurd + MeshClock.Find(absurd, right, Period);
            Assert.Equal(right.Order().ElementAt((right.Count - 1) / 2), followed);
        });

    [Theory]
    [InlineData("1969-12-31T23:00:00Z", false)]
    [InlineData("1970-01-01T00:10:00Z", false)]
    [InlineData("2025-11-10T23:59:59Z", false)]
    [InlineData("2025-11-11T00:00:00Z", true)]
    [InlineData("2026-01-01T00:00:00Z", true)]
    [InlineData("2075-11-11T00:00:00Z", true)]
    [InlineData("2075-11-11T00:00:01Z", false)]
    public void CanBeRight_Clock_FromTheRuntimesFirstDayForHalfACentury(string clock, bool canBe) =>
        Assert.Equal(canBe, MeshClock.CanBeRight(DateTimeOffset.Parse(clock, null)));

    // Or two machines without a battery would keep each in its own time.
    [Fact]
    public void Find_NoClockCanBeRight_AllCount()
    {
        var began = DateTimeOffset.UnixEpoch;
        Assert.Equal(TimeSpan.FromMinutes(10), MeshClock.Find(began, [began.AddMinutes(10), began.AddMinutes(10)], Period));
        Assert.Equal(TimeSpan.Zero, MeshClock.Find(began, [began.AddMinutes(10)], Period));
    }

    // Between two rotations a day may pass, and a node in 1970 would refuse everybody for the rest of it.
    [Fact]
    public void FindFresh_HalfOfTheTimeForWhichAReadingCounts_ReadsAgain()
    {
        Assert.True(_clock.Note("node-2", TestMesh.Start, SteadyTime.Now(_time)));
        _time.Advance(TimeSpan.FromMinutes(15));
        Assert.Equal([new("node-2", true)], _clock.FindFresh());
        _time.Advance(TimeSpan.FromTicks(1));
        Assert.Empty(_clock.FindFresh());
        Assert.Single(_clock.Skews);
    }

    [Fact]
    public void Correction_NobodyElse_IsZero() => Assert.Equal(TimeSpan.Zero, Correction());

    [Fact]
    public void Correction_EvenNumber_TakesTheMiddleThatIsNearer() => Assert.Equal(TimeSpan.FromSeconds(60), Correction(60, 120, 180));

    [Fact]
    public void Note_AnswerOnTheWay_CountsFromTheMiddleOfTheCall()
    {
        var asked = SteadyTime.Now(_time);
        _time.Advance(TimeSpan.FromSeconds(2));
        Assert.True(_clock.Note("node-2", TestMesh.Start.AddSeconds(11), asked));
        Assert.Equal([new ClockSkew("node-2", TimeSpan.FromSeconds(10), TestMesh.Start.AddSeconds(2))], _clock.Skews);
    }

    // The mesh's time goes on, wherever this node's clock is set to, and however often.
    [Fact]
    public void MeshTime_OwnClockIsSet_StaysTheMeshs() => Gen.Int[-50, 50].Array[1, 5].Sample(hours =>
    {
        var time = new WaitableTimeProvider(TestMesh.Start);
        var clock = new MeshClock(time, Period);
        var now = SteadyTime.Now(time);
        Assert.True(clock.Note("node-2", TestMesh.Start, now));
        Assert.True(clock.Note("node-3", TestMesh.Start, now));
        for (var minute = 1; minute <= hours.Length; minute++)
        {
            time.SetBy = TimeSpan.FromHours(hours[minute - 1]);
            time.Advance(TimeSpan.FromMinutes(1));
            Assert.Equal(TestMesh.Start.AddMinutes(minute), clock.MeshTime);
            Assert.Equal(-time.SetBy, clock.Correction);
            Assert.All(clock.Skews, skew => Assert.Equal(-time.SetBy, skew.Ahead));
        }
    });

    // No clock shows these, and none may lead this node to where there are no epochs.
    [Fact]
    public void Note_ReadingOfNoClock_IsNotTaken()
    {
        DateTimeOffset[] readings = [DateTimeOffset.MinValue, DateTimeOffset.UnixEpoch.AddTicks(-1), DateTimeOffset.MaxValue, new(
            9000, 1, 1, 0, 0, 1, TimeSpan.Zero)];
        foreach (var reading in readings)
        {
            Assert.False(_clock.Note("node-2", reading, SteadyTime.Now(_time)));
            Assert.False(_clock.Note("node-3", reading, SteadyTime.Now(_time)));
        }

        Assert.Empty(_clock.Skews);
        Assert.Equal(TestMesh.Start, _clock.MeshTime);
    }

    // A clock that was never set begins there, and others may be wrong by as much.
    [Theory]
    [InlineData(1970)]
    [InlineData(2999)]
    public void MeshTime_AllOthersAreFarAway_IsATimeWithAnEpoch(int year)
    {
        // This node's cannot be right either.
        var other = new DateTimeOffset(year, 1, 1, 0, 0, 0, TimeSpan.Zero);
        _time.SetBy = other.AddYears(1) - TestMesh.Start;
        Assert.True(_clock.Note("node-2", other, SteadyTime.Now(_time)));
        Assert.True(_clock.Note("node-3", other, SteadyTime.Now(_time)));
        Assert.Equal(other, _clock.MeshTime);
        Assert.Equal(other + SequenceBounds.MaxLead(Period), _clock.Horizon);
        Assert.Equal(Epoch.At(other, Period), Epoch.At(_clock.MeshTime, Period));
    }

    [Fact]
    public void Forget_NodeThatLeft_LeavesNothingOfIt()
    {
        var now = SteadyTime.Now(_time);
        Assert.True(_clock.Note("node-2", TestMesh.Start.AddMinutes(10), now));
        Assert.True(_clock.Note("node-3", TestMesh.Start.AddMinutes(10), now));
        Assert.Equal(TimeSpan.FromMinutes(10), _clock.Correction);
        _clock.Forget(name => name == "node-3");
        Assert.Equal(["node-3"], _clock.Skews.Select(skew => skew.NodeName));
        Assert.Equal(TimeSpan.Zero, _clock.Correction);
    }

    [Fact]
    public void Correction_OldMeasurements_CountNoMore()
    {
        var now = SteadyTime.Now(_time);
        Assert.True(_clock.Note("node-2", TestMesh.Start.AddMinutes(10), now));
        Assert.True(_clock.Note("node-3", TestMesh.Start.AddMinutes(10), now));
        _time.Advance(TimeSpan.FromMinutes(30));
        Assert.Equal(TimeSpan.FromMinutes(10), _clock.Correction);
        _time.Advance(TimeSpan.FromTicks(1));
        Assert.Equal(TimeSpan.Zero, _clock.Correction);
        Assert.Empty(_clock.Skews);
    }

    [Fact]
    public void IsWorthAWarning_BeyondAnEighth_InEitherDirection()
    {
        Assert.False(MeshClock.IsWorthAWarning(Period / 8, Period));
        Assert.True(MeshClock.IsWorthAWarning((Period / 8) + TimeSpan.FromTicks(1), Period));
        Assert.True(MeshClock.IsWorthAWarning(-Period / 4, Period));
    }

    private static Gen<DateTimeOffset> Absurd { get; } = Gen.OneOf(
        Gen.Int[-3600, 1_700_000_000].Select(second => DateTimeOffset.UnixEpoch.AddSeconds(second)),
        Gen.Int[2076, 8_999].Select(year => new DateTimeOffset(year, 1, 1, 0, 0, 0, TimeSpan.Zero)));

    private static TimeSpan Correction(params int[] seconds) =>
        MeshClock.Find(TestMesh.Start, [.. seconds.Select(second => TestMesh.Start.AddSeconds(second))], Period);
}
