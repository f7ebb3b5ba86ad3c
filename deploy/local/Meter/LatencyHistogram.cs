using System.Numerics;

namespace Orleans.WireGuard.LocalMesh.Meter;

/// <summary>
/// Counts latencies in buckets that are a hundredth of their value wide, so a run of any length takes the same memory. Pure.
/// </summary>
internal sealed class LatencyHistogram
{
    // 128 buckets for each power of two; below 256 ticks of 100 ns each value has its own.
    private const int BucketBits = 7;
    private const int BucketsPerPower = 1 << BucketBits;

    private readonly long[] _counts = new long[BucketsPerPower * (sizeof(long) * 8 - BucketBits + 1)];

    /// <summary>How many latencies were added.</summary>
    public long Count { get; private set; }

    /// <summary>The longest one, exactly; zero if there is none.</summary>
    public TimeSpan Max { get; private set; }

    /// <summary>Adds a latency. A negative one, which no clock of one machine can give, is a fault of the caller.</summary>
    public void Add(TimeSpan latency)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(latency, TimeSpan.Zero);
        _counts[BucketOf(latency.Ticks)]++;
        Count++;
        Max = latency > Max ? latency : Max;
    }

    /// <summary>Adds all latencies of another one.</summary>
    public void Add(LatencyHistogram other)
    {
        for (var i = 0; i < _counts.Length; i++)
        {
            _counts[i] += other._counts[i];
        }

        Count += other.Count;
        Max = other.Max > Max ? other.Max : Max;
    }

    /// <summary>
    /// A latency that <paramref name="fraction"/> of all do not exceed, by nearest rank, at most a hundredth too long; zero if there is
    /// none.
    /// </summary>
    /// <param name="fraction">Above 0, at most 1.</param>
    public TimeSpan Quantile(double fraction)
    {
        var rank = (long)Math.Ceiling(Count * fraction);
        var seen = 0L;
        for (var bucket = 0; bucket < _counts.Length && Count > 0; bucket++)
        {
            seen += _counts[bucket];
            if (seen >= rank)
            {
                return TimeSpan.FromTicks(Math.Min(LastOf(bucket), Max.Ticks));
            }
        }

        return Max;
    }

    private static int BucketOf(long ticks)
    {
        var shift = Math.Max(0, BitOperations.Log2((ulong)ticks) - BucketBits);
        return (shift << BucketBits) + (int)(ticks >> shift);
    }

    // The longest latency that falls into a bucket.
    private static long LastOf(int bucket)
    {
        var shift = Math.Max(0, (bucket >> BucketBits) - 1);
        return ((bucket - ((long)shift << BucketBits) + 1) << shift) - 1;
    }
}
