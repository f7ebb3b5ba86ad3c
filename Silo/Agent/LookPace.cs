namespace Orleans.WireGuard.Silo.Agent;

/// <summary>
/// How long news of the kernel wait after the agent has looked at what the ones before were about: whoever flaps a link makes thousands.
/// Pure.
/// </summary>
internal static class LookPace
{
    /// <summary>The part of a core that may go into it while somebody does that.</summary>
    public const double MaxShare = 0.1;

    /// <summary>The shortest time; the first news after a silence do not wait.</summary>
    public static readonly TimeSpan Min = TimeSpan.FromMilliseconds(100);

    /// <summary>The longest time, whatever a look costs: what others change is repaired within a second.</summary>
    public static readonly TimeSpan Max = TimeSpan.FromMilliseconds(500);

    /// <summary>The time from the end of a look to the beginning of the next.</summary>
    /// <param name="cost">How long the look, and all that followed from it, took.</param>
    public static TimeSpan After(TimeSpan cost)
    {
        var affordable = cost / MaxShare;
        return affordable < Min ? Min : affordable > Max ? Max : affordable;
    }
}
