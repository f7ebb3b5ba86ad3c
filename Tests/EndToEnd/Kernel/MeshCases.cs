using System.Globalization;
using System.Text.Json.Nodes;
using Orleans.WireGuard.LocalMesh.Check;
using Orleans.WireGuard.LocalMesh.Processes;
using Orleans.WireGuard.LocalMesh.Silos;
using Orleans.WireGuard.LocalMesh.Topology;
using Orleans.WireGuard.Tests.Support;

// Cases in which the whole silo runs on the kernel's WireGuard: two nodes inside the guest of the kernel test bed.

namespace Orleans.WireGuard.Tests.EndToEnd.Kernel;

/// <summary>A case, and what it has to say besides that it passed.</summary>
/// <param name="Name">Unique; words joined by underscores.</param>
/// <param name="Run">Throws if it fails; returns what it measured.</param>
/// <param name="IsLong">Whether it is left out where minutes count, because it starts silos again for what others show nearly.</param>
internal sealed record MeshCase(string Name, Func<MeshCases, CancellationToken, Task<string>> Run, bool IsLong = false);

/// <summary>
/// Two nodes with a silo each, IPv4 and IPv6, strict, and with routes by which pods would reach each other in clear. Made once for all
/// cases, which run in order.
/// </summary>
internal sealed partial class MeshCases
{
    // Each way. A packet costs an emulation more than a millisecond of a processor, and the silo that starts beside them needs both.
    private const int PacketsPerSecond = 100;

    // A runtime that starts takes its share of the emulation; on a machine without load that is 0.1 percent.
    private const double LeastRate = 0.5;

    // An emulated runtime takes half a minute to start, and several on a machine that others use too.
    private static readonly TimeSpan StartLimit = TimeSpan.FromMinutes(6);
    private static readonly TimeSpan NoRotationFor = TimeSpan.FromMinutes(30);
    private static readonly TimeSpan Downtime = TimeSpan.FromSeconds(20);
    private static readonly TimeSpan LastPackets = TimeSpan.FromSeconds(2);

    // A question costs an emulation what a silo that starts would need.
    private static readonly TimeSpan Poll = TimeSpan.FromSeconds(1);

    private static readonly MeshPlan Plan = new("owgk", 2, 104, 248, isDualStack: true);

    private static readonly TimeProvider Time = TimeProvider.System;

    private MeshHarness? _mesh;
    private Task<string>? _start;
    private int _restarts;

    /// <summary>All cases.</summary>
    public static IReadOnlyList<MeshCase> All { get; } =
    [
        new("silos_start_on_the_kernel", (mesh, token) => mesh._start = mesh.SilosStartAsync(token)),
        Then("killed_silo_keeps_its_key_and_loses_no_packet", (mesh, token) => mesh.KilledSiloAsync(token), isLong: true),
        Then("every_tampering_is_repaired", (mesh, token) => mesh.DriftAsync(token)),
        Then("strict_without_tunnel_nothing_is_in_clear", (mesh, token) => mesh.TunnelGoneAsync("Strict", token)),
        Then("permissive_without_tunnel_shows_what_strict_hides", (mesh, token) => mesh.TunnelGoneAsync("Permissive", token)),
        Then("rotate_now_begins_afresh_in_place", (mesh, token) => mesh.RotateNowAsync(token)),
        Then("rotations_lose_no_packet", (mesh, token) => mesh.RotationAsync(token)),
        Then("one_slot_rotates_in_place", (mesh, token) => mesh.OneSlotAsync(token), isLong: true),
    ];

    private MeshHarness Mesh => _mesh ?? throw new ExpectationException("expected: the first case made a mesh");

    private static IEnumerable<Flow> BothWays => Plan.OrderedPairs.Select(pair => new Flow(pair.From, pair.To));

    private static IEnumerable<Flow> BothWaysAndFamilies => BothWays.Concat(BothWays.Select(flow => flow with { IsIPv6 = true }));

    // Without silos every one of these would wait for its limit. Run alone, it starts them itself.
    private static MeshCase Then(string name, Func<MeshCases, CancellationToken, Task<string>> run, bool isLong = false) => new(
        name,
        async (mesh, token) =>
        {
            Expect.True(mesh._start is null or { IsCompletedSuccessfully: true }, "the silos started; see the first case");
            await (mesh._start ??= mesh.SilosStartAsync(token));
            return await run(mesh, token);
        },
        isLong);

