using System.Globalization;
using System.Text.Json.Nodes;
using Orleans.WireGuard.Linux.Routing.Firewall;
using Orleans.WireGuard.LocalMesh.Capture;
using Orleans.WireGuard.LocalMesh.Meter;
using Orleans.WireGuard.LocalMesh.Silos;
using Orleans.WireGuard.LocalMesh.Topology;

namespace Orleans.WireGuard.Tests.EndToEnd;

/// <summary>Two nodes, IPv4 and IPv6, strict, in which nothing rotates, and routes by which pods would reach each other in clear.</summary>
public sealed class WayFixture() : QuietMeshFixture(new MeshPlan("owgw", 2, 115, 235, isDualStack: true));

/// <summary>Something else routes on a node: what is on the underlay, and what people are told.</summary>
[Trait("Kind", "EndToEnd")]
[Collection(LocalMeshCollection.Name)]
public sealed class WayTests(WayFixture fixture, ITestOutputHelper output) : IClassFixture<WayFixture>
{
    private const string Probe = "198.18.0.0/15";

    private static readonly TimeSpan Watch = TimeSpan.FromSeconds(3);

    // Below the resync of 30 s: who is this fast was told.
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(10);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private static TimeProvider Time => TimeProvider.System;

    private MeshHarness Mesh => fixture.Mesh;

    [Fact]
    public async Task RuleBeforeOurs_LeaksNothingAndIsSaidEverywhere()
    {
        LocalMeshCollection.SkipUnlessPossible();
        var node = Mesh.Plan.Nodes[0];
        await Mesh.Topology.AddPlainRoutesAsync(Token);
        var capture = await PacketCapture.StartAsync(Mesh, "past-our-table", Time, Token);
        StartPings(node);
        try
        {
            await ShellAsync(node, "ip rule add pref 105 lookup main suppress_prefixlength 0; ip -6 rule add pref 105 lookup main suppress_prefixlength 0");
            var started = Time.GetTimestamp();
            await UntilAsync(async () => !(await Mesh.AskReadyAsync(node, Token)).IsReady, "the node not to be ready");
            var noticed = Time.GetElapsedTime(started);
            await Task.Delay(Watch, Time, Token);
            var status = await Mesh.RunAsync(Mesh.Plan.Nodes[1], Token, "owg", "status");
            var reason = (await Mesh.AskReadyAsync(node, Token)).Reason;
            var dropped = await ReadDroppedAsync(node);
            var (tally, lost) = await capture.StopAsync(new FrameClassifier(Mesh.Plan, default), Token);
            output.WriteLine($"noticed after {noticed.TotalMilliseconds:0} ms; in clear {tally[FrameKind.PodInClear]}, dropped where they leave {dropped}, frames lost by the capture {lost}\n{reason}");

            Assert.Equal((0, 0), (tally[FrameKind.PodInClear], lost));
            Assert.True(dropped > 2, $"only {dropped} packets were dropped");
            Assert.Equal(3, status.ExitCode);
            foreach (var text in (string[])[reason, status.Output])
            {
                Assert.Contains(
                    "rule '105: from all lookup main suppress_prefixlength 0' decides before ours", text, StringComparison.Ordinal);
                Assert.Contains($"{Mesh.Plan.Nodes[1].PodCIDR} ({Mesh.Plan.Nodes[1].Name})", text, StringComparison.Ordinal);
            }
        }
        finally
        {
            await ShellAsync(node, "ip rule delete pref 105; ip -6 rule delete pref 105");
            await Mesh.Topology.RemovePlainRoutesAsync(Token);
        }

        await UntilAsync(async () => (await Mesh.AskReadyAsync(node, Token)).IsReady, "the node to be ready again", async () =>
            (await Mesh.AskReadyAsync(node, Token)).Reason);
        Assert.Equal(0, (await Mesh.RunAsync(node, Token, "owg", "status")).ExitCode);
    }

    [Fact]
    public async Task RoutesOfOthersInOurTable_AreRemovedAndCounted()
    {
        LocalMeshCollection.SkipUnlessPossible();
        var (node, other) = (Mesh.Plan.Nodes[0], Mesh.Plan.Nodes[1]);
        string[] commands =
        [
            $"ip route add default via {other.Address} table 201",
            $"ip -6 route add default via {other.IPv6!.Address} table 201",
            $"ip route add {Probe} via {other.Address} table 201 metric 7 proto static",
        ];
        var before = await AddedAsync(node);
        var wanted = "";
        await UntilAsync(
            async () => (wanted = await TableAsync(node)).Split('\n').Count(route => route.Contains("dev DEVICE", StringComparison.Ordinal)) >= 2,
            "a route of each family to lead through a device");
        foreach (var command in commands)
        {
            await ShellAsync(node, command);
            var started = Time.GetTimestamp();
            await UntilAsync(async () => await TableAsync(node) == wanted, $"'{command}' to be undone");
            output.WriteLine($"{command}: removed after {Time.GetElapsedTime(started).TotalMilliseconds:0} ms");
        }

        await UntilAsync(async () => (await AddedAsync(node)).Count == before.Count + commands.Length, "all of them to be counted");
        Assert.StartsWith($"{Probe} via {other.Address} dev", (await AddedAsync(node)).Subject, StringComparison.Ordinal);
    }

