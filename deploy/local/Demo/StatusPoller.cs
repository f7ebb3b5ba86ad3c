using Orleans.WireGuard.LocalMesh.Silos;

namespace Orleans.WireGuard.LocalMesh.Demo;

/// <summary>Keeps the newest answer of <c>owg status</c>, asked again and again with a pause between.</summary>
/// <remarks>
/// Each question is a new process that joins as an Orleans client, which costs a good part of a core for a second. Keys,
/// handshakes and bytes therefore come from <c>wg</c> every second; this adds what only the silos know.
/// </remarks>
internal sealed class StatusPoller : IAsyncDisposable
{
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(4);

    private readonly CancellationTokenSource _stop = new();
    private readonly Task _loop;

    /// <summary>Starts asking.</summary>
    public StatusPoller(MeshHarness mesh, TimeProvider timeProvider) => _loop = RunAsync(mesh, timeProvider, _stop.Token);

    /// <summary>The newest answer; <see langword="null"/> before the first.</summary>
    public MeshStatus? Latest { get; private set; }

    /// <summary>Why there was no answer the last time; empty if there was.</summary>
    public string Problem { get; private set; } = "";

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _loop;
        _stop.Dispose();
    }

    private async Task RunAsync(MeshHarness mesh, TimeProvider timeProvider, CancellationToken cancellationToken)
    {
        try
        {
            for (var attempt = 0; ; attempt++)
            {
                // Ask one node after the other: a silo that someone killed for fun must not blind the demo.
                var node = mesh.Plan.Nodes[attempt % mesh.Plan.Nodes.Count];
                if (mesh.Silo(node) is null)
                {
                    // A machine that is no node yet.
                    await Task.Delay(TimeSpan.FromMilliseconds(200), timeProvider, cancellationToken);
                    continue;
                }

                var (status, problem) = await MeshStatusReader.ReadAsync(mesh, node, cancellationToken);
                (Latest, Problem) = (status ?? Latest, problem);
                await Task.Delay(Pause, timeProvider, cancellationToken);
            }
        }
        catch (OperationCanceledException)
        {
            // Disposed.
        }
    }
}
