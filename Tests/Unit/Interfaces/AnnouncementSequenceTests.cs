using CsCheck;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.Unit.Interfaces;

/// <summary>
/// Sequences never go back (invariant I6), whatever the clock does, whatever the period is and however often the silo restarts.
/// </summary>
public sealed class AnnouncementSequenceTests
{
    private static readonly DateTimeOffset Now = DateTimeOffset.UnixEpoch + TimeSpan.FromMilliseconds(7234.9);

    // A clock that goes back as often as forward, by a tick or by years.
    private static readonly Gen<DateTimeOffset[]> Steps =
        Gen.OneOf(MeshGen.Time, Gen.Long[0, 50_000].Select(ticks => Now.AddTicks(ticks))).Array[1, 20];

    [Fact]
    public void Next_NothingHeld_IsTheSecondAndItsMilliseconds() =>
        Assert.Equal(new AnnouncementSequence(new Epoch(7), 234), AnnouncementSequence.Next(null, Now));

    [Fact]
    public void Next_ClockWentBack_KeepsTheSecondAndCounts() => Assert.Equal(
        new AnnouncementSequence(new Epoch(9), 6), AnnouncementSequence.Next(new AnnouncementSequence(new Epoch(9), 5), Now));

    // A silo of an earlier version counted periods, of which there are fewer.
    [Fact]
    public void Next_HeldCountsPeriods_IsAbove() => Gen.Select(MeshGen.Time, MeshGen.Period).Sample((now, period) =>
    {
        var epoch = Epoch.At(now, period > AnnouncementSequence.Unit ? period : AnnouncementSequence.Unit);
        Assert.True(AnnouncementSequence.Next(new AnnouncementSequence(epoch, 0), now) > new AnnouncementSequence(epoch, 0));
    });

    [Fact]
    public void Next_AnyClock_IsAboveWhatIsHeld() => Steps.Sample(steps =>
    {
        AnnouncementSequence? held = null;
        foreach (var now in steps)
        {
            var next = AnnouncementSequence.Next(held, now);
            Assert.True(held is null || next > held, $"{next} is not above {held}");
            Assert.InRange(next.Revision, 0, long.MaxValue);
            held = next;
        }
    });

    // A restarted silo remembers nothing. Its clock goes on, and it took at least a millisecond to restart.
    [Fact]
    public void Next_RestartWithTrueClock_IsAboveTheFormerSelf() =>
        Gen.Select(Gen.Long[TimeSpan.TicksPerMillisecond, TimeSpan.TicksPerDay].Array[1, 20], MeshGen.Time).Sample((pauses, start) =>
        {
            var now = start;
            var last = AnnouncementSequence.Next(null, now);
            foreach (var pause in pauses)
            {
                now = now.AddTicks(pause);
                var next = AnnouncementSequence.Next(null, now);
                Assert.True(next > last, $"{next} is not above {last}");
                last = next;
            }
        });

    // It may come back with a clock that lies. Then others tell it what they hold, and it continues above that.
    [Fact]
    public void Next_RestartWithAnyClock_IsAboveTheFormerSelfOnceToldOfIt() => Gen.Select(Steps, Steps).Sample((before, after) =>
    {
        var former = before.Aggregate(default(AnnouncementSequence?), (held, now) => AnnouncementSequence.Next(held, now));
        var forgetful = AnnouncementSequence.Next(null, after[0]);
        var floor = forgetful > former!.Value ? forgetful : former.Value;
        Assert.True(AnnouncementSequence.Next(floor, after[0]) > former);
    });

    [Fact]
    public void CompareTo_AnyTwo_IsEpochThenRevision() => Gen.Select(MeshGen.Sequence, MeshGen.Sequence).Sample((left, right) =>
    {
        var expected = left.Epoch != right.Epoch ? left.Epoch.Value.CompareTo(right.Epoch.Value) : left.Revision.CompareTo(right.Revision);
        Assert.Equal(expected, left.CompareTo(right));
        Assert.Equal(
            (expected > 0, expected >= 0, expected < 0, expected <= 0), (left > right, left >= right, left < right, left <= right));
    });

    [Fact]
    public void ToString_Golden_IsEpochDotRevision() => Assert.Equal("7.1234", new AnnouncementSequence(new Epoch(7), 1234).ToString());
}
