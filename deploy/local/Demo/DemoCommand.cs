using Orleans.WireGuard.LocalMesh.Check;
using Orleans.WireGuard.LocalMesh.Setup;
using Orleans.WireGuard.LocalMesh.Silos;
using Orleans.WireGuard.LocalMesh.Topology;

namespace Orleans.WireGuard.LocalMesh.Demo;

/// <summary><c>make demo</c>: a mesh to look at and to play with, until Ctrl-C.</summary>
internal sealed class DemoCommand(LocalOptions options, TimeProvider time, TextWriter output)
{
    /// <summary>Runs it.</summary>
    public async Task<int> RunAsync(CancellationToken cancellationToken)
    {
        var start = time.GetTimestamp();
        var plan = MeshPlan.Demo(options.NodeCount);
        await Prerequisites.EnsureAsync(output, time, cancellationToken);
        var binary = options.Binary ?? await SiloBuild.PublishAsync(output, time, cancellationToken);
        Report($"Making {plan.Nodes.Count} nodes, each with a pod");
        await using var mesh = await MeshHarness.CreateAsync(
            plan, MeshState.For(plan, options.StateDirectory), time, Report, cancellationToken);
        try
        {
            Report("Starting a silo on each of them");
            await new MeshStarter(mesh, time, Report).StartAsync(binary, options.Period, cancellationToken);
            await using var probes = new MeshProbes(mesh, time);
            probes.Observer.Start();
            await using var status = new StatusPoller(mesh, time);
            var view = new DemoView(plan, options.Period, probes, status, time, isNode: _ => true, hints: []);
            await new DemoScreen(time, output).ShowAsync(view, cancellationToken);
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            // Ctrl-C is how a demo ends.
        }

        Report("Removing the mesh");
        return 0;

        void Report(string text) => output.WriteLine($"[{time.GetElapsedTime(start).TotalSeconds,5:0.0} s] {text}");
    }
}
