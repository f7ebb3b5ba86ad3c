using System.Globalization;
using System.Text.Json.Nodes;
using Orleans.WireGuard.LocalMesh.Check;
using Orleans.WireGuard.LocalMesh.Meter;
using Orleans.WireGuard.LocalMesh.Probes;
using Orleans.WireGuard.LocalMesh.Silos;
using Orleans.WireGuard.LocalMesh.Topology;

namespace Orleans.WireGuard.LocalMesh.Bench;

/// <summary>
/// What rotations cost: the same traffic through a mesh that does not rotate, one that does, and one that does with one slot.
/// </summary>
/// <remarks>
/// <code>
/// packets   A quiet │ B rotating, as long as it takes │ A quiet │ C one slot   A on both sides of B: a drift shows in neither
/// TCP       A B │ B A │ A B …, then C C C …                                    in pairs, one after the other
/// </code>
/// Packets: every part has a mesh of its own, so that none begins with what another left, and the userspace devices go ahead of every other
/// process. TCP, which would then take the machine from the silos, is measured without that, and A and B in one mesh that is frozen for A:
/// two meshes differ by more than a rotation costs. It has rotated before, since a silo compiles what it runs for the first time.
/// </remarks>
internal sealed class RotationBench(RotationBenchOptions options, TimeProvider timeProvider, Action<string> report)
{
    // Run C is there to show that the meter sees what one slot costs, for which a few rotations are enough.
    private const int MaxRotationsOfC = 10;

    // A rotation that does not come is reported, not waited for.
    private const int SparePeriods = 4;

    private static readonly TimeSpan Sample = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan Progress = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan ReachTimeout = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan Spare = TimeSpan.FromMinutes(2);
    private static readonly TimeSpan MinSlice = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan WarmUp = TimeSpan.FromMinutes(1);

    private readonly RotationRunResult _a = new('A', "no rotation");
    private readonly RotationRunResult _b = new(
        'B', string.Create(CultureInfo.InvariantCulture, $"every {options.Period.TotalSeconds:0.#} s"));
    private readonly RotationRunResult _c = new(
        'C', string.Create(CultureInfo.InvariantCulture, $"every {options.Period.TotalSeconds:0.#} s, one slot"));

    // Two epochs, so that every node rotates at least once in each.
    private TimeSpan Slice => options.Period * 2 > MinSlice ? options.Period * 2 : MinSlice;

    /// <summary>Runs all of it.</summary>
    /// <returns>The runs, in order.</returns>
    public async Task<IReadOnlyList<RotationRunResult>> RunAsync(CancellationToken cancellationToken)
    {
        IReadOnlyList<RotationRunResult> runs =
            [.. new[] { _a, _b, _c }.Where(run => options.Runs.Contains(run.Letter, StringComparison.Ordinal))];
        foreach (var (run, rotations) in (IEnumerable<(RotationRunResult, int)>)
            [(_a, 0), (_b, options.Rotations), (_a, 0), (_c, Math.Min(options.Rotations, MaxRotationsOfC))])
        {
            if (runs.Contains(run))
            {
                await CountPacketsAsync(run, rotations, cancellationToken);
            }
        }

        await MeasureTcpAsync([.. runs.Where(run => run != _c)], cancellationToken);
        await MeasureTcpAsync([.. runs.Where(run => run == _c)], cancellationToken);
        return runs;
    }

    private async Task CountPacketsAsync(RotationRunResult run, int rotations, CancellationToken cancellationToken)
    {
        await using var mesh = await StartAsync(run, cancellationToken);
        await mesh.FavourDevicesAsync(cancellationToken);
        var before = await ReadRotationsAsync(mesh, cancellationToken);
        var watch = new RotationWatch(mesh);
        await watch.SampleAsync(cancellationToken);
        var limit = rotations == 0 ? options.Quiet : options.Period * (rotations + SparePeriods);
        MeterReport result;
        await using (var meter = new PacketMeter([.. mesh.Plan.Nodes.Select(MeterEndpoint.OfPod)], timeProvider))
        {
            for (var next = Progress; meter.Elapsed < limit && (rotations == 0 || watch.Fewest < rotations);)
            {
                await Task.Delay(Sample, timeProvider, cancellationToken);
                await watch.SampleAsync(cancellationToken);
                if (meter.Elapsed >= next)
                {
                    next += Progress;
                    report(string.Create(
                        CultureInfo.InvariantCulture,
                        $"{run.Letter}: {meter.Elapsed.TotalSeconds:0} s of at most {limit.TotalSeconds:0}, rotations {watch.Describe()}, {meter.LostSoFar} packets lost"));
                }
            }

            if (rotations > 0)
            {
                // What the last rotation may cost comes after its key is seen.
                await Task.Delay(options.Period / 2, timeProvider, cancellationToken);
            }

            result = await meter.StopAsync(cancellationToken);
        }

        run.Packets.Add(result);
        foreach (var (node, count) in await ReadRotationsAsync(mesh, cancellationToken))
        {
            run.AddRotations(node, count - before[node]);
        }

        report($"{run.Letter}: {result}");
    }

