using System.Text.Json;
using Orleans.WireGuard.LocalMesh.Check;
using Orleans.WireGuard.LocalMesh.Probes;
using Orleans.WireGuard.LocalMesh.Processes;
using Orleans.WireGuard.LocalMesh.Topology;

namespace Orleans.WireGuard.Tests.EndToEnd;

/// <summary>A mesh of two nodes in which nothing rotates.</summary>
public sealed class SteadyMeshFixture() : QuietMeshFixture(MeshPlan.Steady(2));

/// <summary>The data plane outlives the silo, and what others do to it is repaired. With real WireGuard and real packets.</summary>
[Trait("Kind", "EndToEnd")]
[Collection(LocalMeshCollection.Name)]
public sealed class SteadyMeshTests(SteadyMeshFixture fixture, ITestOutputHelper output) : IClassFixture<SteadyMeshFixture>
{
    // Below the resync of 30 s, which would repair all of it: who is this fast was told.
    private static readonly TimeSpan RepairLimit = TimeSpan.FromSeconds(20);
    private static readonly TimeSpan FollowLimit = TimeSpan.FromSeconds(20);
    private static readonly TimeSpan ReachTimeout = TimeSpan.FromSeconds(60);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private static TimeProvider Time => TimeProvider.System;

    [Fact]
    public async Task Silo_KilledAndStartedAgain_KeepsItsKeyAndLosesNoPacket()
    {
        LocalMeshCollection.SkipUnlessPossible();
        var (mesh, victim) = (fixture.Mesh, fixture.Mesh.Plan.Nodes[1]);
        var ledger = new PingLedger(capacity: 32_768);
        await using var pinger = new PodPinger(mesh.Plan, ledger, new byte[16], TimeSpan.FromMilliseconds(4), Time);
        await WaitReachableAsync(ledger, Time.GetUtcNow());
        await NodeStatusQuery.WaitMovedAsync(mesh, mesh.Plan.Nodes, Token);
        var key = await KeyAsync(victim);
        var sequence = await SequenceAsync(victim);

        var from = Time.GetUtcNow();
        await mesh.KillSiloAsync(victim, Token);
        await Task.Delay(TimeSpan.FromSeconds(20), Time, Token);
        mesh.StartSilo(victim);
        var started = Time.GetTimestamp();
        await fixture.Starter.WaitReadyAsync([victim], Token);
        var ready = Time.GetElapsedTime(started);
        await Task.Delay(TimeSpan.FromSeconds(5), Time, Token);
        var until = Time.GetUtcNow();
        await Task.Delay(MeshProbes.Patience, Time, Token);

        var reports = mesh.Plan.OrderedPairs.Select(p => ledger.Report(new NodePair(p.From.Name, p.To.Name), from, until)).ToList();
        output.WriteLine(
            $"{reports.Sum(r => r.Sent)} pings both ways in {(until - from).TotalSeconds:0.0} s, {reports.Sum(r => r.Lost)} lost; ready {ready.TotalSeconds:0.0} s after the restart; "
            + $"key {key[..8]} before, {(await KeyAsync(victim))[..8]} after; sequence {sequence} before, {await SequenceAsync(victim)} after");
        Assert.Equal(key, await KeyAsync(victim));
        Assert.NotEqual(sequence, await SequenceAsync(victim));
        Assert.All(reports, report => Assert.True(report.Sent > 1_000, $"only {report.Sent} pings were sent"));
        Assert.Equal(0, reports.Sum(r => r.Lost));
    }

    // Who got the last packet sends a keepalive 10 s later, which nobody answers. What is not answered for 30 s after it was sent makes a
    // node not ready.
    [Fact]
    [Trait("Length", "Long")]
    public async Task Pods_SilentAfterAFewPackets_LeaveTheNodesReady()
    {
        LocalMeshCollection.SkipUnlessPossible();
        var (mesh, from, to) = (fixture.Mesh, fixture.Mesh.Plan.Nodes[0], fixture.Mesh.Plan.Nodes[1]);
        await fixture.Starter.WaitReadyAsync(mesh.Plan.Nodes, Token);
        (await Command.RunAsync("ip", ["netns", "exec", from.PodNamespace, "ping", "-c", "3", "-W", "2", to.PodAddress.ToString()], Token))
            .EnsureSuccess();
        var started = Time.GetTimestamp();
        while (Time.GetElapsedTime(started) < TimeSpan.FromSeconds(10 + 30 + 5))
        {
            foreach (var node in mesh.Plan.Nodes)
            {
                var (isReady, reason) = await mesh.AskReadyAsync(node, Token);
                Assert.True(isReady, $"{node.Name} after {Time.GetElapsedTime(started).TotalSeconds:0} s: {reason}");
            }

            await Task.Delay(TimeSpan.FromSeconds(1), Time, Token);
        }
    }

    [Fact]
    public async Task Drift_EveryKindOfTampering_IsRepairedBeforeTheResync()
    {
        LocalMeshCollection.SkipUnlessPossible();
        var (mesh, node) = (fixture.Mesh, fixture.Mesh.Plan.Nodes[0]);
        var table = await DriftTable.RunAsync(
            mesh, node, () => DriftsAsync(node), () => fixture.Starter.WaitReadyAsync([node], Token), Token);
        foreach (var row in table)
        {
            output.WriteLine(row.ToString());
        }

        var ledger = new PingLedger();
        await using var pinger = new PodPinger(mesh.Plan, ledger, new byte[16], PodPinger.PaceFor(mesh.Plan), Time);
        await WaitReachableAsync(ledger, Time.GetUtcNow());
        Assert.All(table, row => Assert.True(row.Repaired < RepairLimit, $"{row.Kind} took {row.Repaired}"));
        Assert.All(table, row => Assert.Contains(row.Kind.ToString(), row.Counted, StringComparison.Ordinal));
    }

