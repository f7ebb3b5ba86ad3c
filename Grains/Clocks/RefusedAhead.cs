namespace Orleans.WireGuard.Grains.Clocks;

/// <summary>An announcement that was refused because it lies too far ahead.</summary>
/// <param name="NodeName">Whose it is said to be.</param>
/// <param name="Sequence">Whose epoch lies too far ahead.</param>
/// <param name="RefusedAt">When it came.</param>
internal sealed record RefusedAhead(string NodeName, AnnouncementSequence Sequence, SteadyTime RefusedAt)
{
    /// <summary>For how long it is told: whoever is refused tries again every second.</summary>
    public static readonly TimeSpan MaxAge = TimeSpan.FromMinutes(1);
}
