using CsCheck;
using Microsoft.Extensions.Time.Testing;
using Orleans.WireGuard.LocalMesh.Meter;
using Orleans.WireGuard.LocalMesh.Probes;

namespace Orleans.WireGuard.Tests.Unit.LocalMesh;

/// <summary>The meter without its sockets: pace, books, percentiles, packets.</summary>
public sealed class MeterTests
{
    // Timestamps of this clock are ticks of 100 ns.
    private static readonly FakeTimeProvider Time = new();
    private static readonly NodePair Pair = new("node-1", "node-2");

    [Fact]
    public void MeterPacket_Write_HasTheLiteralBytesAndReadsBack()
    {
        var bytes = new byte[MeterPacket.Size];
        var packet = new MeterPacket(0x01020304, 5, 0x060708, 0x0A0B0C0D0E);

        packet.Write(bytes);

        Assert.Equal("010203040000000500000000000607080000000A0B0C0D0E" + new string('0', 80), Convert.ToHexString(bytes));
        Assert.True(MeterPacket.TryRead(bytes, 0x01020304, out var read));
        Assert.Equal(packet, read);
        Assert.False(MeterPacket.TryRead(bytes, 0x01020305, out _));
        Assert.False(MeterPacket.TryRead(bytes.AsSpan(1), 0x01020304, out _));
        Assert.False(MeterPacket.TryRead([.. bytes, 0], 0x01020304, out _));
        Assert.False(MeterPacket.TryRead([], 0x01020304, out _));
    }

    [Fact]
    public void Pacer_UnevenWakes_KeepTheRate() => Gen.Int[1, 15].Array[1, 500].Sample(waits =>
    {
        var (pacer, elapsed, sent) = (new Pacer(2_000, 32), 0, 0L);
        foreach (var wait in waits)
        {
            elapsed += wait;
            sent += pacer.Due(TimeSpan.FromMilliseconds(elapsed));
        }

        // In whole numbers: 1.023 s by 2,000 is a little less than 2,046 as a double.
        Assert.Equal(elapsed * 2, sent);
        Assert.Equal(0, pacer.Skipped);
    });

    [Fact]
    public void Pacer_HeldUp_LeavesOutAndGoesOnAtItsRate()
    {
        var pacer = new Pacer(2_000, 32);

        Assert.Equal(4, pacer.Due(TimeSpan.FromMilliseconds(2)));
        Assert.Equal(32, pacer.Due(TimeSpan.FromMilliseconds(102)));
        Assert.Equal(168, pacer.Skipped);
        Assert.Equal(4, pacer.Due(TimeSpan.FromMilliseconds(104)));
        Assert.Equal(0, pacer.Due(TimeSpan.FromMilliseconds(104)));
    }

    [Fact]
    public void LatencyHistogram_Quantiles_AreThoseOfTheSortedValuesToOnePercent() =>
        Gen.Long[0, TimeSpan.TicksPerMinute].Array[1, 300].Sample(values =>
    {
        var histogram = new LatencyHistogram();
        foreach (var value in values)
        {
            histogram.Add(TimeSpan.FromTicks(value));
        }

        var sorted = values.Order().ToList();
        foreach (var fraction in (double[])[0.01, 0.5, 0.99, 0.999, 1])
        {
            var exact = sorted[(int)Math.Ceiling(sorted.Count * fraction) - 1];
            Assert.InRange(histogram.Quantile(fraction).Ticks, exact, exact + (exact / 100));
        }

        Assert.Equal(sorted[^1], histogram.Max.Ticks);
        Assert.Equal(histogram.Max, histogram.Quantile(1));
        Assert.Equal(values.Length, histogram.Count);
    });

    [Fact]
    public void LatencyHistogram_Added_IsThatOfAllValues()
    {
        var (left, right, empty) = (new LatencyHistogram(), new LatencyHistogram(), new LatencyHistogram());
        left.Add(TimeSpan.FromTicks(10));
        right.Add(TimeSpan.FromTicks(20));
        right.Add(TimeSpan.FromTicks(30));

        left.Add(right);
        left.Add(empty);

        Assert.Equal((3L, 20L, 30L), (left.Count, left.Quantile(0.5).Ticks, left.Max.Ticks));
        Assert.Equal((0L, 0L), (empty.Quantile(0.5).Ticks, empty.Max.Ticks));
        Assert.Throws<ArgumentOutOfRangeException>(() => left.Add(TimeSpan.FromTicks(-1)));
    }

    [Fact]
    public void FlowLedger_AllArrive_LosesNothing()
    {
        var ledger = new FlowLedger(Pair, Time);
        for (var i = 0; i < 70_000; i++)
        {
            Assert.Equal(i, ledger.Send(Milliseconds(i)));
            Assert.True(ledger.Receive(i, Milliseconds(i), Milliseconds(i + 3)));
        }

        var report = ledger.Report();

        Assert.Equal((Pair, 70_000L, 70_000L, 0L), (report.Pair, report.Sent, report.Received, report.Lost));
        Assert.Equal((0L, 0L, 0L), (report.Refused, report.Duplicated, report.Reordered));
        Assert.Empty(report.Bursts);
        Assert.Equal(TimeSpan.FromMilliseconds(3), report.LongestGap);
        Assert.Equal(TimeSpan.FromMilliseconds(3), report.Latency.Max);
    }

