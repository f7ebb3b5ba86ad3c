namespace Orleans.WireGuard.LocalMesh.Meter;

/// <summary>Says how many packets are due, so that a sender which wakes at uneven moments keeps its rate. Pure.</summary>
/// <param name="rate">Packets in a second.</param>
/// <param name="maxBurst">
/// Most packets at one moment. A sender that was held up for longer leaves out the rest: sent at once, they would overflow the queues on
/// the way, and the meter would count a loss of its own making.
/// </param>
internal sealed class Pacer(int rate, int maxBurst)
{
    private long _scheduled;

    /// <summary>Packets that were left out.</summary>
    public long Skipped { get; private set; }

    /// <summary>How many packets to send now.</summary>
    /// <param name="elapsed">Since the start; never goes back.</param>
    public int Due(TimeSpan elapsed)
    {
        var due = (elapsed.Ticks * rate / TimeSpan.TicksPerSecond) - _scheduled;
        _scheduled += due;
        var burst = Math.Min(due, maxBurst);
        Skipped += due - burst;
        return (int)burst;
    }
}
