using System.Text.Json.Nodes;
using Orleans.WireGuard.LocalMesh.Topology;

namespace Orleans.WireGuard.LocalMesh.Silos;

/// <summary>Starts the membership store and all silos of a mesh, and waits until they are ready.</summary>
internal sealed class MeshStarter(MeshHarness mesh, TimeProvider timeProvider, Action<string> report)
{
    private static readonly TimeSpan Poll = TimeSpan.FromMilliseconds(200);

    // Why a silo ended stands above the traces of what it took along.
    private const int EndLines = 100;
    private const int WaitLines = 8;

    // A silo asks several things at once.
    private const int ApiServerLines = 40;

    /// <summary>How long to wait: twenty runtimes on two cores start one after the other, in effect.</summary>
    public static TimeSpan TimeoutFor(MeshPlan plan) => TimeSpan.FromSeconds(60 + (10 * plan.Nodes.Count));

    /// <summary>Starts everything.</summary>
    /// <param name="binary">The silo executable.</param>
    /// <param name="period">Length of an epoch.</param>
    /// <param name="cancellationToken">Stops waiting.</param>
    /// <param name="change">Changes each silo's configuration.</param>
    /// <exception cref="MeshFailedException">A silo ended, or was not ready in time.</exception>
    public async Task StartAsync(string binary, TimeSpan period, CancellationToken cancellationToken, Action<JsonObject>? change = null)
    {
        mesh.InstallBinary(binary);
        mesh.Configure(period, change);
        await mesh.Redis.StartAsync(cancellationToken);
        foreach (var node in mesh.Plan.Nodes)
        {
            mesh.StartSilo(node);
        }

        await WaitReadyAsync(mesh.Plan.Nodes, cancellationToken);
    }

    /// <summary>Waits until the silos of these nodes are ready.</summary>
    /// <exception cref="MeshFailedException">A silo ended, or was not ready in time.</exception>
    public async Task WaitReadyAsync(IReadOnlyList<NodePlan> nodes, CancellationToken cancellationToken)
    {
        var start = timeProvider.GetTimestamp();
        var limit = TimeoutFor(mesh.Plan);
        var reported = -1;
        while (true)
        {
            var answers = await Task.WhenAll(nodes.Select(n => mesh.AskReadyAsync(n, cancellationToken)));
            var waiting = nodes.Zip(answers).Where(p => !p.Second.IsReady).ToList();
            var elapsed = timeProvider.GetElapsedTime(start);
            if (nodes.Count - waiting.Count != reported)
            {
                reported = nodes.Count - waiting.Count;
                report($"{reported} of {nodes.Count} silos ready after {elapsed.TotalSeconds:0.0} s");
            }

            if (waiting.Count == 0)
            {
                return;
            }

            if (elapsed > limit || waiting.Any(w => mesh.Silo(w.First) is { IsAlive: false }))
            {
                throw new MeshFailedException(Explain(waiting, elapsed));
            }

            await Task.Delay(Poll, timeProvider, cancellationToken);
        }
    }

    private string Explain(IEnumerable<(NodePlan Node, Readiness Answer)> waiting, TimeSpan elapsed) => string.Join('\n',
        waiting.Select(w => $"{w.Node.Name} is not ready after {elapsed.TotalSeconds:0} s: {w.Answer.Reason}\n  last lines of its log:\n{LogTail.Read(mesh.State.SiloLog(w.Node), mesh.Silo(w.Node) is { IsAlive: false } ? EndLines : WaitLines)}"))
        + (File.Exists(mesh.State.ApiServerLog)
            ? $"\nLast lines of the API server's log:\n{LogTail.Read(mesh.State.ApiServerLog, ApiServerLines)}"
            : "");
}
