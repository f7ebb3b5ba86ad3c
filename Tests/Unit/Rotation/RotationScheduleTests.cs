using CsCheck;
using Orleans.WireGuard.Grains.Rotation;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.Unit.Rotation;

/// <summary>Every node has its own moment in each epoch, and always the same one.</summary>
public sealed class RotationScheduleTests
{
    private static readonly TimeSpan Period = TimeSpan.FromSeconds(120);
    private static readonly Gen<string> Name = Gen.Char["abc-123"].Array[1, 12].Select(chars => new string(chars));

    // Not in the very first epoch of all, before which there is none.
    private static readonly Gen<DateTimeOffset> Time = MeshGen.Time.Where(time => time > DateTimeOffset.UnixEpoch.AddDays(2));

    // sha256sum of the names begins with 35971be6 and 1779f59f; what that is of ffffffff, in parts of 30 s.
    [Theory]
    [InlineData("node-1", 6.2801)]
    [InlineData("node-2", 2.7512)]
    public void RotationAt_Golden_IsTheHashOfTheName(string name, double seconds) => Assert.Equal(
        seconds, (new RotationSchedule(name, Period, 2).RotationAt(new Epoch(14_726_880)) - TestMesh.Start).TotalSeconds, 0.001);

    [Fact]
    public void RotationAt_AnyNode_IsInTheFirstQuarterOfTheEpoch() => Gen.Select(Name, Time, MeshGen.Period).Sample((name, time, period) =>
    {
        var epoch = Epoch.At(time, period);
        Assert.InRange(new RotationSchedule(name, period, 2).RotationAt(epoch) - epoch.Start(period), TimeSpan.Zero, period / 4);
    });

    [Fact]
    public void RotationAt_SecondSchedule_IsTheSame() => Gen.Select(Name, Time, MeshGen.Period).Sample((name, time, period) => Assert.Equal(
        new RotationSchedule(name, period, 2).RotationAt(Epoch.At(time, period)), new RotationSchedule(name, period, 2)
            .RotationAt(Epoch.At(time, period))));

    [Fact]
    public void RotationAt_ManyNodes_AreSpread()
    {
        var tenths = Enumerable.Range(1, 200)
            .Select(node => new RotationSchedule(TestMesh.Name(node), Period, 2).RotationAt(default) - DateTimeOffset.UnixEpoch)
            .GroupBy(jitter => (int)(jitter / (Period / 4) * 10));
        Assert.All(tenths, tenth => Assert.InRange(tenth.Count(), 5, 40));
        Assert.Equal(10, tenths.Count());
    }

    // The key that a node should use became due already, and the next one has not.
    [Fact]
    public void KeyEpoch_AnyTime_LiesBetweenTwoRotations() => Gen.Select(Name, Time, MeshGen.Period).Sample((name, time, period) =>
    {
        var schedule = new RotationSchedule(name, period, 2);
        var epoch = schedule.KeyEpoch(time);
        var next = schedule.NextRotationAt(time);
        Assert.InRange(time, schedule.RotationAt(epoch), next.AddTicks(-1));
        Assert.Equal(period, next - schedule.RotationAt(epoch));
        Assert.Equal(new Epoch(epoch.Value + 1), schedule.KeyEpoch(next));
        Assert.Equal(epoch, schedule.KeyEpoch(next.AddTicks(-1)));
    });

    [Fact]
    public void KeyEpoch_TimeGoesOn_NeverGoesBack() => Gen.Select(Name, Time, Gen.Long[0, TimeSpan.TicksPerDay], MeshGen.Period).Sample(
        (name, time, later, period) =>
        {
            var schedule = new RotationSchedule(name, period, 2);
            Assert.True(schedule.KeyEpoch(time) <= schedule.KeyEpoch(time.AddTicks(later)));
        });

    [Fact]
    public void Constructor_NoPeriod_IsRefused() =>
        Assert.Throws<ArgumentOutOfRangeException>(() => new RotationSchedule("node-1", TimeSpan.Zero, 2));
}