    private async Task MeasureTcpAsync(IReadOnlyList<RotationRunResult> runs, CancellationToken cancellationToken)
    {
        if (runs.Count == 0 || options.Rounds == 0)
        {
            return;
        }

        await using var mesh = await StartAsync(runs.Contains(_c) ? _c : _b, cancellationToken);
        report(string.Create(CultureInfo.InvariantCulture, $"{string.Join(", ", runs.Select(run => run.Letter))}: TCP, {WarmUp.TotalSeconds:0} s to warm up"));
        await Task.Delay(WarmUp, timeProvider, cancellationToken);
        for (var round = 1; round <= options.Rounds; round++)
        {
            // Each is first as often as the others.
            foreach (var run in round % 2 == 0 ? runs.Reverse() : runs)
            {
                (await mesh.RunAsync(mesh.Plan.Nodes[0], cancellationToken, "owg", run == _a ? "freeze" : "unfreeze")).EnsureSuccess();
                await Task.Delay(options.Period / 2, timeProvider, cancellationToken);
                await MeasureTcpAsync(mesh, run, round, cancellationToken);
            }
        }
    }

    private async Task MeasureTcpAsync(MeshHarness mesh, RotationRunResult run, int round, CancellationToken cancellationToken)
    {
        var (used, started) = (SiloTime(mesh), timeProvider.GetTimestamp());
        var throughput = await TcpThroughput.MeasureAsync(mesh, mesh.Plan.Nodes[0], mesh.Plan.Nodes[1], Slice, cancellationToken);
        run.Throughputs.Add(throughput);
        run.SiloPercents.Add(100 * (SiloTime(mesh) - used) / timeProvider.GetElapsedTime(started));
        report(string.Create(
            CultureInfo.InvariantCulture,
            $"{run.Letter}: TCP round {round} of {options.Rounds}, {throughput:0} Mbit/s over {Slice.TotalSeconds:0} s, silos {run.SiloPercents[^1]:0.0} % of a core"));
    }

    private static TimeSpan SiloTime(MeshHarness mesh) =>
        mesh.Plan.Nodes.Aggregate(TimeSpan.Zero, (sum, node) => sum + ProcessUsage.Read(mesh.Silo(node)!.Id).ProcessorTime);

    private async Task<MeshHarness> StartAsync(RotationRunResult run, CancellationToken cancellationToken)
    {
        var mesh = await MeshHarness.CreateAsync(options.Plan, options.State, timeProvider, report, cancellationToken);
        try
        {
            var period = run == _a ? QuietPeriod.Choose(timeProvider.GetUtcNow(), options.Quiet + Slice + Spare) : options.Period;
            await new MeshStarter(mesh, timeProvider, _ => { }).StartAsync(options.Binary, period, cancellationToken, configuration =>
            {
                if (run == _c)
                {
                    ((JsonObject)configuration["Rotation"]!)["Slots"] = 1;
                }
            });
            await using var probes = new MeshProbes(mesh, timeProvider);
            var silent = await probes.WaitReachableAsync(timeProvider.GetUtcNow(), ReachTimeout, cancellationToken);
            return silent.Count == 0
                ? mesh
                : throw new MeshFailedException($"Run {run.Letter}: pods do not reach each other: {string.Join(", ", silent)}.");
        }
        catch
        {
            await mesh.DisposeAsync();
            throw;
        }
    }

    private static async Task<IReadOnlyDictionary<string, long>> ReadRotationsAsync(MeshHarness mesh, CancellationToken cancellationToken)
    {
        var (status, problem) = await MeshStatusReader.ReadAsync(mesh, mesh.Plan.Nodes[0], cancellationToken);
        return status is null
            ? throw new MeshFailedException(problem)
            : status.Nodes.Values.ToDictionary(
                node => node.NodeName, node => node.Rotations
                    ?? throw new MeshFailedException($"{node.NodeName} does not say how often it rotated: {node.Problem}"));
    }
}
