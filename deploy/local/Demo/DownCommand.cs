using Orleans.WireGuard.LocalMesh.Processes;
using Orleans.WireGuard.LocalMesh.Topology;

namespace Orleans.WireGuard.LocalMesh.Demo;

/// <summary><c>make demo-down</c>: ends a running demo, or removes what a crashed one left.</summary>
internal sealed class DownCommand(LocalOptions options, TimeProvider timeProvider, TextWriter output)
{
    private static readonly TimeSpan OwnerTimeout = TimeSpan.FromSeconds(20);

    /// <summary>Has the owner of a running demo end it, or removes what has no owner.</summary>
    public async Task<int> RunAsync(CancellationToken cancellationToken)
    {
        var plan = MeshPlan.Demo(options.NodeCount);
        var state = MeshState.For(plan, options.StateDirectory);
        try
        {
            using var free = MeshLock.Acquire(plan, state);
            var remover = new TopologyRemover(plan, state, timeProvider);
            var found = await remover.FindAsync(cancellationToken);
            await remover.RemoveAsync(cancellationToken);
            output.WriteLine(found.Count == 0 ? "Nothing to remove." : $"Removed: {string.Join(", ", found)}.");
            return 0;
        }
        catch (MeshInUseException e) when (e.Owner is not null)
        {
            output.WriteLine($"Asking process {e.Owner.Id} to end its mesh ...");
            e.Owner.Signal(NativeMethods.SIGTERM);
            var gone = await e.Owner.WaitForExitAsync(OwnerTimeout, timeProvider, cancellationToken);
            output.WriteLine(gone ? "It has ended and removed everything." : $"It did not end within {OwnerTimeout.TotalSeconds:0} s; look at process {e.Owner.Id}.");
            return gone ? 0 : 1;
        }
    }
}
