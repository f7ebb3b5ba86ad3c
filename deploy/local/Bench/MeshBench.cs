using System.Globalization;
using System.Text.RegularExpressions;
using Orleans.WireGuard.LocalMesh.Check;
using Orleans.WireGuard.LocalMesh.Processes;
using Orleans.WireGuard.LocalMesh.Silos;
using Orleans.WireGuard.LocalMesh.Topology;

namespace Orleans.WireGuard.LocalMesh.Bench;

/// <summary>Measures a mesh: propagation of keys, what a silo costs at rest, how long it takes to start, and to be missed.</summary>
/// <remarks>The figures belong to the machine that they were taken on; compare those of one run with each other.</remarks>
internal sealed partial class MeshBench(MeshHarness mesh, CheckOptions options, TimeProvider timeProvider, Action<string> report)
{
    private static readonly TimeSpan Rest = TimeSpan.FromSeconds(20);
    private static readonly TimeSpan Quiet = TimeSpan.FromMinutes(10);
    private static readonly TimeSpan Poll = TimeSpan.FromMilliseconds(20);
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(2);

    /// <summary>Measures everything; each result goes to the report.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        var starter = new MeshStarter(mesh, timeProvider, report);
        await starter.StartAsync(options.Binary, options.Period, cancellationToken);
        report(string.Create(
            CultureInfo.InvariantCulture, $"Rotating every {options.Period.TotalSeconds:0.#} s for {options.Duration.TotalSeconds:0} s"));
        await Task.Delay(options.Duration, timeProvider, cancellationToken);
        report($"key change until the last other device holds it: {Percentiles.Describe(mesh.Plan.Nodes.SelectMany(ReadPropagation), "ms")}");

        await RestartQuietlyAsync(starter, cancellationToken);
        await MeasureRestAsync(cancellationToken);
        await MeasureEndAsync(NativeMethods.SIGKILL, "killed", starter, cancellationToken);
        await MeasureEndAsync(NativeMethods.SIGSTOP, "stopped", starter, cancellationToken);
    }

    private IEnumerable<double> ReadPropagation(NodePlan node) => File.ReadLines(mesh.State.SiloLog(node))
        .Select(line => PropagationLine().Match(line)).Where(match => match.Success)

        // The first announcement of a silo waits for the others to join, which is not what is measured.
        .Skip(1)
        .Select(match => double.Parse(match.Groups[1].Value, CultureInfo.InvariantCulture));

    // At rest means without rotations too, so the silos start again with a period that nobody sees the end of.
    private async Task RestartQuietlyAsync(MeshStarter starter, CancellationToken cancellationToken)
    {
        mesh.Configure(QuietPeriod.Choose(timeProvider.GetUtcNow(), Quiet));
        var times = new List<double>();
        foreach (var node in mesh.Plan.Nodes)
        {
            await mesh.KillSiloAsync(node, cancellationToken);
            times.Add(await RestartAsync(node, cancellationToken));
        }

        await starter.WaitReadyAsync(mesh.Plan.Nodes, cancellationToken);
        report($"start of a silo until it is ready: {Percentiles.Describe(times, "ms")}");
    }

    private async Task<double> RestartAsync(NodePlan node, CancellationToken cancellationToken)
    {
        var start = timeProvider.GetTimestamp();
        mesh.StartSilo(node);
        await UntilAsync(
            async () => (await mesh.AskReadyAsync(node, cancellationToken)).IsReady, $"{node.Name} to be ready", cancellationToken);
        return timeProvider.GetElapsedTime(start).TotalMilliseconds;
    }

    private async Task MeasureRestAsync(CancellationToken cancellationToken)
    {
        await Task.Delay(Rest, timeProvider, cancellationToken);
        var (start, before) = (timeProvider.GetTimestamp(), ReadUsage());
        await Task.Delay(Rest, timeProvider, cancellationToken);
        var (elapsed, after) = (timeProvider.GetElapsedTime(start), ReadUsage());
        foreach (var node in mesh.Plan.Nodes)
        {
            var share = (after[node].ProcessorTime - before[node].ProcessorTime) / elapsed;
            report(string.Create(
                CultureInfo.InvariantCulture,
                $"{node.Name} at rest: {after[node].ResidentMiB:0} MiB resident, {share:0.0 %} of a core{(node == mesh.Plan.Nodes[0] ? " (this one serves the dashboard page)" : "")}"));
        }
    }

    private async Task MeasureEndAsync(int signal, string what, MeshStarter starter, CancellationToken cancellationToken)
    {
        var victim = mesh.Plan.Nodes[^1];
        await using var redis = await mesh.Redis.ConnectAsync(cancellationToken);
        var before = await MembershipRows.CountDeadAsync(redis, victim.Name, cancellationToken);
        var start = timeProvider.GetTimestamp();
        mesh.Silo(victim)!.Signal(signal);
        await UntilAsync(
            async () => await MembershipRows.CountDeadAsync(redis, victim.Name, cancellationToken) > before,
            $"{victim.Name} to be missed", cancellationToken);
        report(string.Create(CultureInfo.InvariantCulture, $"a {what} silo until the others have declared it dead: {timeProvider.GetElapsedTime(start).TotalSeconds:0.0} s"));
        await mesh.KillSiloAsync(victim, cancellationToken);
        await RestartAsync(victim, cancellationToken);
        await starter.WaitReadyAsync([victim], cancellationToken);
    }

    private Dictionary<NodePlan, ProcessUsage> ReadUsage() =>
        mesh.Plan.Nodes.ToDictionary(node => node, node => ProcessUsage.Read(mesh.Silo(node)!.Id));

    private async Task UntilAsync(Func<Task<bool>> condition, string what, CancellationToken cancellationToken)
    {
        var start = timeProvider.GetTimestamp();
        while (!await condition())
        {
            if (timeProvider.GetElapsedTime(start) > Patience)
            {
                throw new MeshFailedException($"Waited {Patience.TotalSeconds:0} s in vain for {what}.");
            }

            await Task.Delay(Poll, timeProvider, cancellationToken);
        }
    }

    [GeneratedRegex(@"is on the devices of all \d+ others after ([\d.E-]+) ms")]
    private static partial Regex PropagationLine();
}