    // Two families: DualStackMeshTests.
    [Fact]
    public async Task Mtu_UnderlayChanges_IsFollowedAtOnce()
    {
        LocalMeshCollection.SkipUnlessPossible();
        try
        {
            var took = await Underlay.NarrowAsync(fixture.Mesh, 1400, "1340", FollowLimit);
            output.WriteLine($"1500 to 1400: followed after {took.TotalMilliseconds:0} ms");
        }
        finally
        {
            await Underlay.NarrowAsync(fixture.Mesh, 1500, "1440", FollowLimit);
        }
    }

    [Fact]
    public async Task Cleanup_AfterTheSiloDied_RemovesWhatItMadeAndNothingElse()
    {
        LocalMeshCollection.SkipUnlessPossible();
        var (mesh, node) = (fixture.Mesh, fixture.Mesh.Plan.Nodes[1]);
        const string Others = "ip link add other0 type veth peer name other1 && ip link set other0 up && ip link set other1 up "
            + "&& ip route add 203.0.113.0/24 dev other0 table 201 proto static && ip rule add from 203.0.113.0/24 lookup 201 pref 300";
        const string Remove = "ip link delete other0; ip rule delete pref 300";
        const string Show = "ip -o link show; ip route show table all; ip rule show";
        try
        {
            var busy = await mesh.RunAsync(node, Token, "owg", "cleanup");
            Assert.Equal(1, busy.ExitCode);
            Assert.Contains("--force", busy.Error, StringComparison.Ordinal);

            // A silo that runs would remove a route of others from its table.
            await mesh.KillSiloAsync(node, Token);
            (await mesh.RunAsync(node, Token, "sh", "-c", Others)).EnsureSuccess();
            var before = await LinesAsync(Show);
            var result = (await mesh.RunAsync(node, Token, "owg", "cleanup", "-o", "json")).EnsureSuccess();
            var after = await LinesAsync(Show);
            output.WriteLine(result.Output);

            using var document = JsonDocument.Parse(result.Output);
            var removed = document.RootElement.GetProperty("removed").EnumerateArray().Select(item => item.GetProperty("kind").GetString());
            Assert.Equal(["device", "firewall", "route", "rule", "witness"], removed.Distinct().Order(StringComparer.Ordinal));
            Assert.All(before.Except(after), line => Assert.True(
                IsOfDevice(line) || line.StartsWith("201:", StringComparison.Ordinal)
                    || (line.StartsWith("200:", StringComparison.Ordinal) && line.EndsWith("proto 201", StringComparison.Ordinal))
                    || (line.StartsWith("unreachable", StringComparison.Ordinal) && line.Contains("table 201", StringComparison.Ordinal)),
                line));
            Assert.DoesNotContain(after, IsOfDevice);
            Assert.Equal(2, after.Count(line => line.Contains("203.0.113.0/24", StringComparison.Ordinal)));
            Assert.Empty(after.Except(before));

            var again = await mesh.RunAsync(node, Token, "owg", "cleanup");
            Assert.Equal((0, "Nothing to remove.\n"), (again.ExitCode, again.Output));
        }
        finally
        {
            await mesh.RunAsync(node, Token, "sh", "-c", Remove);
            if (mesh.Silo(node) is not { IsAlive: true })
            {
                mesh.StartSilo(node);
                await fixture.Starter.WaitReadyAsync([node], Token);
            }
        }

        static bool IsOfDevice(string line) => MeshPlan.DeviceNames.Any(name => line.Contains(name, StringComparison.Ordinal));

        async Task<HashSet<string>> LinesAsync(string command) =>
            (await mesh.RunAsync(node, Token, "sh", "-c", command)).Output.Split('\n').ToHashSet();
    }

    private async Task<DeviceDump> DumpAsync(NodePlan node) => DeviceDump.Parse(
        (await fixture.Mesh.RunAsync(node, Token, "wg", "show", await ActiveDevice.FindAsync(fixture.Mesh, node, Token), "dump"))
            .EnsureSuccess().Output, out _);

    private async Task<string> KeyAsync(NodePlan node) => (await DumpAsync(node)).PublicKey!;

    private async Task<string> SequenceAsync(NodePlan node)
    {
        var status = await StatusAsync(node);
        return status.GetProperty("delivery").GetProperty("sequence").ToString();
    }

    private async Task<Dictionary<string, long>> DriftsAsync(NodePlan node) =>
        (await StatusAsync(node)).GetProperty("drifts").EnumerateArray()
        .ToDictionary(drift => drift.GetProperty("kind").GetString()!, drift => drift.GetProperty("count").GetInt64());

    private Task<JsonElement> StatusAsync(NodePlan node) => NodeStatusQuery.ReadAsync(fixture.Mesh, node, node, Token);

    private async Task WaitReachableAsync(PingLedger ledger, DateTimeOffset since)
    {
        var started = Time.GetTimestamp();
        while (fixture.Mesh.Plan.OrderedPairs.Any(p => !(ledger.LastAnswered(new NodePair(p.From.Name, p.To.Name)) >= since)))
        {
            if (Time.GetElapsedTime(started) > ReachTimeout)
            {
                Assert.Fail($"The pods do not reach each other.\n{await fixture.DescribeAsync(Token)}");
            }

            await Task.Delay(TimeSpan.FromMilliseconds(50), Time, Token);
        }
    }
}
