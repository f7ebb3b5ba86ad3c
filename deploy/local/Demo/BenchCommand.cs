using Orleans.WireGuard.LocalMesh.Bench;
using Orleans.WireGuard.LocalMesh.Check;
using Orleans.WireGuard.LocalMesh.Setup;
using Orleans.WireGuard.LocalMesh.Silos;
using Orleans.WireGuard.LocalMesh.Topology;

namespace Orleans.WireGuard.LocalMesh.Demo;

/// <summary><c>make bench-mesh</c>: figures of a mesh on this machine.</summary>
internal sealed class BenchCommand(LocalOptions options, TimeProvider timeProvider, TextWriter output)
{
    /// <summary>Measures, and prints the figures.</summary>
    public async Task<int> RunAsync(CancellationToken cancellationToken)
    {
        var start = timeProvider.GetTimestamp();
        var plan = MeshPlan.Demo(options.NodeCount);
        var state = MeshState.For(plan, options.StateDirectory);
        await Prerequisites.EnsureAsync(output, timeProvider, cancellationToken);
        var binary = options.Binary ?? await SiloBuild.PublishAsync(output, timeProvider, cancellationToken);
        await using var mesh = await MeshHarness.CreateAsync(plan, state, timeProvider, output.WriteLine, cancellationToken);
        await mesh.Redis.StartAsync(cancellationToken);
        var check = new CheckOptions(plan, state, binary, options.Period, options.Duration, null, null);
        await new MeshBench(
            mesh, check, timeProvider, text => output.WriteLine($"[{timeProvider.GetElapsedTime(start).TotalSeconds,5:0.0} s] {text}"))
            .RunAsync(cancellationToken);
        return 0;
    }
}
