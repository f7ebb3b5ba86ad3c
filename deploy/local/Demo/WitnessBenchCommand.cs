using System.Globalization;
using Orleans.WireGuard.LocalMesh.Bench;
using Orleans.WireGuard.LocalMesh.Setup;
using Orleans.WireGuard.LocalMesh.Topology;

namespace Orleans.WireGuard.LocalMesh.Demo;

/// <summary>
/// <c>make bench-witness</c>: that the witness stays at zero on a million packets in the tunnel, what it costs, and an exit code.
/// </summary>
internal sealed class WitnessBenchCommand(LocalOptions options, TimeProvider timeProvider, TextWriter output)
{
    private const int Packets = 1_000_000;
    private const double LeastAnswered = 0.99;
    private static readonly TimeSpan Slice = TimeSpan.FromSeconds(5);

    /// <summary>Measures, prints the figures, and fails if the witness counted something in clear.</summary>
    public async Task<int> RunAsync(CancellationToken cancellationToken)
    {
        var start = timeProvider.GetTimestamp();
        await Prerequisites.EnsureAsync(output, timeProvider, cancellationToken, Prerequisites.ForThroughput);
        var binary = options.Binary ?? await SiloBuild.PublishAsync(output, timeProvider, cancellationToken);
        var plan = MeshPlan.Bench(2);
        var bench = new WitnessBench(
            plan, MeshState.For(plan), binary, Packets, options.Rounds, Slice, timeProvider, text => output.WriteLine(
                $"[{timeProvider.GetElapsedTime(start).TotalSeconds,6:0.0} s] {text}"));
        var result = await bench.RunAsync(cancellationToken);
        var inClear = result.Counters.Where(counter => counter.Key.Contains("clear", StringComparison.Ordinal))
            .Sum(counter => counter.Value);
        output.WriteLine();
        output.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"through the tunnel   {2 * result.Answered:N0} packets of pods; the witness counted {result.Counters["tunnel"]:N0} leaving, {result.Counters["arrived_tunnel"]:N0} arriving, {inClear} in clear"));
        output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"TCP through tunnel   {result.ThroughputRatio:0.000} of that without the witness, median of {result.Throughput.Count} pairs"));
        output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"a packet             {result.CostOfAPacket?.TotalNanoseconds:0} ns more with the witness, median of {result.Rate.Count} pairs"));
        return inClear == 0 && 2 * result.Answered >= Packets * LeastAnswered && result.Counters["tunnel"] >= result.Answered ? 0 : 1;
    }
}
