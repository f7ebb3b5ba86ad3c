using Orleans.WireGuard.LocalMesh.Topology;

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
    /// <param name="now">The time.</param>
    /// <param name="needed">For how long nothing may rotate.</param>
    /// <param name="index">
    /// The slot that has its turn meanwhile. Not left to the time of day, or what comes of it would depend on that.
    /// </param>
    public static TimeSpan Choose(DateTimeOffset now, TimeSpan needed, int index = 1)
    {
        var sinceEpoch = now - DateTimeOffset.UnixEpoch;
        for (var period = Shortest; ; period += Step)
        {
            var elapsed = TimeSpan.FromTicks(sinceEpoch.Ticks % period.Ticks);
            if (elapsed > period / 3 && period - elapsed > needed && sinceEpoch.Ticks / period.Ticks % MeshPlan.DeviceNames.Count == index)
            {
                return period;
            }
        }
    }
}
