using System.Globalization;
using Orleans.WireGuard.LocalMesh.Probes;

namespace Orleans.WireGuard.LocalMesh.Meter;

/// <summary>The result of a run of the meter.</summary>
/// <param name="Duration">From the first packet to the last.</param>
/// <param name="Skipped">
/// Packets of each direction that were left out because the sender was held up; they are neither sent nor lost.
/// </param>
/// <param name="Flows">By direction.</param>
internal sealed record MeterReport(TimeSpan Duration, long Skipped, IReadOnlyList<FlowReport> Flows)
{
    // A direction that fails for good would fill the screen.
    private const int MaxBursts = 8;

    /// <summary>Packets sent in all directions.</summary>
    public long Sent => Flows.Sum(flow => flow.Sent);

    /// <summary>Packets lost in all directions.</summary>
    public long Lost => Flows.Sum(flow => flow.Lost);

    /// <summary>Latencies of all directions together.</summary>
    public LatencyHistogram Latency
    {
        get
        {
            var all = new LatencyHistogram();
            foreach (var flow in Flows)
            {
                all.Add(flow.Latency);
            }

            return all;
        }
    }

    /// <summary>One direction.</summary>
    public FlowReport Of(string from, string to) => Flows.Single(flow => flow.Pair == new NodePair(from, to));

    /// <summary>Packets lost in the directions that have nothing to do with a node.</summary>
    public long LostWithout(string node) => Flows.Where(flow => !flow.Pair.Involves(node)).Sum(flow => flow.Lost);

    /// <summary>Packets lost in the directions from and to a node.</summary>
    public long LostWith(string node) => Flows.Where(flow => flow.Pair.Involves(node)).Sum(flow => flow.Lost);

    /// <summary>A table for people: a line for each direction, and below it when it lost what.</summary>
    public override string ToString()
    {
        var lines = new List<string>
        {
            string.Create(CultureInfo.InvariantCulture, $"{Lost} lost of {Sent} sent in {Duration.TotalSeconds:0.0} s; {Skipped} of each direction left out by a late sender"),
            $"{"direction",-16}{"sent",9}{"lost",8}{"refused",9}{"twice",7}{"order",7}{"gap ms",9}{"p50 ms",9}{"p99 ms",9}{"p99.9",9}{"max ms",9}",
        };
        foreach (var flow in Flows)
        {
            lines.Add(string.Create(
                CultureInfo.InvariantCulture,
                $"{flow.Pair,-16}{flow.Sent,9}{flow.Lost,8}{flow.Refused,9}{flow.Duplicated,7}{flow.Reordered,7}{flow.LongestGap.TotalMilliseconds,9:0.0}")
                + Milliseconds(flow.Latency));
            if (flow.Bursts.Count > 0)
            {
                var more = flow.Bursts.Count > MaxBursts ? $" and {flow.Bursts.Count - MaxBursts} times more" : "";
                lines.Add("  lost " + string.Join(", ", flow.Bursts.Take(MaxBursts).Select(burst =>
                    string.Create(CultureInfo.InvariantCulture, $"{burst.Count} at {burst.At.TotalSeconds:0.00} s"))) + more);
            }
        }

        return string.Join('\n', lines);
    }

    private static string Milliseconds(LatencyHistogram latency) => string.Concat(
        new[] { latency.Quantile(0.5), latency.Quantile(0.99), latency.Quantile(0.999), latency.Max }
            .Select(value => string.Create(CultureInfo.InvariantCulture, $"{value.TotalMilliseconds,9:0.00}")));
}
