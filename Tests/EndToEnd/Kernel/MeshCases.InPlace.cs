// The cases in which a key is replaced in place, so that every peer begins afresh on the device that carries the traffic.
using System.Globalization;
using Orleans.WireGuard.LocalMesh.Probes;
using Orleans.WireGuard.LocalMesh.Topology;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.EndToEnd.Kernel;

internal sealed partial class MeshCases
{
    // Two handshakes that cross cost 5 s (REKEY_TIMEOUT), and what a silo needs to notice and to write costs an emulation a second or two.
    private static readonly TimeSpan InPlaceSilence = TimeSpan.FromSeconds(15);

    private async Task<string> RotateNowAsync(CancellationToken cancellationToken)
    {
        var victim = Plan.Nodes[1];
        var before = await KeysAsync(cancellationToken);
        var logs = MarkLogs();
        using var traffic = PodTraffic.Start(PacketsPerSecond, BothWays);
        await DelayAsync(RotationSample, cancellationToken);

        // A verb is a runtime of its own, and an emulation may not start one within the verb's limit.
        await WaitForAsync(
            async () => (await Mesh.RunAsync(victim, cancellationToken, "owg", "rotate", "--node", victim.Name)).ExitCode == 0,
            $"{victim.Name} rotates when it is told to",
            cancellationToken);
        await DelayAsync(InPlaceSilence / 2, cancellationToken);
        await WaitReachableAsync(cancellationToken);
        var reports = await traffic.StopAsync(LastPackets, cancellationToken);
        var keys = await RotationWatch.ReadKeysAsync(Mesh, victim, cancellationToken);
        var summary = $"{Join(reports)}; keys of {victim.Name} {string.Join(", ", keys.Select(key => key[..8]))}";
        Expect.True(keys.Any(key => !before.Contains(key)), $"{victim.Name} has a new key: {summary}");
        ExpectInPlace(reports, logs, summary);
        return summary;
    }

    private async Task<string> OneSlotAsync(CancellationToken cancellationToken)
    {
        await RestartSilosAsync(RotationPeriod, slots: 1, cancellationToken);
        var logs = MarkLogs();
        using var traffic = PodTraffic.Start(PacketsPerSecond, BothWays);
        var started = Time.GetTimestamp();
        var watch = new RotationWatch(Mesh);
        await watch.SampleAsync(cancellationToken);
        while (watch.Fewest < Rotations && Time.GetElapsedTime(started) < RotationPeriod * (Rotations + SparePeriods))
        {
            await DelayAsync(RotationSample, cancellationToken);
            await watch.SampleAsync(cancellationToken);
        }

        // A part of a period in which nothing rotates.
        await DelayAsync(RotationPeriod / 4, cancellationToken);
        await WaitReachableAsync(cancellationToken);
        var reports = await traffic.StopAsync(LastPackets, cancellationToken);
        var summary = $"rotations {watch.Describe()}; {Join(reports)}";
        Expect.True(watch.Fewest >= Rotations, $"every node rotates {Rotations} times: {summary}");
        ExpectInPlace(reports, logs, summary);
        return summary;
    }

    // A device that differs from what was just written is what a transport that does not keep the order leaves; a later pass would hide it.
    private void ExpectInPlace(IReadOnlyList<FlowReport> reports, Dictionary<NodePlan, int> logs, string summary)
    {
        foreach (var (node, lines) in logs)
        {
            var failures = File.ReadLines(Mesh.State.SiloLog(node)).Skip(lines)
                .Where(line => line.Contains("still differs", StringComparison.Ordinal)).ToList();
            Expect.True(failures.Count == 0, $"{node.Name} reads back what it wrote: {summary}; {string.Join(" / ", failures.Take(2))}");

            // What the kernel's device counts of all this traffic, handshakes and keepalives is not taken for packets that netfilter did
            // not see.
            var alarms = File.ReadLines(Mesh.State.SiloLog(node)).Where(line => line.Contains("OWG307", StringComparison.Ordinal)
                || line.Contains("OWG313", StringComparison.Ordinal)).ToList();
            Expect.True(alarms.Count == 0, $"{node.Name} finds no blind spot: {string.Join(" / ", alarms.Take(2))}");
        }

        Expect.True(
            reports.All(report => report.LongestSilence < InPlaceSilence),
            string.Create(CultureInfo.InvariantCulture, $"no silence of {InPlaceSilence.TotalSeconds:0} s: {summary}"));
    }

    private Dictionary<NodePlan, int> MarkLogs() =>
        Plan.Nodes.ToDictionary(node => node, node => File.ReadLines(Mesh.State.SiloLog(node)).Count());
}
