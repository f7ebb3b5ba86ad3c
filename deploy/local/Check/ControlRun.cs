using Orleans.WireGuard.LocalMesh.Capture;
using Orleans.WireGuard.LocalMesh.Silos;

namespace Orleans.WireGuard.LocalMesh.Check;

/// <summary>Pods that talk in clear over the underlay: what a leak would look like to the capture.</summary>
internal sealed class ControlRun(MeshHarness mesh, TimeProvider timeProvider)
{
    private static readonly TimeSpan Duration = TimeSpan.FromSeconds(2);

    /// <summary>Runs it; the plain routes are gone afterwards.</summary>
    public async Task<Proof> RunAsync(CancellationToken cancellationToken)
    {
        await mesh.Topology.AddPlainRoutesAsync(cancellationToken);
        var capture = await PacketCapture.StartAsync(mesh, "control", timeProvider, cancellationToken);
        await using var probes = new MeshProbes(mesh, timeProvider);
        var from = timeProvider.GetUtcNow();
        await Task.Delay(Duration, timeProvider, cancellationToken);
        var until = timeProvider.GetUtcNow();
        await Task.Delay(MeshProbes.Patience, timeProvider, cancellationToken);
        var (tally, _) = await capture.StopAsync(probes.Classifier, cancellationToken);
        await mesh.Topology.RemovePlainRoutesAsync(cancellationToken);
        return ProofEvaluation.ControlIsSeen(tally, probes.Report(from, until));
    }
}
