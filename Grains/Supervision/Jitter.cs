namespace Orleans.WireGuard.Supervision;

/// <summary>Chance for pauses and orders, so that what began together does not come back together. For every thread.</summary>
/// <param name="random">Where it comes from; whoever gives a seed can repeat a run. Used by nobody else.</param>
internal sealed class Jitter(Random random)
{
    // A Random that can be repeated is not thread-safe.
    private readonly Lock _lock = new();

    /// <summary>A number from 0 up to but not including 1.</summary>
    public double NextDouble()
    {
        lock (_lock)
        {
            return random.NextDouble();
        }
    }

    /// <summary>Puts them into any order, each as likely as the others.</summary>
    public void Shuffle<T>(T[] items)
    {
        lock (_lock)
        {
            random.Shuffle(items);
        }
    }
}
