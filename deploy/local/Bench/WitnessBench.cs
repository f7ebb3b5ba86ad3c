using System.Globalization;
using System.Text.Json;
using Orleans.WireGuard.LocalMesh.Check;
using Orleans.WireGuard.LocalMesh.Silos;
using Orleans.WireGuard.LocalMesh.Topology;

namespace Orleans.WireGuard.LocalMesh.Bench;

/// <summary>What was measured.</summary>
/// <param name="Answered">Echo requests through the tunnel that were answered; each is two packets.</param>
/// <param name="Counters">What the witness of the first node counted meanwhile, by name.</param>
/// <param name="Throughput">TCP from pod to pod in Mbit/s, with and without the witness, in pairs.</param>
/// <param name="Rate">UDP packets a second from node to node, past the tunnel, with and without the witness, in pairs.</param>
internal sealed record WitnessBenchResult(
    int Answered,
    IReadOnlyDictionary<string, long> Counters,
    IReadOnlyList<(double With, double Without)> Throughput,
    IReadOnlyList<(double With, double Without)> Rate)
{
    /// <summary>The median of the ratios of throughput, with to without; <see langword="null"/> if there are none.</summary>
    public double? ThroughputRatio =>
        Throughput.Count == 0 ? null : Percentiles.Median([.. Throughput.Select(pair => pair.With / pair.Without).Order()]);

    /// <summary>The median of what a packet took longer with the witness; <see langword="null"/> if there is none.</summary>
    public TimeSpan? CostOfAPacket =>
        Rate.Count == 0
            ? null
            : TimeSpan.FromSeconds(1) * Percentiles.Median([.. Rate.Select(pair => (1 / pair.With) - (1 / pair.Without)).Order()]);
}

/// <summary>What the witness at the wire costs, and that it stays at zero while nothing is in clear.</summary>
/// <remarks>
/// The silos are killed before it is measured in pairs: they would make the table again. Devices, routes and tables stay as they were.
/// Which of the two comes first alternates, so that a drift of the machine shows in neither.
/// </remarks>
internal sealed class WitnessBench(
    MeshPlan plan, MeshState state, string binary, int packets, int rounds,
    TimeSpan slice, TimeProvider timeProvider, Action<string> report)
{
    private const string Table = "netdev orleans_wireguard";
    private static readonly TimeSpan Quiet = TimeSpan.FromMinutes(20);
    private static readonly TimeSpan ReachTimeout = TimeSpan.FromSeconds(60);

    // Small ones, of which a link carries most.
    private const string PacketSize = "64";

    /// <summary>Makes a mesh, measures all rounds in it, and removes it.</summary>
    /// <exception cref="MeshFailedException">The mesh did not come up.</exception>
    public async Task<WitnessBenchResult> RunAsync(CancellationToken cancellationToken)
    {
        await using var mesh = await MeshHarness.CreateAsync(plan, state, timeProvider, report, cancellationToken);
        await new MeshStarter(mesh, timeProvider, _ => { })
            .StartAsync(binary, QuietPeriod.Choose(timeProvider.GetUtcNow(), Quiet), cancellationToken);
        await using (var probes = new MeshProbes(mesh, timeProvider))
        {
            var silent = await probes.WaitReachableAsync(timeProvider.GetUtcNow(), ReachTimeout, cancellationToken);
            if (silent.Count > 0)
            {
                throw new MeshFailedException($"Pods do not reach each other: {string.Join(", ", silent)}.");
            }
        }

        var before = await TunnelFlood.ReadWitnessAsync(mesh, plan.Nodes[0], cancellationToken);
        report(string.Create(CultureInfo.InvariantCulture, $"sending {packets:N0} packets through the tunnel"));
        var answered = await TunnelFlood.SendAsync(mesh, packets, cancellationToken);
        var after = await TunnelFlood.ReadWitnessAsync(mesh, plan.Nodes[0], cancellationToken);

        foreach (var node in plan.Nodes)
        {
            await mesh.KillSiloAsync(node, cancellationToken);
        }

        List<(double, double)> throughput = [];
        List<(double, double)> rate = [];
        var saved = await SaveAsync(mesh, cancellationToken);
        for (var round = 1; round <= rounds; round++)
        {
            throughput.Add(await PairAsync(mesh, saved, round, () =>
                TcpThroughput.MeasureAsync(mesh, plan.Nodes[0], plan.Nodes[1], slice, cancellationToken), cancellationToken));
            rate.Add(await PairAsync(mesh, saved, round, () => MeasureRateAsync(mesh, cancellationToken), cancellationToken));
            report(string.Create(
                CultureInfo.InvariantCulture,
                $"round {round} of {rounds}: TCP {throughput[^1].Item1:0} Mbit/s with, {throughput[^1].Item2:0} without; UDP {rate[^1].Item1:0} packets/s with, {rate[^1].Item2:0} without"));
        }

        return new WitnessBenchResult(
            answered, after.ToDictionary(counter => counter.Key, counter => counter.Value - before[counter.Key]), throughput, rate);
    }

    /// <summary>Reads the packets a second from the answer of <c>iperf3 --udp --json</c>.</summary>
    /// <exception cref="FormatException">It is none.</exception>
    public static double ParseRate(string json)
    {
        try
        {
            using var document = JsonDocument.Parse(json);
            var sum = document.RootElement.GetProperty("end").GetProperty("sum");
            return sum.GetProperty("packets").GetDouble() / sum.GetProperty("seconds").GetDouble();
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException)
        {
            throw new FormatException($"'iperf3 --udp --json' printed no count: {e.Message}", e);
        }
    }

    private async Task<(double With, double Without)> PairAsync(
        MeshHarness mesh, Dictionary<NodePlan, string> saved, int round, Func<Task<double>> measure, CancellationToken cancellationToken)
    {
        var values = new Dictionary<bool, double>();
        foreach (var isWith in round % 2 == 0 ? (bool[])[false, true] : [true, false])
        {
            foreach (var node in plan.Nodes)
            {
                var command = $"nft delete table {Table}" + (isWith ? $" && nft -f {saved[node]}" : "");
                (await mesh.RunAsync(node, cancellationToken, "sh", "-c", $"nft add table {Table} && {command}")).EnsureSuccess();
            }

            values[isWith] = await measure();
        }

        return (values[true], values[false]);
    }

    private async Task<Dictionary<NodePlan, string>> SaveAsync(MeshHarness mesh, CancellationToken cancellationToken)
    {
        var files = new Dictionary<NodePlan, string>();
        foreach (var node in plan.Nodes)
        {
            files[node] = Path.Combine(state.CaptureDirectory, $"witness-{node.Name}.nft");
            var table = (await mesh.RunAsync(node, cancellationToken, "nft", "list", "table", "netdev", "orleans_wireguard"))
                .EnsureSuccess().Output;
            await File.WriteAllTextAsync(files[node], table, cancellationToken);
        }

        return files;
    }

    private async Task<double> MeasureRateAsync(MeshHarness mesh, CancellationToken cancellationToken)
    {
        var (from, to) = (plan.Nodes[0], plan.Nodes[1]);
        (await mesh.RunAsync(to, cancellationToken, "iperf3", "--server", "--daemon", "--one-off")).EnsureSuccess();
        var seconds = ((int)slice.TotalSeconds).ToString(CultureInfo.InvariantCulture);
        var result = await mesh.RunAsync(
            from, cancellationToken, "iperf3", "--client", to.Address.ToString(), "--udp",
            "--bandwidth", "0", "--length", PacketSize, "--time", seconds, "--json");
        return ParseRate(result.EnsureSuccess().Output);
    }
}
