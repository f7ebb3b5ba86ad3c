// The case in which keys rotate while pods send: what RotationTests shows for wireguard-go.
using System.Globalization;
using Orleans.WireGuard.LocalMesh.Probes;
using Orleans.WireGuard.LocalMesh.Processes;
using Orleans.WireGuard.LocalMesh.Silos;
using Orleans.WireGuard.LocalMesh.Topology;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.EndToEnd.Kernel;

internal sealed partial class MeshCases
{
    // Of each node. Two, so that its traffic leaves the slot that it was on and comes back to it.
    private const int Rotations = 2;

    // A quarter of what an emulation carries with the silos stopped. Nothing here may be ahead of the silos: with the real-time threads of
    // PacketMeter an emulation that gets less has no time left for them.
    private const int RotationPacketsPerSecond = 250;

    // What starts later than it should is late, not lost: rotations are waited for this much longer.
    private const int SparePeriods = 3;

    // The least part of a node's packets that each of its devices carries if both take their turn.
    private const double LeastShare = 0.1;

    // An emulated silo takes a second for what is milliseconds elsewhere.
    private static readonly TimeSpan RotationPeriod = TimeSpan.FromSeconds(20);
    private static readonly TimeSpan RotationSample = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan StopLimit = TimeSpan.FromMinutes(1);

    private async Task<string> RotationAsync(CancellationToken cancellationToken)
    {
        await RestartSilosAsync(RotationPeriod, slots: 2, cancellationToken);
        var keys = await KeysAsync(cancellationToken);
        var carried = await ReadCarriedAsync(cancellationToken);
        var paths = Plan.Nodes.ToDictionary(node => node, _ => new List<string>());

        using var traffic = PodTraffic.Start(RotationPacketsPerSecond, BothWays);
        var started = Time.GetTimestamp();
        var watch = new RotationWatch(Mesh);
        await watch.SampleAsync(cancellationToken);
        while (watch.Fewest < Rotations && Time.GetElapsedTime(started) < RotationPeriod * (Rotations + SparePeriods))
        {
            await SamplePathsAsync();
            await DelayAsync(RotationSample, cancellationToken);
            await watch.SampleAsync(cancellationToken);
        }

        // What the last rotation may cost comes after its key is seen.
        await DelayAsync(RotationPeriod / 4, cancellationToken);
        await SamplePathsAsync();
        var reports = await traffic.StopAsync(LastPackets, cancellationToken);
        carried = (await ReadCarriedAsync(cancellationToken))
            .ToDictionary(count => count.Key, count => count.Value - carried.GetValueOrDefault(count.Key));

        var rotations = await ReadRotationsAsync(cancellationToken);

        var summary = string.Create(
            CultureInfo.InvariantCulture, $"{Plan.Nodes.Sum(watch.Rotations)} rotations, one in {RotationPeriod.TotalSeconds:0} s")
            + $" ({string.Join(", ", Plan.Nodes.Select(node => $"{node.Name} {watch.Rotations(node)}, by its status {rotations[node.Name]} since it started"))}); {Join(reports)}"
            + $"; {string.Join(", ", paths.Select(path => $"{path.Key.Name} sent through {string.Join(", ", path.Value)}"))}"
            + $"; {string.Join(", ", carried.Select(count => $"{count.Key} carried {count.Value}"))}";
        Expect.True(reports.All(report => report.Lost == 0), $"no packet is lost: {summary}");
        Expect.True(
            Plan.Nodes.All(node => watch.Rotations(node) >= Rotations && rotations[node.Name] >= watch.Rotations(node)),
            $"every node rotates {Rotations} times, by its keys and by its status: {summary}");
        Expect.True(
            Plan.Nodes.All(node => MeshPlan.DeviceNames.All(paths[node].Contains)),
            $"the traffic of every node moves to its other device: {summary}");
        Expect.True(
            reports.All(
                report => MeshPlan.DeviceNames.All(device => carried[$"{report.Flow.From.Name} {device}"] >= report.Sent * LeastShare)),
            $"each device carries a part: {summary}");
        Expect.True(!keys.Overlaps(await KeysAsync(cancellationToken)), $"no key is left of those before: {summary}");
        Expect.True(reports.All(report =>
            report.PerSecond > RotationPacketsPerSecond * LeastRate), $"packets are sent at {RotationPacketsPerSecond}/s: {summary}");
        return summary;

        async Task SamplePathsAsync()
        {
            foreach (var (node, path) in paths)
            {
                var device = await ActiveDevice.FindAsync(Mesh, node, cancellationToken);
                if (path.LastOrDefault() != device)
                {
                    path.Add(device);
                }
            }
        }
    }

    // The period is what a silo reads when it starts.
    private async Task RestartSilosAsync(TimeSpan period, int slots, CancellationToken cancellationToken)
    {
        foreach (var node in Plan.Nodes)
        {
            Mesh.Silo(node)!.Signal(NativeMethods.SIGTERM);
        }

        foreach (var node in Plan.Nodes)
        {
            Expect.True(
                await Mesh.Silo(node)!.WaitForExitAsync(StopLimit, Time, cancellationToken), $"{node.Name} stops; its log: {Log(node)}");
        }

        Configure("Strict", period, slots);
        await StartSilosAsync(cancellationToken);
        await WaitReachableAsync(cancellationToken);
    }

    private async Task<HashSet<string>> KeysAsync(CancellationToken cancellationToken)
    {
        var keys = await Task.WhenAll(Plan.Nodes.Select(node => RotationWatch.ReadKeysAsync(Mesh, node, cancellationToken)));
        return [.. keys.SelectMany(key => key)];
    }

    // By node, as the silos count.
    private async Task<Dictionary<string, long>> ReadRotationsAsync(CancellationToken cancellationToken)
    {
        Dictionary<string, long> counts = [];
        await WaitForAsync(
            async () =>
            {
                var (status, _) = await MeshStatusReader.ReadAsync(Mesh, Plan.Nodes[0], cancellationToken);
                counts = status?.Nodes.Values.Where(node => node.Rotations is not null)
                    .ToDictionary(node => node.NodeName, node => node.Rotations!.Value) ?? [];
                return counts.Count == Plan.Nodes.Count;
            },
            "every silo says how often it has rotated",
            cancellationToken);
        return counts;
    }

    // By node and device: packets that the kernel has sent through it.
    private async Task<Dictionary<string, long>> ReadCarriedAsync(CancellationToken cancellationToken)
    {
        Dictionary<string, long> counts = [];
        foreach (var node in Plan.Nodes)
        {
            var lines = await RunAsync(node, string.Join("; ", MeshPlan.DeviceNames.Select(device =>
                $"cat /sys/class/net/{device}/statistics/tx_packets")), cancellationToken);
            foreach (var (device, count) in MeshPlan.DeviceNames.Zip(lines.Split('\n')))
            {
                counts[$"{node.Name} {device}"] = long.Parse(count, CultureInfo.InvariantCulture);
            }
        }

        return counts;
    }
}