    private async Task<string> SilosStartAsync(CancellationToken cancellationToken)
    {
        var started = Time.GetTimestamp();
        _mesh = await MeshHarness.CreateAsync(Plan, MeshState.For(Plan), Time, _ => { }, cancellationToken);
        await _mesh.Topology.AddPlainRoutesAsync(cancellationToken);
        _mesh.InstallBinary(Path.Combine(AppContext.BaseDirectory, "owg"));
        Configure("Strict");
        await _mesh.Redis.StartAsync(cancellationToken);
        await StartSilosAsync(cancellationToken);
        var ready = Time.GetElapsedTime(started);
        await WaitReachableAsync(cancellationToken);
        var reachable = Time.GetElapsedTime(started);
        foreach (var node in Plan.Nodes)
        {
            Expect.True((await File.ReadAllTextAsync(_mesh.State.SiloLog(node), cancellationToken))
                .Contains("driven by netlink", StringComparison.Ordinal));
            Expect.True((await RunAsync(node, $"ip -d link show {await ActiveDevice.FindAsync(_mesh, node, cancellationToken)}", cancellationToken)).Contains("wireguard", StringComparison.Ordinal));
        }

        return string.Create(CultureInfo.InvariantCulture, $"ready after {ready.TotalSeconds:0} s, pods reach each other after {reachable.TotalSeconds:0} s");
    }

    // One after the other: two runtimes that start at once take each other's time, which is what limits are about.
    private async Task StartSilosAsync(CancellationToken cancellationToken)
    {
        foreach (var node in Plan.Nodes)
        {
            Mesh.StartSilo(node);
            await WaitReadyAsync([node], cancellationToken);
        }

        await WaitReadyAsync(cancellationToken);
    }

    private async Task<string> KilledSiloAsync(CancellationToken cancellationToken)
    {
        var victim = Plan.Nodes[1];
        await NodeStatusQuery.WaitMovedAsync(Mesh, Plan.Nodes, cancellationToken);
        var key = await KeyAsync(victim, cancellationToken);
        using var traffic = PodTraffic.Start(PacketsPerSecond, BothWays);
        await DelayAsync(TimeSpan.FromSeconds(2), cancellationToken);

        await Mesh.KillSiloAsync(victim, cancellationToken);
        await DelayAsync(Downtime, cancellationToken);
        Mesh.StartSilo(victim);
        var started = Time.GetTimestamp();
        await WaitReadyAsync(cancellationToken);
        var ready = Time.GetElapsedTime(started);
        await DelayAsync(TimeSpan.FromSeconds(5), cancellationToken);

        var reports = await traffic.StopAsync(LastPackets, cancellationToken);
        var after = await KeyAsync(victim, cancellationToken);
        var summary = string.Create(
            CultureInfo.InvariantCulture,
            $"{Join(reports)}; ready {ready.TotalSeconds:0} s after the restart, {_restarts} more restarts; key {key[..8]} before, {after[..8]} after");
        Expect.True(key == after, $"the same key before and after: {summary}");
        Expect.True(reports.All(report => report.Lost == 0), $"no packet is lost: {summary}");

        Expect.True(reports.All(report => report.PerSecond > PacketsPerSecond * LeastRate), $"packets are sent at {PacketsPerSecond}/s: {summary}");
        return summary;
    }

    private async Task<string> DriftAsync(CancellationToken cancellationToken)
    {
        var node = Plan.Nodes[0];

        // Each question starts a runtime, so they are asked once: nothing has been counted before, everything after.
        var rows = await DriftTable.RunAsync(Mesh, node, readCounts: null, () => WaitReadyAsync(cancellationToken), cancellationToken);
        var status = await NodeStatusQuery.ReadAsync(Mesh, node, node, cancellationToken);
        var counts = status.GetProperty("drifts").EnumerateArray().Select(drift => drift.GetProperty("kind").GetString()!).ToHashSet();
        var summary = string.Join("; ", rows);
        Expect.True(
            rows.All(row => counts.Contains(row.Kind.ToString())), $"every kind is counted, got {string.Join(", ", counts)}: {summary}");
        Expect.True(rows.All(row => row.Repaired < TimeSpan.FromSeconds(10)), $"each is repaired within 10 s: {summary}");
        await WaitReachableAsync(cancellationToken);
        return summary;
    }

