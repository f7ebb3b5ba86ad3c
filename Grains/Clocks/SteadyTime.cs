namespace Orleans.WireGuard.Grains.Clocks;

/// <summary>
/// A moment by the clock that nobody sets. Only the time between two of them means anything: it measures durations, and people read none of
/// it.
/// </summary>
/// <remarks>
/// The wall clock is set, by hand, by NTP, by a machine that wakes up, and a duration told by it is then wrong by as much. So this cannot
/// be made from a <see cref="DateTimeOffset"/>, nor be compared with one. Moments of one <see cref="TimeProvider"/> can be compared,
/// whoever took them. They mean nothing in another process.
/// </remarks>
internal readonly record struct SteadyTime : IComparable<SteadyTime>
{
    private readonly TimeSpan _sinceOrigin;

    private SteadyTime(TimeSpan sinceOrigin) => _sinceOrigin = sinceOrigin;

    /// <summary>Now, by the timestamps of <paramref name="timeProvider"/>.</summary>
    /// <remarks>
    /// Not by GetElapsedTime from 0 on: that multiplies as a double, and the timestamps of a machine that has run for long have more
    /// digits.
    /// </remarks>
    public static SteadyTime Now(TimeProvider timeProvider) =>
        new(new TimeSpan((long)((Int128)timeProvider.GetTimestamp() * TimeSpan.TicksPerSecond / timeProvider.TimestampFrequency)));

    /// <inheritdoc/>
    public int CompareTo(SteadyTime other) => _sinceOrigin.CompareTo(other._sinceOrigin);

    /// <summary>The time from <paramref name="earlier"/> to <paramref name="later"/>.</summary>
    public static TimeSpan operator -(SteadyTime later, SteadyTime earlier) => later._sinceOrigin - earlier._sinceOrigin;

    /// <summary>So much later.</summary>
    public static SteadyTime operator +(SteadyTime time, TimeSpan duration) => new(time._sinceOrigin + duration);

    /// <summary>So much earlier.</summary>
    public static SteadyTime operator -(SteadyTime time, TimeSpan duration) => new(time._sinceOrigin - duration);

    /// <summary>Whether <paramref name="left"/> is earlier.</summary>
    public static bool operator <(SteadyTime left, SteadyTime right) => left._sinceOrigin < right._sinceOrigin;

    /// <summary>Whether <paramref name="left"/> is later.</summary>
    public static bool operator >(SteadyTime left, SteadyTime right) => left._sinceOrigin > right._sinceOrigin;

    /// <summary>Whether <paramref name="left"/> is not later.</summary>
    public static bool operator <=(SteadyTime left, SteadyTime right) => left._sinceOrigin <= right._sinceOrigin;

    /// <summary>Whether <paramref name="left"/> is not earlier.</summary>
    public static bool operator >=(SteadyTime left, SteadyTime right) => left._sinceOrigin >= right._sinceOrigin;
}

/// <summary>Tells the <see cref="SteadyTime"/>.</summary>
internal sealed class SteadyClock(TimeProvider timeProvider)
{
    /// <summary>The time of now, by the timestamps of the clock that it was made with.</summary>
    public SteadyTime Now => SteadyTime.Now(timeProvider);
}
