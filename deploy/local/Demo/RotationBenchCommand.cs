using Orleans.WireGuard.LocalMesh.Bench;
using Orleans.WireGuard.LocalMesh.Setup;
using Orleans.WireGuard.LocalMesh.Topology;

namespace Orleans.WireGuard.LocalMesh.Demo;

/// <summary><c>make bench-rotation</c>: packets lost, latency and throughput with and without rotations, and an exit code.</summary>
internal sealed class RotationBenchCommand(LocalOptions options, TimeProvider timeProvider, TextWriter output)
{
    /// <summary>Measures all runs, and fails if a packet was lost by a rotation.</summary>
    public async Task<int> RunAsync(CancellationToken cancellationToken)
    {
        var start = timeProvider.GetTimestamp();
        await Prerequisites.EnsureAsync(output, timeProvider, cancellationToken, Prerequisites.ForThroughput);
        var binary = options.Binary ?? await SiloBuild.PublishAsync(output, timeProvider, cancellationToken);
        var plan = MeshPlan.Bench(options.NodeCount);
        var bench = new RotationBench(
            new RotationBenchOptions(
                plan, MeshState.For(plan), binary, options.Period, options.Rotations, options.Duration, options.Rounds, options.Runs),
            timeProvider,
            text => output.WriteLine($"[{timeProvider.GetElapsedTime(start).TotalSeconds,6:0.0} s] {text}"));
        var runs = await bench.RunAsync(cancellationToken);
        output.WriteLine();
        foreach (var line in RotationTable.Render(runs))
        {
            output.WriteLine(line);
        }

        return runs.Any(run => run.Letter == 'B' && run.Lost > 0) ? 1 : 0;
    }
}
