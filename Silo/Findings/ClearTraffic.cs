using Orleans.WireGuard.Grains.Clocks;
using Orleans.WireGuard.Linux.Routing.Witness;

namespace Orleans.WireGuard.Silo.Findings;

/// <summary>Tells from the witness's counters whether pod packets crossed the wire in clear a short while ago.</summary>
/// <remarks>Counters only grow, and start again when somebody removes the table; a count that fell is taken as new.</remarks>
internal sealed class ClearTraffic
{
    /// <summary>How long packets in clear count.</summary>
    public static readonly TimeSpan Window = TimeSpan.FromMinutes(1);

    private readonly Queue<(SteadyTime At, ulong Left, ulong Arrived)> _increases = [];
    private WitnessCounts _last = new();

    /// <summary>Notes what was read.</summary>
    /// <param name="counts">As they stand since the table was made.</param>
    /// <param name="isFirst">Whether they are what a former process left: that was then.</param>
    /// <param name="now">When they were read.</param>
    public void Note(WitnessCounts counts, bool isFirst, SteadyTime now)
    {
        var (left, arrived) = (Grown(counts, counts => counts.Clear + counts.ClearEncapsulated), Grown(
            counts, counts => counts.ArrivedClear + counts.ArrivedClearEncapsulated));
        _last = counts;
        if (!isFirst && left + arrived > 0)
        {
            _increases.Enqueue((now, left, arrived));
        }

        while (_increases.TryPeek(out var oldest) && now - oldest.At > Window)
        {
            _increases.Dequeue();
        }
    }

    /// <summary>Packets that crossed in clear within <see cref="Window"/> of the latest note.</summary>
    public (ulong Left, ulong Arrived) Recent =>
        _increases.Aggregate((Left: 0ul, Arrived: 0ul), (sum, increase) => (sum.Left + increase.Left, sum.Arrived + increase.Arrived));

    private ulong Grown(WitnessCounts counts, Func<WitnessCounts, ulong> select) =>
        select(counts) >= select(_last) ? select(counts) - select(_last) : select(counts);
}
