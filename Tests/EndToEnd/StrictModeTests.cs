using System.Globalization;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Orleans.WireGuard.Linux.Routing.Firewall;
using Orleans.WireGuard.LocalMesh.Capture;
using Orleans.WireGuard.LocalMesh.Processes;
using Orleans.WireGuard.LocalMesh.Silos;
using Orleans.WireGuard.LocalMesh.Topology;

namespace Orleans.WireGuard.Tests.EndToEnd;

/// <summary>
/// Two nodes, IPv4 and IPv6, with routes by which pods would reach each other in clear: what is on the underlay when the tunnel is gone.
/// </summary>
[Trait("Kind", "EndToEnd")]
[Collection(LocalMeshCollection.Name)]
public sealed partial class StrictModeTests
{
    // A prefix of its own: addresses of two families, and nothing that another run of the IPv4 meshes could leave or take.
    private static readonly MeshPlan Plan = new("owgs", 2, 103, 247, isDualStack: true);
    private static readonly MeshState State = MeshState.For(Plan);
    private static readonly TimeSpan Period = TimeSpan.FromDays(1);
    private static readonly TimeSpan Watch = TimeSpan.FromSeconds(3);
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);
    private static readonly CancellationToken Token = TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("Strict")]
    [InlineData("Permissive")]
    public async Task TunnelGone_WhilePodsSend_NothingIsInClearUnlessPermitted(string mode)
    {
        LocalMeshCollection.SkipUnlessPossible();
        await using var mesh = await StartAsync(mode);
        await mesh.Topology.AddPlainRoutesAsync(Token);
        var capture = await PacketCapture.StartAsync(mesh, "tunnel-gone", TimeProvider.System, Token);
        var logs = StartPings(mesh);
        await DelayAsync(Watch);

        // The worst that can happen: nobody is there to repair it, and the devices go with their routes.
        foreach (var node in Plan.Nodes)
        {
            await mesh.KillSiloAsync(node, Token);
            foreach (var device in MeshPlan.DeviceNames)
            {
                (await mesh.RunAsync(node, Token, "ip", "link", "delete", device)).EnsureSuccess();
            }
        }

        await DelayAsync(Watch);
        foreach (var (from, to) in Targets(Plan.Nodes))
        {
            Assert.Equal(mode == "Permissive", (await PingAsync(from, to)).ExitCode == 0);
        }

        var (gone, dropped) = await capture.StopAsync(new FrameClassifier(Plan, default), Token);
        Report($"{mode}, tunnel gone for {Watch.TotalSeconds} s: {gone}; dropped by the capture: {dropped}");
        Assert.Equal(0, dropped);
        Assert.True(gone[FrameKind.WireGuard] > 0, "There was no tunnel before.");

        // And at the start of a silo, until its tunnels are there.
        var start = await PacketCapture.StartAsync(mesh, "start", TimeProvider.System, Token);
        foreach (var node in Plan.Nodes)
        {
            mesh.StartSilo(node);
        }

        await new MeshStarter(mesh, TimeProvider.System, Report).WaitReadyAsync(Plan.Nodes, Token);
        await UntilPodsReachAsync(mesh);
        var (started, _) = await start.StopAsync(new FrameClassifier(Plan, default), Token);
        Report($"{mode}, silos starting: {started}");
        if (mode == "Strict")
        {
            Assert.True(gone[FrameKind.PodInClear] == 0, string.Join(", ", gone.Examples));
            Assert.True(started[FrameKind.PodInClear] == 0, string.Join(", ", started.Examples));
            Assert.All(logs, log => Assert.Contains("nreachable", File.ReadAllText(log), StringComparison.Ordinal));
        }
        else
        {
            Assert.True(gone[FrameKind.PodInClear] > 0, "The capture shows no leak where there must be one.");
            Assert.DoesNotContain(logs, log => File.ReadAllText(log).Contains("nreachable", StringComparison.Ordinal));
        }
    }

    [Fact]
    public async Task Plaintext_FromAnotherNodesPods_IsDroppedAndCounted()
    {
        LocalMeshCollection.SkipUnlessPossible();
        await using var mesh = await StartAsync("Strict");
        var (receiver, sender) = (Plan.Nodes[0], Plan.Nodes[1]);
        await mesh.Topology.AddPlainRoutesAsync(Token);

        // The sender's pods leave in clear from now on, as those of a node without an agent.
        await mesh.KillSiloAsync(sender, Token);
        foreach (var family in (string[])["-4", "-6"])
        {
            (await mesh.RunAsync(sender, Token, "ip", family, "rule", "delete", "pref", "201")).EnsureSuccess();
        }

        (await mesh.RunAsync(sender, Token, "nft", "delete", "table", "inet", FirewallTable.Name)).EnsureSuccess();

        var capture = await PacketCapture.StartAsync(mesh, "plaintext", TimeProvider.System, Token);
        var before = await ReadEchosAsync(receiver);
        var counted = await ReadDroppedAsync(mesh, receiver);
        _ = StartPings(mesh, [sender]);
        await DelayAsync(Watch);
        var after = await ReadEchosAsync(receiver);
        var dropped = await ReadDroppedAsync(mesh, receiver) - counted;
        var (tally, _) = await capture.StopAsync(new FrameClassifier(Plan, default), Token);
        Report($"injected in clear: {tally[FrameKind.PodInClear]}, dropped: {dropped}, reached the pod: {after.IPv4 - before.IPv4} IPv4, {after.IPv6 - before.IPv6} IPv6");

        Assert.True(tally[FrameKind.PodInClear] > 0, "Nothing was sent in clear.");
        Assert.Equal(before, after);

        // The capture ends a moment after the counter was read, or before the last packets were handed to it.
        Assert.InRange(dropped, tally[FrameKind.PodInClear] / 2, tally[FrameKind.PodInClear] + 20);

        // The same packets arrive once the table is gone, so it was the table.
        await mesh.KillSiloAsync(receiver, Token);
        (await mesh.RunAsync(receiver, Token, "nft", "delete", "table", "inet", FirewallTable.Name)).EnsureSuccess();
        await DelayAsync(Watch);
        var control = await ReadEchosAsync(receiver);
        Assert.True(control.IPv4 > after.IPv4 && control.IPv6 > after.IPv6, $"Without the table {after} became {control}.");
    }

    [Fact]
    public async Task Underlay_IPv6First_CarriesBothFamiliesOfPods()
    {
        LocalMeshCollection.SkipUnlessPossible();
        await using var mesh = await StartAsync("Strict", configuration =>
        {
            foreach (var node in configuration["Nodes"]!["Static"]!.AsArray())
            {
                node!["Addresses"] = new JsonArray([.. node["Addresses"]!.AsArray().Reverse().Select(address => address!.DeepClone())]);
            }
        });
        var node = Plan.Nodes[0];
        var device = await ActiveDevice.FindAsync(mesh, node, Token);
        var endpoints = (await mesh.RunAsync(node, Token, "wg", "show", device, "endpoints")).EnsureSuccess().Output;
        var mtu = await Underlay.ReadMtuAsync(mesh, node);
        Report($"{device}: endpoints {endpoints.Trim()}, MTU {mtu}");

        Assert.Contains($"[{Plan.Nodes[1].IPv6!.Address}]:{ActiveDevice.Port(device)}", endpoints, StringComparison.Ordinal);
        Assert.Equal("1420", mtu);
    }

    private static async Task<MeshHarness> StartAsync(string mode, Action<JsonObject>? change = null)
    {
        var mesh = await MeshHarness.CreateAsync(Plan, State, TimeProvider.System, Report, Token);
        try
        {
            await new MeshStarter(mesh, TimeProvider.System, Report).StartAsync(LocalMeshCollection.Binary, Period, Token, configuration =>
            {
                configuration["Encryption"] = new JsonObject { ["Mode"] = mode };
                change?.Invoke(configuration);
            });
            await UntilPodsReachAsync(mesh);
            return mesh;
        }
        catch
        {
            await mesh.DisposeAsync();
            throw;
        }
    }

    private static async Task UntilPodsReachAsync(MeshHarness mesh)
    {
        var start = TimeProvider.System.GetTimestamp();
        foreach (var (from, to) in Targets(Plan.Nodes))
        {
            CommandResult result;
            do
            {
                Assert.True(
                    TimeProvider.System.GetElapsedTime(start) < Patience,
                    $"{from.PodName} does not reach {to} through the tunnel. Silo log:\n{LogTail.Read(mesh.State.SiloLog(from))}");
                result = await PingAsync(from, to);
            }
            while (result.ExitCode != 0);
        }
    }

    private static Task<CommandResult> PingAsync(NodePlan from, string to) =>
        Command.RunAsync("ip", ["netns", "exec", from.PodNamespace, "ping", "-c", "1", "-W", "1", to], Token);

    private static List<string> StartPings(MeshHarness mesh, IReadOnlyList<NodePlan>? nodes = null)
    {
        List<string> logs = [];
        foreach (var (from, to) in Targets(nodes ?? Plan.Nodes))
        {
            logs.Add(Path.Combine(State.CaptureDirectory, string.Create(CultureInfo.InvariantCulture, $"ping-{logs.Count}.log")));
            mesh.Recorder.Start(["ip", "netns", "exec", from.PodNamespace, "ping", "-i", "0.1", to], logs[^1]);
        }

        return logs;
    }

    private static IEnumerable<(NodePlan From, string To)> Targets(IReadOnlyList<NodePlan> nodes) =>
        from a in nodes
        from b in Plan.Nodes
        where a != b
        from address in new[] { b.PodAddress, b.IPv6!.PodAddress }
        select (a, address.ToString());

    private static async Task<long> ReadDroppedAsync(MeshHarness mesh, NodePlan node)
    {
        var output = (await mesh.RunAsync(node, Token, "nft", "list", "counter", "inet", FirewallTable.Name, FirewallTable.Counter))
            .EnsureSuccess().Output;
        return long.Parse(PacketsPattern().Match(output).Groups[1].Value, CultureInfo.InvariantCulture);
    }

    // What the pod's own kernel received: fields of RFC 4293, in /proc/net/snmp by the header's columns.
    private static async Task<(long IPv4, long IPv6)> ReadEchosAsync(NodePlan node)
    {
        var text = (await Command.RunAsync("ip", ["netns", "exec", node.PodNamespace, "cat", "/proc/net/snmp", "/proc/net/snmp6"], Token))
            .EnsureSuccess().Output;
        var lines = text.Split('\n');
        var icmp = lines.Where(line => line.StartsWith("Icmp: ", StringComparison.Ordinal)).Select(line => line.Split(' ')).ToList();
        var icmpV6 = lines.First(line => line.StartsWith("Icmp6InEchos ", StringComparison.Ordinal));
        return (
            long.Parse(icmp[1][Array.IndexOf(icmp[0], "InEchos")], CultureInfo.InvariantCulture),
            long.Parse(icmpV6.Split(' ', StringSplitOptions.RemoveEmptyEntries)[^1], CultureInfo.InvariantCulture));
    }

    private static Task DelayAsync(TimeSpan time) => Task.Delay(time, TimeProvider.System, Token);

    private static void Report(string text)
    {
        TestContext.Current.SendDiagnosticMessage(text);
        TestContext.Current.TestOutputHelper?.WriteLine(text);
    }

    [GeneratedRegex("packets ([0-9]+)")]
    private static partial Regex PacketsPattern();
}
