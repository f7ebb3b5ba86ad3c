using Orleans.WireGuard.Linux.Routing;

namespace Orleans.WireGuard.Silo.Nodes.Prefixes;

/// <summary>When the kernel is read again: at once for the first pod after a silence, seldom enough for the thousandth. Pure.</summary>
/// <remarks>
/// A pod that starts makes a dozen news within some milliseconds, of which the route is the last one that matters. So a read waits for more
/// of them to come, briefly, and then for what the one before it has cost.
/// </remarks>
internal static class KernelPace
{
    /// <summary>How long news of a route are collected before the kernel is read.</summary>
    public static readonly TimeSpan Debounce = TimeSpan.FromMilliseconds(10);

    /// <summary>The same of all other news, and of all where nobody is told what the kernel shows.</summary>
    public static readonly TimeSpan SlowDebounce = TimeSpan.FromMilliseconds(100);

    /// <summary>The longest pause while pods start, whatever a read costs.</summary>
    public static readonly TimeSpan Longest = TimeSpan.FromMilliseconds(500);

    /// <summary>The shortest pause where what the kernel shows only confirms what others say.</summary>
    public static readonly TimeSpan Check = TimeSpan.FromSeconds(2);

    /// <summary>How often is read without any news: they can be lost.</summary>
    public static readonly TimeSpan Rest = TimeSpan.FromSeconds(30);

    private static readonly TimeSpan Shortest = TimeSpan.FromMilliseconds(20);

    // A tenth of a core while pods start, half a percent at any other time.
    private const int BusyFactor = 10;
    private const int RestFactor = 200;

    /// <summary>How long to wait.</summary>
    /// <param name="news">What the kernel told since it was read.</param>
    /// <param name="sinceNews">The time since the first of them.</param>
    /// <param name="sinceRead">The time since the end of that read.</param>
    /// <param name="cost">How long it took.</param>
    /// <param name="isSource">Whether others are told what the kernel shows.</param>
    /// <returns>Nothing or less if it is time.</returns>
    public static TimeSpan DueIn(PodNews news, TimeSpan sinceNews, TimeSpan sinceRead, TimeSpan cost, bool isSource)
    {
        if (news == PodNews.None)
        {
            return Max(Rest, cost * RestFactor) - sinceRead;
        }

        if (!isSource)
        {
            return Max(SlowDebounce - sinceNews, Max(Check, cost * RestFactor) - sinceRead);
        }

        var isUrgent = (news & (PodNews.RouteCame | PodNews.Lost)) != PodNews.None;
        var pause = Clamp(cost * BusyFactor, isUrgent ? Shortest : SlowDebounce, Longest);
        return Max((isUrgent ? Debounce : SlowDebounce) - sinceNews, pause - sinceRead);
    }

    private static TimeSpan Max(TimeSpan left, TimeSpan right) => left > right ? left : right;

    private static TimeSpan Clamp(TimeSpan value, TimeSpan least, TimeSpan most) => value < least ? least : value > most ? most : value;
}
