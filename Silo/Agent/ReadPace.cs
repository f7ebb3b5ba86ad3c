namespace Orleans.WireGuard.Silo.Agent;

/// <summary>
/// How often something is read to notice what others did: WireGuard, for one, tells nobody. As often as wanted, as long as reading costs
/// less than <see cref="MaxShare"/> of a core.
/// </summary>
/// <param name="interval">The shortest time from one read to the next.</param>
internal sealed class ReadPace(TimeSpan interval)
{
    /// <summary>
    /// The part of a core that may go into it: half a percent. Reading 3 peers takes a millisecond, 5,000 of them some 20.
    /// </summary>
    public const double MaxShare = 0.005;

    // The time that passed is more than the time that was computed when the machine is busy or the code runs for the first time, so the
    // shortest of the latest few tells the cost best.
    private const int Window = 4;

    private readonly Queue<TimeSpan> _costs = new(Window);

    /// <summary>How long to wait until the next read.</summary>
    public TimeSpan Next
    {
        get
        {
            var cost = _costs.Count < Window ? TimeSpan.Zero : _costs.Min();
            var affordable = cost / MaxShare;
            return affordable > interval ? affordable : interval;
        }
    }

    /// <summary>Notes how long a read, and all that follows from it, took.</summary>
    public void Note(TimeSpan cost)
    {
        if (_costs.Count == Window)
        {
            _ = _costs.Dequeue();
        }

        _costs.Enqueue(cost);
    }
}
