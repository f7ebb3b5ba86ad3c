using System.Collections.Concurrent;
using Orleans.WireGuard.LocalMesh.Silos;
using Orleans.WireGuard.LocalMesh.Topology;

namespace Orleans.WireGuard.Tests.Support;

/// <summary>Starts a silo again whenever its process has ended, as systemd or a kubelet would.</summary>
internal sealed class SiloSupervisor : IAsyncDisposable
{
    private static readonly TimeSpan Poll = TimeSpan.FromMilliseconds(200);

    private readonly MeshHarness _mesh;
    private readonly CancellationTokenSource _stopping = new();
    private readonly ConcurrentDictionary<NodePlan, int> _restarts = new();
    private readonly Task _loop;

    /// <summary>Begins at once, with the silos that were started before.</summary>
    public SiloSupervisor(MeshHarness mesh)
    {
        _mesh = mesh;
        _loop = WatchAsync();
    }

    /// <summary>How often the silo of a node was started again.</summary>
    public int Restarts(NodePlan node) => _restarts.GetValueOrDefault(node);

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        await _loop.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _stopping.Dispose();
    }

    private async Task WatchAsync()
    {
        while (true)
        {
            await Task.Delay(Poll, TimeProvider.System, _stopping.Token);
            foreach (var node in _mesh.Plan.Nodes.Where(node => _mesh.Silo(node) is { IsAlive: false }))
            {
                _mesh.StartSilo(node);
                _ = _restarts.AddOrUpdate(node, 1, (_, count) => count + 1);
            }
        }
    }
}
