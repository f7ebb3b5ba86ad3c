using System.Runtime.CompilerServices;
using Orleans.WireGuard.LocalMesh.Capture;
using Orleans.WireGuard.LocalMesh.Probes;
using Orleans.WireGuard.LocalMesh.Silos;

namespace Orleans.WireGuard.LocalMesh.Check;

/// <summary>A mesh that rotates for the whole duration, then loses a silo, while everything is watched.</summary>
internal sealed class RotationRun(
    MeshHarness mesh, CheckOptions options, DateTimeOffset since, TimeProvider timeProvider, Action<string> report)
{
    private static readonly TimeSpan ReachTimeout = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan StatusPoll = TimeSpan.FromMilliseconds(500);
    private const int StatusAttempts = 5;

    /// <summary>Starts the mesh and watches it; each proof comes as soon as it is there.</summary>
    public async IAsyncEnumerable<Proof> RunAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        // Watched before the first silo exists: a mesh must not leak while it starts either.
        await using var probes = new MeshProbes(mesh, timeProvider);
        var capture = await PacketCapture.StartAsync(mesh, "tunnels", timeProvider, cancellationToken);
        var starter = new MeshStarter(mesh, timeProvider, report);
        await starter.StartAsync(options.Binary, options.Period, cancellationToken);
        probes.Observer.Start();
        await probes.WaitReachableAsync(timeProvider.GetUtcNow(), ReachTimeout, cancellationToken);

        report($"Watching {options.Duration.TotalSeconds:0} s with a rotation every {options.Period.TotalSeconds:0} s");
        probes.Observer.RestartAgreement();
        var from = timeProvider.GetUtcNow();
        await Task.Delay(options.Duration, timeProvider, cancellationToken);
        var until = timeProvider.GetUtcNow();
        await Task.Delay(MeshProbes.Patience, timeProvider, cancellationToken);
        yield return ProofEvaluation.PodsReachEachOther(probes.Report(from, until), options.Period);
        yield return probes.Observer.Read((_, agreement) => ProofEvaluation.KeysAgree(agreement, mesh.Plan));

        // Before a silo is killed: a node that does not answer has the others keep keys for another turn.
        yield return probes.Observer.Read((keys, _) => ProofEvaluation.KeysRotate(keys, mesh.Plan, options.Period, options.Duration));
        yield return await AskStatusAsync(cancellationToken);
        yield return await ProveRejoinAsync(probes, starter, cancellationToken);

        var (tally, dropped) = await capture.StopAsync(probes.Classifier, cancellationToken);
        yield return ProofEvaluation.NothingInClear(tally, dropped);
        yield return await new SecretSearch(mesh, options, since).RunAsync(probes.Secrets.ToList(), cancellationToken);
    }

    private async Task<Proof> ProveRejoinAsync(MeshProbes probes, MeshStarter starter, CancellationToken cancellationToken)
    {
        var victim = mesh.Plan.Nodes[^1];
        report($"Killing the silo of {victim.Name} (SIGKILL) and starting it again");
        await mesh.KillSiloAsync(victim, cancellationToken);
        var start = timeProvider.GetTimestamp();
        mesh.StartSilo(victim);
        await starter.WaitReadyAsync([victim], cancellationToken);
        var ready = timeProvider.GetElapsedTime(start);

        // Ready is what it says of itself. That it takes part again shows in a key which it makes now and all others hold.
        var rejoined = timeProvider.GetUtcNow();
        var keyAtRejoin = probes.Observer.Read((keys, _) => keys.Of(victim.Name)[^1].PublicKey);
        var limit = ProofEvaluation.SilenceLimit(options.Period) + options.Period;
        var (rotated, agreed) = (false, false);
        while (!(rotated && agreed) && timeProvider.GetUtcNow() - rejoined < limit)
        {
            await Task.Delay(MeshObserver.PaceFor(mesh.Plan), timeProvider, cancellationToken);
            (rotated, agreed) = probes.Observer.Read((keys, agreement) =>
                (keys.Of(victim.Name)[^1].PublicKey != keyAtRejoin, agreement.Current.Count == 0));
        }

        var silent = await probes.WaitReachableAsync(
            timeProvider.GetUtcNow(), ProofEvaluation.SilenceLimit(options.Period), cancellationToken);
        return new Proof(
            $"the silo of {victim.Name} rejoins after SIGKILL: it rotates again, all hold its new key, its pods reach all others",
            rotated && agreed && silent.Count == 0,
            $"ready {ready.TotalSeconds:0.0} s after the restart; rotated: {rotated}, all keys agree: {agreed}, silent pairs: {silent.Count}");
    }

    private async Task<Proof> AskStatusAsync(CancellationToken cancellationToken)
    {
        Proof? proof = null;

        // A rotation under way shows as a passing disagreement, so a complaint has to last to count.
        for (var attempt = 0; attempt < StatusAttempts && proof is not { Passed: true }; attempt++)
        {
            if (attempt > 0)
            {
                await Task.Delay(StatusPoll, timeProvider, cancellationToken);
            }

            var (status, problem) = await MeshStatusReader.ReadAsync(mesh, mesh.Plan.Nodes[0], cancellationToken);
            proof = ProofEvaluation.StatusIsComplete(status, mesh.Plan, problem);
        }

        return proof!;
    }
}
