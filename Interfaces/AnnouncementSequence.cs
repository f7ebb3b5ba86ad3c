using System.Globalization;

namespace Orleans.WireGuard;

/// <summary>
/// Orders the announcements of one node: first by epoch, then by revision. Strictly increasing, also across a restart of the silo
/// (ARCHITECTURE.md, invariant I6).
/// </summary>
/// <param name="Epoch">The epoch in which the announcement was made.</param>
/// <param name="Revision">Distinguishes announcements of one epoch; not negative, gaps are normal.</param>
[GenerateSerializer, Immutable, Alias("owg.AnnouncementSequence")]
public readonly record struct AnnouncementSequence(
    [property: Id(0)] Epoch Epoch,
    [property: Id(1)] long Revision) : IComparable<AnnouncementSequence>
{
    /// <summary>The highest revision of an epoch: 2^48. The one that follows belongs to the next epoch.</summary>
    public const long MaxRevision = 1L << 48;

    /// <summary>The sequence that follows <paramref name="held"/> when the clock says <paramref name="now"/>.</summary>
    /// <param name="held">The highest sequence of this node that anybody is known to hold, or <see langword="null"/>.</param>
    /// <param name="now">The clock.</param>
    /// <param name="period">Length of an epoch; positive.</param>
    /// <remarks>
    /// The revision is the number of milliseconds into the epoch, so a restarted silo that remembers nothing continues above its former
    /// self. If the clock went back, or the period was made longer, <paramref name="held"/> wins and only its revision grows.
    /// </remarks>
    public static AnnouncementSequence Next(AnnouncementSequence? held, DateTimeOffset now, TimeSpan period)
    {
        var epoch = Epoch.At(now, period);
        var byClock = new AnnouncementSequence(epoch, (long)(now - epoch.Start(period)).TotalMilliseconds);
        return held is not { } last || byClock > last ? byClock
            : last.Revision >= MaxRevision ? new AnnouncementSequence(new Epoch(checked(last.Epoch.Value + 1)), 0)
            : last with { Revision = last.Revision + 1 };
    }

    /// <inheritdoc/>
    public int CompareTo(AnnouncementSequence other) => (Epoch, Revision).CompareTo((other.Epoch, other.Revision));

    /// <summary>Epoch, a dot, revision.</summary>
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
