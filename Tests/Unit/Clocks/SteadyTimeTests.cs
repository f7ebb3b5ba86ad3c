using CsCheck;
using Microsoft.Extensions.Time.Testing;
using Orleans.WireGuard.Grains.Clocks;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.Unit.Clocks;

/// <summary>Nothing looks older or younger because somebody set the clock.</summary>
public sealed class SteadyTimeTests
{
    // Up to a few centuries of a machine's life, and clocks that are set by as much.
    private static readonly Gen<TimeSpan> Times = Gen.Long[-100 * 365 * TimeSpan.TicksPerDay, 100 * 365 * TimeSpan.TicksPerDay]
        .Select(ticks => new TimeSpan(ticks));

    [Fact]
    public void Now_ClockIsSet_GoesOnAsBefore() =>
        Gen.Select(Times, Times, Gen.Long[0, 100 * 365 * TimeSpan.TicksPerDay]).Sample((before, after, passed) =>
    {
        var time = new SettableTime { SetBy = before };
        var clock = new SteadyClock(time);
        var start = clock.Now;
        time.SetBy = after;
        Assert.Equal(start, clock.Now);
        time.Elapsed = new TimeSpan(passed);
        Assert.Equal(time.Elapsed, clock.Now - start);
        Assert.Equal(start + time.Elapsed, clock.Now);
        Assert.Equal(clock.Now - time.Elapsed, start);
        Assert.Equal(
            (passed > 0, passed >= 0, passed < 0, passed <= 0),
            (clock.Now > start, clock.Now >= start, clock.Now < start, clock.Now <= start));
    });

    // In ticks of 100 ns there are more of them since year 1 than a double has digits for.
    [Fact]
    public void Now_LargeTimestamp_LosesNothing()
    {
        var time = new FakeTimeProvider(TestMesh.Start);
        var start = SteadyTime.Now(time);
        time.Advance(TimeSpan.FromTicks(1));
        Assert.Equal(TimeSpan.FromTicks(1), SteadyTime.Now(time) - start);
    }

    [Fact]
    public void Type_HasNoWayFromTheWallClock() => Assert.DoesNotContain(
        typeof(SteadyTime).GetMembers().Select(member => $"{member}"),
        member => member.Contains(nameof(DateTime), StringComparison.Ordinal));
}
