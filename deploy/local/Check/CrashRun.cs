using System.Runtime.CompilerServices;
using Orleans.WireGuard.LocalMesh.Silos;

namespace Orleans.WireGuard.LocalMesh.Check;

/// <summary>A mesh in which nothing rotates, so that every lost packet of a crash is a consequence of the crash.</summary>
internal sealed class CrashRun(
    MeshHarness mesh, CheckOptions options, DateTimeOffset since, TimeProvider timeProvider, Action<string> report)
{
    private static readonly TimeSpan Needed = TimeSpan.FromMinutes(10);
    private static readonly TimeSpan ReachTimeout = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan Settle = TimeSpan.FromSeconds(2);

    /// <summary>Kills one silo, starts it again, and proves what that cost the others: nothing.</summary>
    public async IAsyncEnumerable<Proof> RunAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await using var probes = new MeshProbes(mesh, timeProvider);
        var starter = new MeshStarter(mesh, timeProvider, report);
        await starter.StartAsync(options.Binary, QuietPeriod.Choose(timeProvider.GetUtcNow(), Needed), cancellationToken);
        var unreached = await probes.WaitReachableAsync(timeProvider.GetUtcNow(), ReachTimeout, cancellationToken);
        await Task.Delay(Settle, timeProvider, cancellationToken);

        var victim = mesh.Plan.Nodes[^1];
        report($"Killing the silo of {victim.Name} (SIGKILL), waiting, starting it again");
        var before = await probes.Sampler.TakeAsync(cancellationToken);
        var from = timeProvider.GetUtcNow();
        await mesh.KillSiloAsync(victim, cancellationToken);
        await Task.Delay(Settle, timeProvider, cancellationToken);
        mesh.StartSilo(victim);
        await starter.WaitReadyAsync([victim], cancellationToken);
        var silent = await probes.WaitReachableAsync(timeProvider.GetUtcNow(), ReachTimeout, cancellationToken);
        await Task.Delay(Settle, timeProvider, cancellationToken);
        var until = timeProvider.GetUtcNow();
        await Task.Delay(MeshProbes.Patience, timeProvider, cancellationToken);
        var after = await probes.Sampler.TakeAsync(cancellationToken);

        yield return new Proof(
            $"without rotations too, the pods of {victim.Name} reach all others after the restart",
            unreached.Count == 0 && silent.Count == 0,
            $"silent pairs before the crash: {unreached.Count}, after the restart: {silent.Count}");
        yield return ProofEvaluation.OthersUntouched(victim.Name, probes.Report(from, until), before, after, mesh.Plan);
        yield return ProofEvaluation.RestartKeepsKey(victim.Name, probes.Report(from, until), before, after);
        yield return await new SecretSearch(mesh, options, since).RunAsync(probes.Secrets.ToList(), cancellationToken);
    }
}