    // The resync is what follows a changed mode, so it comes often here.
    private void Configure(string mode, TimeSpan? period = null, int slots = 2) =>
        Mesh.Configure(period ?? QuietPeriod.Choose(Time.GetUtcNow(), NoRotationFor), configuration =>
    {
        configuration["Encryption"] = new JsonObject { ["Mode"] = mode };
        configuration["Device"] = new JsonObject { ["Transport"] = "Kernel", ["ResyncInterval"] = "00:00:10" };
        configuration["Rotation"]!["Slots"] = slots;
        configuration["Dashboard"]!["Enabled"] = false;
    });

    private void SignalSilos(int signal)
    {
        foreach (var node in Plan.Nodes)
        {
            Mesh.Silo(node)?.Signal(signal);
        }
    }

    private Task WaitReadyAsync(CancellationToken cancellationToken) => WaitReadyAsync(Plan.Nodes, cancellationToken);

    // On a machine with little time left for the emulation a silo answers no probes, is declared dead and ends itself; whoever started it
    // starts it again, as Kubernetes does.
    private Task WaitReadyAsync(IReadOnlyList<NodePlan> nodes, CancellationToken cancellationToken) => WaitForAsync(
        async () =>
        {
            foreach (var node in nodes.Where(node => Mesh.Silo(node) is { IsAlive: false }))
            {
                _restarts++;
                Mesh.StartSilo(node);
            }

            return (await Task.WhenAll(nodes.Select(node => Mesh.AskReadyAsync(node, cancellationToken)))).All(answer => answer.IsReady);
        },
        "the silos are ready",
        cancellationToken);

    private Task WaitReachableAsync(CancellationToken cancellationToken) => WaitForAsync(
        async () =>
        {
            foreach (var (from, to) in Plan.OrderedPairs)
            {
                foreach (var address in new[] { to.PodAddress, to.IPv6!.PodAddress })
                {
                    var ping = await Command.RunAsync(
                        "ip", ["netns", "exec", from.PodNamespace, "ping", "-c", "1", "-W", "1", address.ToString()], cancellationToken);
                    if (ping.ExitCode != 0)
                    {
                        return false;
                    }
                }
            }

            return true;
        },
        "the pods reach each other",
        cancellationToken);

    private async Task WaitForAsync(Func<Task<bool>> condition, string what, CancellationToken cancellationToken)
    {
        var started = Time.GetTimestamp();
        while (!await condition())
        {
            Expect.True(
                Time.GetElapsedTime(started) < StartLimit, $"{what} within {StartLimit}; logs: {string.Join(" ", Plan.Nodes.Select(Log))}");
            await DelayAsync(Poll, cancellationToken);
        }
    }

    // The first faults and the last lines, without the traces of their stacks.
    private string Log(NodePlan node)
    {
        const int Faults = 6;
        const int Last = 20;
        const int Columns = 300;
        var file = Mesh.State.SiloLog(node);
        IReadOnlyList<string> lines = File.Exists(file) ? File.ReadAllLines(file) : [];
        var faults = lines.Where(line => line.Contains(" fail: ", StringComparison.Ordinal)
            || line.Contains(" crit: ", StringComparison.Ordinal)).Take(Faults);
        return $"{node.Name}: {string.Join('\n', faults.Concat(lines.TakeLast(Last)).Select(line => line[..Math.Min(line.Length, Columns)]))}";
    }

    private async Task<string> KeyAsync(NodePlan node, CancellationToken cancellationToken) =>
        (await RunAsync(node, $"wg show {await ActiveDevice.FindAsync(Mesh, node, cancellationToken)} public-key", cancellationToken))
            .Trim();

    private async Task<string> RunAsync(NodePlan node, string line, CancellationToken cancellationToken) =>
        (await Mesh.RunAsync(node, cancellationToken, "sh", "-c", line)).EnsureSuccess().Output.Trim();

    private static string Join(IEnumerable<FlowReport> reports) => string.Join("; ", reports);

    private static Task DelayAsync(TimeSpan time, CancellationToken cancellationToken) => Task.Delay(time, Time, cancellationToken);
}
