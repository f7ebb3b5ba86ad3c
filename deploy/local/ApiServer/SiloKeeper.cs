using k8s.Autorest;
using Orleans.WireGuard.LocalMesh.Processes;
using Orleans.WireGuard.LocalMesh.Silos;
using Orleans.WireGuard.LocalMesh.Topology;

namespace Orleans.WireGuard.LocalMesh.ApiServer;

/// <summary>What DaemonSet and kubelet are to a cluster: a silo on every machine that has a node object, and on no other.</summary>
/// <remarks>A silo that is ended because its object is gone leaves its device as it is, as a pod does.</remarks>
internal sealed class SiloKeeper(
    MeshHarness mesh, NodeObjects nodes, Action<NodePlan> configure, TimeProvider timeProvider, Action<string> report)
{
    private static readonly TimeSpan Poll = TimeSpan.FromSeconds(1);

    /// <summary>Looks again and again until cancelled.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        try
        {
            while (true)
            {
                try
                {
                    await KeepAsync(cancellationToken);
                }
                catch (Exception e) when (e is HttpRequestException or HttpOperationException)
                {
                    report($"The node objects cannot be read: {e.Message}");
                }

                await Task.Delay(Poll, timeProvider, cancellationToken);
            }
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            // The way it ends.
        }
    }

    /// <summary>Starts the silos that are missing, and ends those whose node object is gone.</summary>
    public async Task KeepAsync(CancellationToken cancellationToken)
    {
        var named = await nodes.ListAsync(cancellationToken);
        foreach (var machine in mesh.Plan.Nodes)
        {
            var silo = mesh.Silo(machine);
            if (named.Contains(machine.Name) && silo is not { IsAlive: true })
            {
                report($"{machine.Name} has a node object{(silo is null ? "" : " and its silo has ended")}: starting a silo");
                configure(machine);
                mesh.StartSilo(machine);
            }
            else if (!named.Contains(machine.Name) && silo is { IsAlive: true })
            {
                report($"{machine.Name} has no node object any more: ending its silo");
                silo.Signal(NativeMethods.SIGTERM);
            }
        }
    }
}
