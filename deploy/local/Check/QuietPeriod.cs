namespace Orleans.WireGuard.LocalMesh.Check;

/// <summary>Finds a rotation period in which nothing rotates for a while.</summary>
/// <remarks>
/// Epochs are counted from 1970, and a node rotates in the first quarter of one. To show that the death of a silo touches
/// nobody else, no rotation of anybody may fall into the observation.
/// </remarks>
internal static class QuietPeriod
{
    private static readonly TimeSpan Shortest = TimeSpan.FromHours(1);

    // Not a divisor of an hour: at the turn of a day every whole number of hours starts an epoch at once.
    private static readonly TimeSpan Step = TimeSpan.FromSeconds(613);

    /// <summary>A period of which now is past the first third and which ends after <paramref name="needed"/>.</summary>
    public static TimeSpan Choose(DateTimeOffset now, TimeSpan needed)
    {
        var sinceEpoch = now - DateTimeOffset.UnixEpoch;
        for (var period = Shortest; ; period += Step)
        {
            var elapsed = TimeSpan.FromTicks(sinceEpoch.Ticks % period.Ticks);
            if (elapsed > period / 3 && period - elapsed > needed)
            {
                return period;
            }
        }
    }
}
