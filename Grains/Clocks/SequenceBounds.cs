namespace Orleans.WireGuard.Grains.Clocks;

/// <summary>Which sequences an announcement can have, by the mesh's time. Pure.</summary>
internal static class SequenceBounds
{
    // Clocks of machines that nobody keeps in step differ by minutes.
    private static readonly TimeSpan MaxClockDifference = TimeSpan.FromMinutes(5);

    private static readonly Epoch LastSecond = Epoch.At(DateTimeOffset.MaxValue, AnnouncementSequence.Unit);

    /// <summary>How far ahead of the mesh's time an announcement may be and still be taken.</summary>
    /// <param name="period">
    /// Length of an epoch. A clock that is a period off is not corrected yet when two nodes start at once, so it is two of them.
    /// </param>
    public static TimeSpan MaxLead(TimeSpan period) => (2 * period) + MaxClockDifference;

    /// <summary>Whether a sequence is one that an honest node can have reached and can still get above.</summary>
    /// <param name="sequence">The sequence.</param>
    /// <param name="horizon">The latest moment that it may stand for.</param>
    /// <remarks>
    /// The bound moves on with every millisecond, so whatever is taken now, its node can announce above it a moment later: a forged
    /// sequence must neither drive a node to the end of the numbers, nor lock it out until the bound has moved.
    /// </remarks>
    public static bool IsPossible(AnnouncementSequence sequence, DateTimeOffset horizon) =>
        sequence.Epoch.Value >= 0 && sequence.Revision is >= 0 and <= AnnouncementSequence.MaxRevision
            && sequence <= AnnouncementSequence.At(horizon);

    /// <summary>
    /// Whether a sequence is a time, and one that lies too far ahead to be taken. What is out of range says nothing of any clock.
    /// </summary>
    public static bool IsAhead(AnnouncementSequence sequence, DateTimeOffset horizon) =>
        sequence.Epoch.Value >= 0 && sequence.Epoch <= LastSecond && sequence.Revision is >= 0 and <= AnnouncementSequence.MaxRevision
        && !IsPossible(sequence, horizon);

    /// <summary>Of when a sequence is that <see cref="IsAhead"/>, for people.</summary>
    public static string DescribeTime(AnnouncementSequence sequence) => $"is of {sequence.Epoch.Start(AnnouncementSequence.Unit):u}";
}
