using Orleans.WireGuard.LocalMesh.Check;
using Orleans.WireGuard.LocalMesh.Setup;
using Orleans.WireGuard.LocalMesh.Silos;
using Orleans.WireGuard.LocalMesh.Topology;

namespace Orleans.WireGuard.LocalMesh.Demo;

/// <summary><c>make demo</c>: a mesh to look at and to play with, until Ctrl-C.</summary>
internal sealed class DemoCommand(LocalOptions options, TimeProvider timeProvider, TextWriter output)
{
    /// <summary>Makes the mesh, shows it until it is cancelled, and removes it.</summary>
    public async Task<int> RunAsync(CancellationToken cancellationToken)
    {
        var start = timeProvider.GetTimestamp();
        var plan = MeshPlan.Demo(options.NodeCount);
        await Prerequisites.EnsureAsync(output, timeProvider, cancellationToken);
        var binary = options.Binary ?? await SiloBuild.PublishAsync(output, timeProvider, cancellationToken);
        Report($"Making {plan.Nodes.Count} nodes, each with a pod");
        await using var mesh = await MeshHarness.CreateAsync(
            plan, MeshState.For(plan, options.StateDirectory), timeProvider, Report, cancellationToken);
        try
        {
            Report("Starting a silo on each of them");
            await new MeshStarter(mesh, timeProvider, Report).StartAsync(binary, options.Period, cancellationToken);
            await using var probes = new MeshProbes(mesh, timeProvider);
            probes.Observer.Start();
            await using var status = new StatusPoller(mesh, timeProvider);
            var view = new DemoView(plan, options.Period, probes, status, timeProvider, isNode: _ => true, hints: []);
            await new DemoScreen(timeProvider, output).ShowAsync(view, cancellationToken);
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            // Ctrl-C is how a demo ends.
        }

        Report("Removing the mesh");
        return 0;

        void Report(string text) => output.WriteLine($"[{timeProvider.GetElapsedTime(start).TotalSeconds,5:0.0} s] {text}");
    }
}
