using Orleans.WireGuard.LocalMesh.Capture;
using Orleans.WireGuard.LocalMesh.Meter;
using Orleans.WireGuard.LocalMesh.Topology;

namespace Orleans.WireGuard.Tests.EndToEnd.Cni;

/// <summary>How much is done in a run.</summary>
/// <param name="Connections">Of each <see cref="CniPath"/>.</param>
/// <param name="Rounds">In each of which three pods a node come, and those of the round before go.</param>
/// <param name="Patience">For a connection.</param>
internal sealed record CniEffort(int Connections, int Rounds, TimeSpan Patience);

/// <summary>Makes a cluster, lets its pods talk while others come and go, and reports what was seen.</summary>
internal sealed class CniRun(CniKind kind, string variation, CniEffort effort, Action<string> report)
{
    private const int PodsOfARound = 3;
    private const int PacketsPerSecond = 20;

    // All that the connections of a run send: tcpdump has no processor while they do.
    private const int CaptureKiB = 256 * 1024;

    private static readonly TimeSpan ReadyLimit = TimeSpan.FromSeconds(90);
    private static readonly TimeSpan NotReadyLimit = TimeSpan.FromSeconds(25);
    private static readonly TimeSpan ReachLimit = TimeSpan.FromSeconds(30);

    // The second is for where it has to work, and only a busy machine needs it.
    private static readonly TimeSpan NewPodLimit = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan NewPodPatience = TimeSpan.FromSeconds(20);

    /// <summary>Without silos.</summary>
    public async Task<CniReport> RunPlainAsync(CancellationToken token)
    {
        await using var cluster = await CniCluster.CreateAsync(kind, off: null, report, token);
        return await MeasureAsync(cluster, "", NewPodLimit, token);
    }

    /// <summary>With silos.</summary>
    /// <param name="settings">What they are told besides the base.</param>
    /// <param name="fix">What was switched off; <see langword="null"/> where all has to work.</param>
    /// <param name="token">Gives up.</param>
    public async Task<CniReport> RunAsync(IReadOnlyDictionary<string, string> settings, CniFix? fix, CancellationToken token)
    {
        await using var cluster = await CniCluster.CreateAsync(kind, fix, report, token);
        await CniSilos.StartAsync(cluster, settings, token);
        var mayFail = fix is not null;
        var problem = await CniSilos.UntilReadyAsync(
            cluster, fix?.Faults.Contains(CniFault.NotReady) == true ? NotReadyLimit : ReadyLimit, token);
        var traffic = new CniTraffic(cluster, effort.Patience);
        if (!await traffic.UntilReachedAsync(mayFail ? NewPodLimit : ReachLimit, token) && !mayFail)
        {
            report($"Pods do not reach each other although {(problem.Length == 0 ? "all silos are ready" : problem)}.");
        }

        await cluster.Mesh.FavourDevicesAsync(token);
        return await MeasureAsync(cluster, problem, mayFail ? NewPodLimit : NewPodPatience, token);
    }

    private async Task<CniReport> MeasureAsync(CniCluster cluster, string problem, TimeSpan newPodLimit, CancellationToken token)
    {
        var hasSilos = cluster.Api is not null;
        var capture = await PacketCapture.StartAsync(cluster.Mesh, "zoo", TimeProvider.System, token, CaptureKiB);
        await using var meter = new PacketMeter(cluster.Metered, TimeProvider.System, PacketsPerSecond);
        var connections = new CniTraffic(cluster, effort.Patience).RunAsync(effort.Connections, token);
        var newPods = await ChurnAsync(cluster, newPodLimit, token);
        await kind.DisturbAsync(CniPlan.Mesh.Nodes[0], token);
        var connected = await connections;
        var packets = await meter.StopAsync(token);
        var dropped = await capture.StopAsync(token);
        Support.Expect.True(dropped == 0, $"the capture has every frame; {dropped} are missing");
        using var frames = new BufferedStream(File.OpenRead(capture.File));
        var wire = WireTally.Count(PcapReader.Read(frames), cluster.Addresses);
        var found = hasSilos ? await CniSilos.FindAsync(cluster, token) : ([], "");
        if (hasSilos && problem.Length == 0)
        {
            problem = await CniSilos.UntilReadyAsync(cluster, newPodLimit, token);
        }

        var result = new CniReport(kind.Name, variation)
        {
            HasSilos = hasSilos,
            Problem = problem,
            Wire = wire,
            Packets = (packets.Sent, packets.Lost),
            Connections = connected,
            NewPods = newPods,
            Findings = found.Codes,
        };
        report(string.Join('\n', (string[])[CniReport.Head, result.ToString(), problem, found.Text, .. wire.Examples]));
        if (packets.Lost > 0)
        {
            report(packets.ToString());
        }

        return result;
    }

    // Each node has its own pace, as kubelets have.
    private async Task<IReadOnlyList<NewPod>> ChurnAsync(CniCluster cluster, TimeSpan limit, CancellationToken token)
    {
        var reached = await Task.WhenAll(CniPlan.Mesh.Nodes.Select(node => ChurnAsync(cluster, node, limit, token)));
        return [.. reached.SelectMany(pods => pods)];
    }

    private async Task<IReadOnlyList<NewPod>> ChurnAsync(CniCluster cluster, NodePlan node, TimeSpan limit, CancellationToken token)
    {
        var results = new List<NewPod>();
        List<CniPod> former = [];
        for (var round = 0; round <= effort.Rounds; round++)
        {
            var tries = new List<Task<NewPod>>();
            List<CniPod> added = [];
            for (var i = 0; i < (round < effort.Rounds ? PodsOfARound : 0); i++)
            {
                var pod = await cluster.AddAsync(node, token);
                added.Add(pod);
                var from = cluster.Of(CniPlan.Others(node).ElementAt(i % 2)).First();
                tries.Add(EchoClient.ReachAsync(from.Namespace, CniTraffic.At(pod), limit, TimeProvider.System, token));
            }

            foreach (var pod in former)
            {
                await cluster.RemoveAsync(pod, token);
            }

            results.AddRange(await Task.WhenAll(tries));
            former = added;
        }

        return results;
    }
}
