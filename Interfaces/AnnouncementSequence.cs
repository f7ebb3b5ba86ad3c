using System.Globalization;

namespace Orleans.WireGuard;

/// <summary>
/// Orders the announcements of one node: first by second, then by revision. Strictly increasing, also across a restart of the silo
/// (ARCHITECTURE.md, invariant I6).
/// </summary>
/// <param name="Epoch">
/// The second in which the announcement was made. A second whatever the rotation period, so that a period that is made longer takes no
/// sequence back, and how far ahead a sequence lies can be told.
/// </param>
/// <param name="Revision">Distinguishes announcements of one second; not negative, gaps are normal.</param>
[GenerateSerializer, Immutable, Alias("owg.AnnouncementSequence")]
public readonly record struct AnnouncementSequence(
    [property: Id(0)] Epoch Epoch,
    [property: Id(1)] long Revision) : IComparable<AnnouncementSequence>
{
    /// <summary>The highest revision of a second: 2^48. The one that follows belongs to the next second.</summary>
    public const long MaxRevision = 1L << 48;

    /// <summary>
    /// What <see cref="Epoch"/> counts: the shortest rotation period there is, so every sequence that counted periods is below.
    /// </summary>
    public static readonly TimeSpan Unit = TimeSpan.FromSeconds(1);

    /// <summary>The sequence of a moment: its second, and the milliseconds into it.</summary>
    /// <param name="time">Not before 1970.</param>
    public static AnnouncementSequence At(DateTimeOffset time)
    {
        var epoch = Epoch.At(time, Unit);
        return new AnnouncementSequence(epoch, (long)(time - epoch.Start(Unit)).TotalMilliseconds);
    }

    /// <summary>The sequence that follows <paramref name="held"/> when the clock says <paramref name="now"/>.</summary>
    /// <param name="held">
    /// The highest sequence of this node that anybody is known to hold, or <see langword="null"/>. One that a clock can reach.
    /// </param>
    /// <param name="now">The clock.</param>
    /// <remarks>
    /// A restarted silo that remembers nothing continues above its former self, because time has passed. If the clock went back,
    /// <paramref name="held"/> wins and only its revision grows.
    /// </remarks>
    public static AnnouncementSequence Next(AnnouncementSequence? held, DateTimeOffset now)
    {
        var byClock = At(now);
        return held is not { } last || byClock > last ? byClock
            : last.Revision >= MaxRevision ? new AnnouncementSequence(new Epoch(checked(last.Epoch.Value + 1)), 0)
            : last with { Revision = last.Revision + 1 };
    }

    /// <inheritdoc/>
    public int CompareTo(AnnouncementSequence other) => (Epoch, Revision).CompareTo((other.Epoch, other.Revision));

    /// <summary>Second, a dot, revision.</summary>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Epoch.Value}.{Revision}");

    /// <summary>Whether <paramref name="left"/> is older.</summary>
    public static bool operator <(AnnouncementSequence left, AnnouncementSequence right) => left.CompareTo(right) < 0;

    /// <summary>Whether <paramref name="left"/> is newer.</summary>
    public static bool operator >(AnnouncementSequence left, AnnouncementSequence right) => left.CompareTo(right) > 0;

    /// <summary>Whether <paramref name="left"/> is not newer.</summary>
    public static bool operator <=(AnnouncementSequence left, AnnouncementSequence right) => left.CompareTo(right) <= 0;

    /// <summary>Whether <paramref name="left"/> is not older.</summary>
    public static bool operator >=(AnnouncementSequence left, AnnouncementSequence right) => left.CompareTo(right) >= 0;
}
