using System.Globalization;
using Orleans.WireGuard.LocalMesh.Meter;
using Orleans.WireGuard.LocalMesh.Probes;

namespace Orleans.WireGuard.LocalMesh.Bench;

/// <summary>The runs of <see cref="RotationBench"/> side by side. Pure.</summary>
internal static class RotationTable
{
    private const int LabelWidth = 24;
    private const int ColumnWidth = 28;
    private const char Baseline = 'A';

    private static readonly (string Label, Func<LatencyHistogram, TimeSpan> Read)[] Latencies =
    [
        ("p50", latency => latency.Quantile(0.5)),
        ("p99", latency => latency.Quantile(0.99)),
        ("p99.9", latency => latency.Quantile(0.999)),
        ("max", latency => latency.Max),
    ];

    /// <summary>The lines.</summary>
    public static IEnumerable<string> Render(IReadOnlyList<RotationRunResult> runs)
    {
        var baseline = runs.FirstOrDefault(run => run.Letter == Baseline);
        yield return Line("", runs.Select(run => $"{run.Letter}: {run.Title}"));
        yield return Line("rotations of each node", runs.Select(run => string.Join(' ', run.Rotations.Values)));
        yield return Line("lost of sent", runs.Select(run => Loss(run.Packets.SelectMany(report => report.Flows))));
        var pairs = runs.SelectMany(run => run.Packets).SelectMany(report => report.Flows).Select(flow => flow.Pair).Distinct().ToList();
        foreach (var pair in pairs)
        {
            yield return Line($"  {pair}", runs.Select(run => Loss(Flows(run, pair))));
        }

        yield return Line("longest gap ms", runs.Select(run => Number(
            run.Packets.SelectMany(report => report.Flows).Select(flow => flow.LongestGap.TotalMilliseconds).DefaultIfEmpty().Max())));
        foreach (var (label, read) in Latencies)
        {
            yield return Line(
                $"latency {label} ms", runs.Select(run => Ratio(Latency(run, _ => true, read), Latency(baseline, _ => true, read))));
        }

        foreach (var pair in pairs)
        {
            yield return Line($"  {pair} p99.9", runs.Select(run =>
                Ratio(Latency(run, flow => flow.Pair == pair, Latencies[2].Read), Latency(
                    baseline, flow => flow.Pair == pair, Latencies[2].Read))));
        }

        yield return Line("TCP Mbit/s, median", runs.Select(run => Ratio(Median(run), Median(baseline))));
        yield return Line("  median of the rounds", runs.Select(run => Rounds(run, baseline)));
        yield return Line(
            "  silos, % of a core", runs.Select(run => run.SiloPercents.Count == 0 ? "-" : Number(run.SiloPercents.Average())));
    }

    /// <summary>The median throughput; <see langword="null"/> if none was measured.</summary>
    public static double? Median(RotationRunResult? run) =>
        run is { Throughputs.Count: > 0 } ? Percentiles.Median([.. run.Throughputs.Order()]) : null;

    // What a machine does in one minute and not in the next shows in both halves of a round, and not in their ratio.
    private static string Rounds(RotationRunResult run, RotationRunResult? baseline)
    {
        var ratios = run.Throughputs.Zip(baseline?.Throughputs ?? [], (value, other) => value / other).Order().ToList();
        return ratios.Count == 0 || run == baseline
            ? "-"
            : string.Create(CultureInfo.InvariantCulture, $"{Percentiles.Median(ratios):0.000} x A, {ratios[0]:0.00} to {ratios[^1]:0.00}");
    }

    private static IEnumerable<FlowReport> Flows(RotationRunResult run, NodePair pair) =>
        run.Packets.SelectMany(report => report.Flows).Where(flow => flow.Pair == pair);

    private static string Loss(IEnumerable<FlowReport> flows)
    {
        var list = flows.ToList();
        return string.Create(CultureInfo.InvariantCulture, $"{list.Sum(flow => flow.Lost)} of {list.Sum(flow => flow.Sent)}");
    }

    private static double? Latency(RotationRunResult? run, Func<FlowReport, bool> filter, Func<LatencyHistogram, TimeSpan> read)
    {
        var all = new LatencyHistogram();
        foreach (var flow in (run?.Packets ?? []).SelectMany(report => report.Flows).Where(filter))
        {
            all.Add(flow.Latency);
        }

        return all.Count == 0 ? null : read(all).TotalMilliseconds;
    }

    private static string Ratio(double? value, double? baseline) => (value, baseline) switch
    {
        (null, _) => "-",
        ({ } known, > 0) => string.Create(CultureInfo.InvariantCulture, $"{Number(known)} ({known / baseline:0.00} x A)"),
        ({ } known, _) => Number(known),
    };

    private static string Number(double value) => value.ToString(value < 100 ? "0.00" : "0", CultureInfo.InvariantCulture);

    private static string Line(string label, IEnumerable<string> columns) =>
        (label.PadRight(LabelWidth) + string.Concat(columns.Select(column => column.PadRight(ColumnWidth)))).TrimEnd();
}
