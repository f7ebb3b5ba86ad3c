using CsCheck;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.Unit.Interfaces;

/// <summary>Sequences never go back (invariant I6), whatever the clock does and however often the silo restarts.</summary>
public sealed class AnnouncementSequenceTests
{
    private static readonly TimeSpan Period = TimeSpan.FromSeconds(120);
    private static readonly DateTimeOffset Now = DateTimeOffset.UnixEpoch + 7 * Period + TimeSpan.FromMilliseconds(1234.9);

    // A clock that goes back as often as forward, by a tick or by years, and an operator who changes the period.
    private static readonly Gen<(DateTimeOffset Now, TimeSpan Period)[]> Steps = Gen.Select(
        Gen.OneOf(MeshGen.Time, Gen.Long[0, 50_000].Select(ticks => Now.AddTicks(ticks))),
        Gen.OneOf(Gen.Const(Period), MeshGen.Period)).Array[1, 20];

    [Fact]
    public void Next_NothingHeld_IsTheEpochAndItsMilliseconds() =>
        Assert.Equal(new AnnouncementSequence(new Epoch(7), 1234), AnnouncementSequence.Next(null, Now, Period));

    [Fact]
    public void Next_ClockWentBack_KeepsTheEpochAndCounts() => Assert.Equal(
        new AnnouncementSequence(new Epoch(9), 6), AnnouncementSequence.Next(new AnnouncementSequence(new Epoch(9), 5), Now, Period));

    [Fact]
    public void Next_AnyClockAndPeriods_IsAboveWhatIsHeld() => Steps.Sample(steps =>
    {
        AnnouncementSequence? held = null;
        foreach (var (now, period) in steps)
        {
            var next = AnnouncementSequence.Next(held, now, period);
            Assert.True(held is null || next > held, $"{next} is not above {held}");
            Assert.InRange(next.Revision, 0, long.MaxValue);
            held = next;
        }
    });

    // A restarted silo remembers nothing. Its clock goes on, and it took at least a millisecond to restart.
    [Fact]
    public void Next_RestartWithTrueClock_IsAboveTheFormerSelf() =>
        Gen.Select(Gen.Long[TimeSpan.TicksPerMillisecond, TimeSpan.TicksPerDay].Array[1, 20], MeshGen.Time, MeshGen.Period).Sample((pauses, start, period) =>
        {
            var now = start;
            var last = AnnouncementSequence.Next(null, now, period);
            foreach (var pause in pauses)
            {
                now = now.AddTicks(pause);
                var next = AnnouncementSequence.Next(null, now, period);
                Assert.True(next > last, $"{next} is not above {last}");
                last = next;
            }
        });

    // It may come back with a clock that lies. Then others tell it what they hold, and it continues above that.
    [Fact]
    public void Next_RestartWithAnyClock_IsAboveTheFormerSelfOnceToldOfIt() => Gen.Select(Steps, Steps).Sample((before, after) =>
    {
        var former = before.Aggregate(default(AnnouncementSequence?), (held, step) => AnnouncementSequence.Next(held, step.Now, step.Period));
        var forgetful = AnnouncementSequence.Next(null, after[0].Now, after[0].Period);
        var floor = forgetful > former!.Value ? forgetful : former.Value;
        Assert.True(AnnouncementSequence.Next(floor, after[0].Now, after[0].Period) > former);
    });

    [Fact]
    public void CompareTo_AnyTwo_IsEpochThenRevision() => Gen.Select(MeshGen.Sequence, MeshGen.Sequence).Sample((left, right) =>
    {
        var expected = left.Epoch != right.Epoch ? left.Epoch.Value.CompareTo(right.Epoch.Value) : left.Revision.CompareTo(right.Revision);
        Assert.Equal(expected, left.CompareTo(right));
        Assert.Equal((expected > 0, expected >= 0, expected < 0, expected <= 0), (left > right, left >= right, left < right, left <= right));
    });

    [Fact]
    public void ToString_Golden_IsEpochDotRevision() => Assert.Equal("7.1234", new AnnouncementSequence(new Epoch(7), 1234).ToString());
}