    [Fact]
    public async Task OtherTable_AfterARestart_LosesNothingAndLeavesNothing()
    {
        LocalMeshCollection.SkipUnlessPossible();
        var node = Mesh.Plan.Nodes[1];
        await Mesh.Topology.AddPlainRoutesAsync(Token);
        var capture = await PacketCapture.StartAsync(Mesh, "other-table", Time, Token);
        await Mesh.FavourDevicesAsync(Token);
        await using var meter = new PacketMeter([.. Mesh.Plan.Nodes.Select(MeterEndpoint.OfPod)], Time);
        try
        {
            await MoveAsync(1000, 90);
            Assert.Equal("", (await Mesh.RunAsync(node, Token, "ip", "rule", "show", "lookup", "201")).Output);
            Assert.Equal("", (await Mesh.RunAsync(node, Token, "ip", "route", "show", "table", "201")).Output);
            Assert.Contains("dev cilium_wg", (await Mesh.RunAsync(node, Token, "ip", "route", "show", "table", "1000"))
                .EnsureSuccess().Output, StringComparison.Ordinal);
            Assert.StartsWith("90:", (await Mesh.RunAsync(node, Token, "ip", "rule", "show", "lookup", "1000"))
                .EnsureSuccess().Output, StringComparison.Ordinal);
            await MoveAsync(201, 201);
            Assert.Equal("", (await Mesh.RunAsync(node, Token, "ip", "rule", "show", "lookup", "1000")).Output);
        }
        finally
        {
            await Mesh.Topology.RemovePlainRoutesAsync(Token);
        }

        var report = await meter.StopAsync(Token);
        var (tally, _) = await capture.StopAsync(new FrameClassifier(Mesh.Plan, default), Token);
        output.WriteLine($"table 201, 1000, 201: {report.Lost} of {report.Flows.Sum(flow => flow.Sent)} packets lost, in clear {tally[FrameKind.PodInClear]}\n{report}");
        Assert.Equal((0, 0L), (tally[FrameKind.PodInClear], report.Lost));

        async Task MoveAsync(int table, int priority)
        {
            var path = Mesh.State.SiloConfiguration(node);
            var configuration = JsonNode.Parse(await File.ReadAllTextAsync(path, Token))!;
            configuration["Routing"] = new JsonObject { ["Table"] = table, ["RulePriority"] = priority };
            await File.WriteAllTextAsync(path, configuration.ToJsonString(), Token);
            await Mesh.KillSiloAsync(node, Token);
            Mesh.StartSilo(node);
            await fixture.Starter.WaitReadyAsync([node], Token);
        }
    }

    private void StartPings(NodePlan from)
    {
        var to = Mesh.Plan.Nodes.First(node => node != from);
        foreach (var address in (string[])[to.PodAddress.ToString(), to.IPv6!.PodAddress.ToString()])
        {
            Mesh.Recorder.Start(
                ["ip", "netns", "exec", from.PodNamespace, "ping", "-i", "0.05", address],
                Path.Combine(Mesh.State.CaptureDirectory, $"way-{address.Replace(':', '-')}.log"));
        }
    }

    private async Task ShellAsync(NodePlan node, string line) => (await Mesh.RunAsync(node, Token, "sh", "-c", line)).EnsureSuccess();

    // Traffic may move to the other device meanwhile, and that is not what is compared.
    private async Task<string> TableAsync(NodePlan node) =>
        (await Mesh.RunAsync(
            node, Token, "sh", "-c", $"{{ ip route show table 201; ip -6 route show table 201; }} | sed -E 's/{ActiveDevice.Pattern}/DEVICE/'"))
                .EnsureSuccess().Output;

    private async Task<(long Count, string Subject)> AddedAsync(NodePlan node) =>
        (await NodeStatusQuery.ReadAsync(Mesh, node, node, Token)).GetProperty("drifts").EnumerateArray()
            .Where(drift => drift.GetProperty("kind").GetString() == nameof(DriftKind.RouteAdded))
            .Select(drift => (drift.GetProperty("count").GetInt64(), drift.GetProperty("lastSubject").GetString()!)).SingleOrDefault();

    private async Task<long> ReadDroppedAsync(NodePlan node)
    {
        var text = (await Mesh.RunAsync(node, Token, "nft", "list", "counter", "inet", FirewallTable.Name, FirewallTable.OutgoingCounter))
            .EnsureSuccess().Output;
        return long.Parse(text.Split("packets ")[1].Split(' ')[0], CultureInfo.InvariantCulture);
    }

    private static async Task UntilAsync(Func<Task<bool>> condition, string what, Func<Task<string>>? why = null)
    {
        var started = Time.GetTimestamp();
        while (!await condition())
        {
            if (Time.GetElapsedTime(started) >= Limit)
            {
                Assert.Fail($"Waited {Limit.TotalSeconds:0} s in vain for {what}. {(why is null ? "" : await why())}");
            }

            await Task.Delay(TimeSpan.FromMilliseconds(50), Time, Token);
        }
    }
}
