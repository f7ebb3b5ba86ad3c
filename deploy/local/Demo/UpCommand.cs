using Orleans.WireGuard.LocalMesh.Silos;
using Orleans.WireGuard.LocalMesh.Topology;

namespace Orleans.WireGuard.LocalMesh.Demo;

/// <summary>Makes the topology and the membership store without silos, and holds them until it is cancelled: for experiments.</summary>
internal sealed class UpCommand(LocalOptions options, TimeProvider timeProvider, TextWriter output)
{
    /// <summary>Makes the topology, waits until it is cancelled, and removes it.</summary>
    public async Task<int> RunAsync(CancellationToken cancellationToken)
    {
        var plan = MeshPlan.Demo(options.NodeCount);
        await using var mesh = await MeshHarness.CreateAsync(
            plan, MeshState.For(plan, options.StateDirectory), timeProvider, output.WriteLine, cancellationToken);
        await mesh.Redis.StartAsync(cancellationToken);
        mesh.Configure(options.Period);
        if (options.Binary is not null)
        {
            mesh.InstallBinary(options.Binary);
        }

        output.WriteLine($"{plan.Nodes.Count} nodes without silos; configurations are in {mesh.State.Directory}. Ctrl-C removes them.");
        try
        {
            await Task.Delay(Timeout.InfiniteTimeSpan, timeProvider, cancellationToken);
        }
        catch (OperationCanceledException)
        {
            // The way this command ends.
        }

        return 0;
    }
}