    [Fact]
    public void FlowLedger_LossDuplicateAndReordering_AreEachCounted()
    {
        var ledger = new FlowLedger(Pair, Time);
        for (var i = 0; i < 200; i++)
        {
            ledger.Send(Milliseconds(i));
        }

        ledger.Refuse();
        long[] arrivals = [.. Range(0, 20), 21, 20, 20, .. Range(22, 10), .. Range(100, 99)];
        foreach (var sequence in arrivals)
        {
            ledger.Receive(sequence, Milliseconds(sequence), Milliseconds(sequence));
        }

        var report = ledger.Report();

        Assert.Equal((200L, 131L, 69L), (report.Sent, report.Received, report.Lost));
        Assert.Equal((1L, 1L, 1L), (report.Refused, report.Duplicated, report.Reordered));
        Assert.Equal([(32L, 68L), (199L, 1L)], report.Bursts.Select(burst => (burst.First, burst.Count)));

        // To within the sixteen packets of a mark.
        Assert.Equal([32d, 192d], report.Bursts.Select(burst => burst.At.TotalMilliseconds));
        Assert.Equal(TimeSpan.FromMilliseconds(69), report.LongestGap);
    }

    [Fact]
    public void FlowLedger_AnyArrivals_AddUp() => Gen.Int[0, 99].Array[0, 150].Sample(arrivals =>
    {
        var ledger = new FlowLedger(Pair, Time);
        for (var i = 0; i < 100; i++)
        {
            ledger.Send(Milliseconds(i));
        }

        Array.ForEach(arrivals, sequence => ledger.Receive(sequence, Milliseconds(sequence), Milliseconds(100)));
        var report = ledger.Report();

        Assert.Equal(arrivals.Distinct().Count(), report.Received);
        Assert.Equal(arrivals.Length - report.Received, report.Duplicated);
        Assert.Equal(report.Lost, report.Bursts.Sum(burst => burst.Count));
        Assert.Equal(report.Received, report.Latency.Count);
    });

    [Fact]
    public void FlowLedger_NothingArrives_IsOneGapAndAllLost()
    {
        var ledger = new FlowLedger(Pair, Time);
        ledger.Send(Milliseconds(10));
        ledger.Send(Milliseconds(40));

        var report = ledger.Report();

        Assert.Equal((2L, 2L, TimeSpan.FromMilliseconds(30)), (report.Sent, report.Lost, report.LongestGap));
        Assert.Equal(new FlowReport(Pair, 0, 0).Lost, new FlowLedger(Pair, Time).Report().Lost);
    }

    [Fact]
    public void FlowLedger_SequenceNeverSent_IsNotBooked()
    {
        var ledger = new FlowLedger(Pair, Time);
        ledger.Send(0);

        Assert.False(ledger.Receive(1, 0, 0));
        Assert.False(ledger.Receive(-1, 0, 0));
        Assert.Equal(0, ledger.Report().Received);
    }

    [Fact]
    public void FlowLedger_CountMissing_LeavesOutWhatMayStillBeOnItsWay()
    {
        var ledger = new FlowLedger(Pair, Time);
        for (var i = 0; i < 100; i++)
        {
            ledger.Send(Milliseconds(i));
        }

        ledger.Receive(3, 0, Milliseconds(100));

        Assert.Equal(0, ledger.CountMissing(Milliseconds(-1)));
        Assert.Equal(0, ledger.CountMissing(Milliseconds(0)));
        Assert.Equal(31, ledger.CountMissing(Milliseconds(40)));
        Assert.Equal(79, ledger.CountMissing(Milliseconds(95)));
    }

    [Fact]
    public void MeterReport_LossOfOneNode_IsToldFromThatOfOthers()
    {
        var report = new MeterReport(
            TimeSpan.FromSeconds(1), 0, [new(new("a", "b"), 10, 9), new(new("b", "c"), 10, 7), new(new("c", "a"), 10, 10)]);

        Assert.Equal((30L, 4L), (report.Sent, report.Lost));
        Assert.Equal((1L, 3L), (report.LostWith("a"), report.LostWithout("a")));
        Assert.Equal(3, report.Of("b", "c").Lost);
        Assert.StartsWith("4 lost of 30 sent", report.ToString(), StringComparison.Ordinal);
    }

    private static long Milliseconds(long value) => value * TimeSpan.TicksPerMillisecond;

    private static IEnumerable<long> Range(int start, int count) => Enumerable.Range(start, count).Select(i => (long)i);
}
