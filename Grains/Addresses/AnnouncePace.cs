using Orleans.WireGuard.Grains.Clocks;

namespace Orleans.WireGuard.Grains.Addresses;

/// <summary>When a node may announce what has changed of its addresses. Pure.</summary>
internal static class AnnouncePace
{
    /// <summary>The shortest time between two announcements of a node.</summary>
    public static readonly TimeSpan Interval = TimeSpan.FromSeconds(1);

    /// <summary>
    /// How long the first announcement waits for the agent's first look: what a former silo led is not to be taken back for a moment.
    /// </summary>
    public static readonly TimeSpan LookLimit = TimeSpan.FromSeconds(5);

    // Nobody tells when the agent has looked.
    private static readonly TimeSpan LookPoll = TimeSpan.FromMilliseconds(50);

    /// <summary>How long to wait; zero or less for not at all.</summary>
    /// <param name="announcedAt">When this silo announced last; <see langword="null"/> if it has not yet.</param>
    /// <param name="dueAt">Since when there is something to announce.</param>
    /// <param name="hasLooked">Whether the agent has looked at the node.</param>
    /// <param name="now">The moment.</param>
    public static TimeSpan FindPause(SteadyTime? announcedAt, SteadyTime dueAt, bool hasLooked, SteadyTime now)
    {
        if (announcedAt is { } last)
        {
            return Interval - (now - last);
        }

        var rest = hasLooked ? TimeSpan.Zero : LookLimit - (now - dueAt);
        return rest < LookPoll ? rest : LookPoll;
    }
}
