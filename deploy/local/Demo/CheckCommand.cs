using Orleans.WireGuard.LocalMesh.Check;
using Orleans.WireGuard.LocalMesh.Setup;
using Orleans.WireGuard.LocalMesh.Topology;

namespace Orleans.WireGuard.LocalMesh.Demo;

/// <summary><c>make demo-check</c>: all proofs, one after the other, and an exit code.</summary>
internal sealed class CheckCommand(LocalOptions options, TimeProvider timeProvider, TextWriter output)
{
    /// <summary>Prints each proof as it comes; fails if one does.</summary>
    public async Task<int> RunAsync(CancellationToken cancellationToken)
    {
        var start = timeProvider.GetTimestamp();
        var plan = MeshPlan.Demo(options.NodeCount);
        await Prerequisites.EnsureAsync(output, timeProvider, cancellationToken);
        var binary = options.Binary ?? await SiloBuild.PublishAsync(output, timeProvider, cancellationToken);
        var source = SiloBuild.FindSourceDirectory();
        var (passed, failed) = (0, 0);
        var check = new MeshCheck(
            new CheckOptions(
                plan,
                MeshState.For(plan, options.StateDirectory),
                binary,
                options.Period,
                options.Duration,
                source,
                source is null ? null : Path.Combine(source, "artifacts", "demo-check")),
            timeProvider,
            text => output.WriteLine($"[{timeProvider.GetElapsedTime(start).TotalSeconds,5:0.0} s] {text}"),
            proof =>
            {
                output.WriteLine(proof);
                _ = proof.Passed ? passed++ : failed++;
            });
        await check.RunAsync(cancellationToken);
        output.WriteLine($"{passed} proofs passed, {failed} failed, in {timeProvider.GetElapsedTime(start).TotalSeconds:0} s");
        return failed == 0 ? 0 : 1;
    }
}
