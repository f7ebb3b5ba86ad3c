using System.Text.Json;
using System.Text.Json.Nodes;
using Orleans.WireGuard.LocalMesh.Capture;
using Orleans.WireGuard.LocalMesh.Processes;
using Orleans.WireGuard.LocalMesh.Silos;
using Orleans.WireGuard.LocalMesh.Topology;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.EndToEnd.Findings;

/// <summary>
/// Two ways in which a mesh was strict, ready and in full agreement while every pod packet crossed the underlay in clear. Two nodes, real
/// packets.
/// </summary>
[Trait("Kind", "EndToEnd")]
[Collection(LocalMeshCollection.Name)]
public sealed class RealityTests
{
    private const int VxlanPort = 8472;

    private static readonly MeshPlan Plan = new("owgw", 2, 104, 248);
    private static readonly MeshState State = MeshState.For(Plan);
    private static readonly TimeSpan Period = TimeSpan.FromDays(1);

    // What the mesh promises: a wrong idea of the pods' addresses is told within a minute.
    private static readonly TimeSpan Promise = TimeSpan.FromSeconds(60);
    private static readonly CancellationToken Token = TestContext.Current.CancellationToken;

    // Prefixes that are not the pods': what a node object may say that somebody else made up.
    [Fact]
    public async Task PrefixesThatArePodsOfNobody_AreFound_AndNobodyIsCut()
    {
        LocalMeshCollection.SkipUnlessPossible();
        await using var mesh = await MeshHarness.CreateAsync(Plan, State, TimeProvider.System, Report, Token);
        await mesh.Topology.AddPlainRoutesAsync(Token);
        foreach (var node in Plan.Nodes)
        {
            // As a network plugin does that gives each pod a cable of its own.
            (await mesh.RunAsync(node, Token, "ip", "route", "add", $"{node.PodAddress}/32", "dev", TopologyCommands.NodePodLink))
                .EnsureSuccess();
        }

        await StartAsync(mesh, configuration =>
        {
            var nodes = configuration["Nodes"]!["Static"]!.AsArray();
            for (var i = 0; i < nodes.Count; i++)
            {
                nodes[i]!["PodCIDRs"] = new JsonArray(JsonValue.Create(FormattableString.Invariant($"10.{4 + i}.0.0/16")));
            }
        });
        await UntilNotReadyAsync(mesh, "OWG301");
        await AssertDoctorAsync(mesh, "OWG301", $"{Plan.Nodes[0].PodAddress}/32");

        // Strict mode would cut them, and is withheld: they talk, in clear, as before.
        await AssertPingsAsync(count: 3);
        var status = await NodeStatusQuery.ReadAsync(mesh, Plan.Nodes[0], Plan.Nodes[0], Token);
        Assert.True(status.GetProperty("isStrictWithheld").GetBoolean());
        Assert.Empty((await mesh.RunAsync(
            Plan.Nodes[0], Token, "sh", "-c", "ip route show table 201 type unreachable; nft list table inet orleans_wireguard | grep elements || true"))
            .EnsureSuccess().Output);
    }

    // A data plane that encapsulates by BPF before a rule of ours sees the packet. The prefixes are right.
    [Fact]
    public async Task DataPlaneThatEncapsulatesByBpf_IsFound()
    {
        LocalMeshCollection.SkipUnlessPossible();
        await using var mesh = await MeshHarness.CreateAsync(Plan, State, TimeProvider.System, Report, Token);
        await StartAsync(mesh, static configuration => configuration["Encryption"]!["Encapsulation"] = "Off");
        await new MeshStarter(mesh, TimeProvider.System, Report).WaitReadyAsync(Plan.Nodes, Token);
        await UntilPodsReachAsync();

        await InstallAsync((node, other, folder) => EncapsulateAsync(mesh, node, other, folder));
        var capture = await PacketCapture.StartAsync(mesh, "encapsulated", TimeProvider.System, Token);
        var pings = StartPings(mesh);
        await UntilNotReadyAsync(mesh, "OWG304");
        await AssertDoctorAsync(mesh, "OWG304", "vx0");
        var status = await NodeStatusQuery.ReadAsync(mesh, Plan.Nodes[0], Plan.Nodes[0], Token);
        var counted = status.GetProperty("witness");
        await capture.StopAsync(new FrameClassifier(Plan, default), Token);
        Report($"witness: {counted}");
        Assert.True(counted.GetProperty("clearEncapsulated").GetInt64() > 0);
        Assert.Equal(0, counted.GetProperty("clear").GetInt64());
        Assert.Equal(0, status.GetProperty("droppedPackets").GetInt64());
        Assert.Contains(" bytes from ", File.ReadAllText(pings), StringComparison.Ordinal);
    }

    // The same, and what it packs takes the tunnels: without a setting as soon as its link is seen, and with one from the beginning.
    [Theory]
    [InlineData("Auto")]
    [InlineData("8472")]
    public async Task DataPlaneThatEncapsulatesByBpf_IsEncryptedAsItIsPacked(string encapsulation)
    {
        LocalMeshCollection.SkipUnlessPossible();
        await using var mesh = await MeshHarness.CreateAsync(Plan, State, TimeProvider.System, Report, Token);
        await StartAsync(mesh, configuration =>
        {
            // Counters are read at a resync.
            configuration["Device"]!["ResyncInterval"] = "00:00:05";
            configuration["Encryption"]!["Encapsulation"] = encapsulation;
        });
        await new MeshStarter(mesh, TimeProvider.System, Report).WaitReadyAsync(Plan.Nodes, Token);
        await UntilPodsReachAsync();
        await InstallAsync((node, other, folder) => EncapsulateAsync(mesh, node, other, folder));
        await UntilLedAsync(mesh);

        var capture = await PacketCapture.StartAsync(mesh, "packed", TimeProvider.System, Token);
        await AssertPingsAsync(count: 20);
        await AssertPingsAsync(count: 3, "-s", "1400");

        // Whatever a rule of somebody else says, none of it leaves in clear, and none that comes so is unpacked.
        string[] past = ["priority", "150", "ipproto", "udp", "dport", "8472", "lookup", "main"];
        var (first, second) = (Plan.Nodes[0], Plan.Nodes[1]);
        (await mesh.RunAsync(first, Token, ["ip", "rule", "add", .. past])).EnsureSuccess();
        var refused = await PingAsync(count: 5);
        Assert.DoesNotContain(" bytes from ", refused.Output, StringComparison.Ordinal);
        await UntilCountedAsync(first, "droppedOutgoingPackets");
        (await mesh.RunAsync(first, Token, "nft", "flush", "chain", "inet", "orleans_wireguard", "outer_out")).EnsureSuccess();
        var pings = await PingAsync(count: 5);
        (await mesh.RunAsync(first, Token, ["ip", "rule", "delete", .. past])).EnsureSuccess();
        Assert.DoesNotContain(" bytes from ", pings.Output, StringComparison.Ordinal);
        var (tally, _) = await capture.StopAsync(new FrameClassifier(Plan, default), Token);
        Report($"captured: {tally}");
        if (tally[FrameKind.PodInClear] > 0)
        {
            await UntilCountedAsync(second, "droppedPackets");
        }

        await AssertPingsAsync(count: 3);
        Assert.True((await mesh.AskReadyAsync(second, Token)).IsReady);

        async Task UntilCountedAsync(NodePlan node, string counter)
        {
            var started = TimeProvider.System.GetTimestamp();
            while ((await NodeStatusQuery.ReadAsync(mesh, node, node, Token)).GetProperty(counter).GetInt64() == 0)
            {
                Assert.True(TimeProvider.System.GetElapsedTime(started) < Promise, $"{node.Name} does not count {counter}");
            }
        }
    }

    // A data plane that routes by BPF, as Cilium's: the kernel's routes lead its packets into the tunnel, but netfilter does not see them,
    // and its pods may send what is too large for the tunnel.
    [Fact]
    public async Task DataPlaneThatRoutesByBpf_IsFound_AndItsPacketsAreEncrypted()
    {
        LocalMeshCollection.SkipUnlessPossible();
        await using var mesh = await MeshHarness.CreateAsync(Plan, State, TimeProvider.System, Report, Token);
        await StartAsync(mesh, static _ => { });
        await new MeshStarter(mesh, TimeProvider.System, Report).WaitReadyAsync(Plan.Nodes, Token);
        await UntilPodsReachAsync();
        await UntilFoundAsync(mesh, found => found.Count == 0);

        await InstallAsync(
            (node, other, folder) => RouteAsync(mesh, node, BpfProgram.Route(PrefixOf(other)), Path.Combine(folder, node.Name)));
        var before = await NodeStatusQuery.ReadAsync(mesh, Plan.Nodes[0], Plan.Nodes[0], Token);
        var found = await UntilFoundAsync(mesh, found => found.ContainsKey("OWG307"));
        await AssertPingsAsync(count: 3);
        Assert.Matches("cilium_wg.*sent_bytes.*seen_bytes", found["OWG307"]);
        var after = await NodeStatusQuery.ReadAsync(mesh, Plan.Nodes[0], Plan.Nodes[0], Token);
        Assert.True(
            Tunnelled(after) >= Tunnelled(before) + 100, $"{before.GetProperty("witness")} before, {after.GetProperty("witness")} after");
        Assert.Equal(0, after.GetProperty("witness").GetProperty("clear").GetInt64());

        // What it says to do helps.
        foreach (var node in Plan.Nodes)
        {
            (await mesh.RunAsync(node, Token, "ip", "link", "set", TopologyCommands.NodePodLink, "mtu", "1430")).EnsureSuccess();
            (await Command.RunAsync("ip", ["-n", node.PodNamespace, "link", "set", "eth0", "mtu", "1430"], Token)).EnsureSuccess();
        }

        await UntilFoundAsync(mesh, found => found.Keys.SequenceEqual(["OWG308"]));
        foreach (var node in Plan.Nodes)
        {
            (await mesh.RunAsync(node, Token, "tc", "qdisc", "delete", "dev", TopologyCommands.NodePodLink, "clsact")).EnsureSuccess();
        }

        await UntilFoundAsync(mesh, found => found.Count == 0);
    }

    // A data plane that takes pods' packets to the other node by BPF, past every route, rule and hook: nothing can count them, so nothing
    // is green.
    [Fact]
    public async Task DataPlaneThatSendsInClearByBpf_IsFound()
    {
        LocalMeshCollection.SkipUnlessPossible();
        await using var mesh = await MeshHarness.CreateAsync(Plan, State, TimeProvider.System, Report, Token);
        await StartAsync(mesh, static _ => { });
        await new MeshStarter(mesh, TimeProvider.System, Report).WaitReadyAsync(Plan.Nodes, Token);
        await UntilPodsReachAsync();
        await InstallAsync(async (node, other, folder) =>
        {
            (await mesh.RunAsync(node, Token, "tc", "qdisc", "add", "dev", "eth0", "clsact")).EnsureSuccess();
            var (pod, underlay) = (await IndexAsync(mesh, node, TopologyCommands.NodePodLink), await IndexAsync(mesh, node, "eth0"));
            await RouteAsync(
                mesh, node, BpfProgram.Send(PrefixOf(other), underlay, other.Address), Path.Combine(folder, node.Name + "-out"));
            await AttachAsync(node, "eth0", BpfProgram.Send(PrefixOf(node), pod, node: null), Path.Combine(folder, node.Name + "-in"));
        });

        var capture = await PacketCapture.StartAsync(mesh, "past-netfilter", TimeProvider.System, Token);
        StartPings(mesh, size: 1000);
        await UntilNotReadyAsync(mesh, "OWG313");
        await AssertDoctorAsync(mesh, "OWG313", "eth0");
        var status = await NodeStatusQuery.ReadAsync(mesh, Plan.Nodes[0], Plan.Nodes[0], Token);
        var (tally, _) = await capture.StopAsync(new FrameClassifier(Plan, default), Token);
        Report($"witness: {status.GetProperty("witness")}, captured: {tally}");
        Assert.True(tally[FrameKind.PodInClear] > 0, $"{tally}");
        Assert.True(status.GetProperty("witness").GetProperty("isPartial").GetBoolean());
    }

    private static IPPrefix PrefixOf(NodePlan node) => IPPrefix.Parse(node.PodCIDR.ToString());

    private static async Task RouteAsync(MeshHarness mesh, NodePlan node, byte[] program, string pin)
    {
        (await mesh.RunAsync(node, Token, "tc", "qdisc", "add", "dev", TopologyCommands.NodePodLink, "clsact")).EnsureSuccess();
        await AttachAsync(node, TopologyCommands.NodePodLink, program, pin);
    }

    private static long Tunnelled(JsonElement status) => status.GetProperty("witness").GetProperty("tunnel").GetInt64();

    // The pods talk meanwhile: it is told from what they send.
    private static async Task<IReadOnlyDictionary<string, string>> UntilFoundAsync(
        MeshHarness mesh, Func<IReadOnlyDictionary<string, string>, bool> isMet)
    {
        var started = TimeProvider.System.GetTimestamp();
        while (true)
        {
            await PingAsync(150, "-i", "0.002", "-s", "1000");
            var doctor = await mesh.RunAsync(
                Plan.Nodes[0], Token, "owg", "doctor", "--config", State.SiloConfiguration(Plan.Nodes[0]), "-o", "json");
            var node = Assert.Single(JsonDocument.Parse(doctor.Output).RootElement.EnumerateArray());
            var found = node.GetProperty("findings").EnumerateArray()
                .ToDictionary(finding => finding.GetProperty("code").GetString()!, finding => finding.ToString());
            if (isMet(found))
            {
                Report($"after {TimeProvider.System.GetElapsedTime(started).TotalSeconds:F1} s: {doctor.Output}");
                return found;
            }

            Assert.True(TimeProvider.System.GetElapsedTime(started) < Promise, doctor.Output);
        }
    }

    // Programs are pinned where our mount namespace has them, and attached in the network namespace of a node.
    private static async Task InstallAsync(Func<NodePlan, NodePlan, string, Task> install)
    {
        var programs = Directory.CreateTempSubdirectory("owg-bpf-");
        (await Command.RunAsync("mount", ["-t", "bpf", "none", programs.FullName], Token)).EnsureSuccess();
        try
        {
            foreach (var (node, other) in new[] { (Plan.Nodes[0], Plan.Nodes[1]), (Plan.Nodes[1], Plan.Nodes[0]) })
            {
                await install(node, other, programs.FullName);
            }
        }
        finally
        {
            (await Command.RunAsync("umount", [programs.FullName], Token)).EnsureSuccess();
            programs.Delete();
        }
    }

    private static async Task EncapsulateAsync(MeshHarness mesh, NodePlan node, NodePlan other, string folder)
    {
        (await mesh.RunAsync(node, Token, "sh", "-c",
            $"ip link add vx0 type vxlan external dstport {VxlanPort} && ip link set vx0 up && tc qdisc add dev {TopologyCommands.NodePodLink} clsact && tc qdisc add dev vx0 clsact")).EnsureSuccess();
        var (pod, vxlan) = (await IndexAsync(mesh, node, TopologyCommands.NodePodLink), await IndexAsync(mesh, node, "vx0"));
        await AttachAsync(node, TopologyCommands.NodePodLink, BpfProgram.Encapsulate(PrefixOf(other), other.Address, vxlan), Path.Combine(
            folder, node.Name + "-in"));
        await AttachAsync(node, "vx0", BpfProgram.Send(PrefixOf(node), pod, node: null), Path.Combine(folder, node.Name + "-out"));
    }

    private static async Task AttachAsync(NodePlan node, string link, byte[] program, string pin)
    {
        BpfProgram.Pin(program, pin);
        (await Command.RunAsync(
            "nsenter",
            ["--net="
                + NetworkNamespaceOf(node), "tc", "filter", "add", "dev", link, "ingress", "bpf", "direct-action", "object-pinned", pin],
            Token)).EnsureSuccess();
    }

    private static string NetworkNamespaceOf(NodePlan node) => LocalMesh.Processes.NetworkNamespace.HandleOf(node.Namespace);

    private static async Task<int> IndexAsync(MeshHarness mesh, NodePlan node, string link)
    {
        var output = (await mesh.RunAsync(node, Token, "ip", "-j", "link", "show", "dev", link)).EnsureSuccess().Output;
        return JsonDocument.Parse(output).RootElement[0].GetProperty("ifindex").GetInt32();
    }

    private static async Task StartAsync(MeshHarness mesh, Action<JsonObject> change)
    {
        mesh.InstallBinary(LocalMeshCollection.Binary);
        mesh.Configure(Period, configuration =>
        {
            configuration["Encryption"] = new JsonObject { ["Mode"] = "Strict" };
            change(configuration);
        });
        await mesh.Redis.StartAsync(Token);
        foreach (var node in Plan.Nodes)
        {
            mesh.StartSilo(node);
        }
    }

    private static async Task UntilNotReadyAsync(MeshHarness mesh, string code)
    {
        var started = TimeProvider.System.GetTimestamp();
        foreach (var node in Plan.Nodes)
        {
            while (true)
            {
                var answer = await mesh.AskReadyAsync(node, Token);
                if (!answer.IsReady && answer.Reason.Contains(code, StringComparison.Ordinal))
                {
                    Report($"{node.Name} after {TimeProvider.System.GetElapsedTime(started).TotalSeconds:F1} s: {answer.Reason}");
                    break;
                }

                Assert.True(
                    TimeProvider.System.GetElapsedTime(started) < Promise,
                    $"{node.Name} does not name {code}: {answer}\n{LogTail.Read(State.SiloLog(node))}");
                await Task.Delay(TimeSpan.FromMilliseconds(200), TimeProvider.System, Token);
            }
        }
    }

    private static async Task AssertDoctorAsync(MeshHarness mesh, string code, string evidence)
    {
        var node = Plan.Nodes[0];
        Assert.Equal(3, (await mesh.RunAsync(node, Token, "owg", "status")).ExitCode);
        var doctor = await mesh.RunAsync(node, Token, "owg", "doctor", "--config", State.SiloConfiguration(node));
        Report(doctor.Output);
        Assert.Equal(3, doctor.ExitCode);
        Assert.Contains(code, doctor.Output.Split('\n')[0], StringComparison.Ordinal);
        Assert.Contains(evidence, doctor.Output, StringComparison.Ordinal);
        var everywhere = await mesh.RunAsync(node, Token, "owg", "doctor", "--all", "-o", "json");
        Assert.Equal(3, everywhere.ExitCode);
        Assert.Equal(2, JsonDocument.Parse(everywhere.Output).RootElement.GetArrayLength());
    }

    private static string StartPings(MeshHarness mesh, int size = 56)
    {
        var log = Path.Combine(State.CaptureDirectory, "ping-clear.log");
        mesh.Recorder.Start(["ip", "netns", "exec", Plan.Nodes[0].PodNamespace, "ping", "-i", "0.1", "-s", FormattableString.Invariant(
            $"{size}"), Plan.Nodes[1].PodAddress.ToString()], log);
        return log;
    }

    private static async Task UntilPodsReachAsync()
    {
        var started = TimeProvider.System.GetTimestamp();
        while ((await PingAsync(count: 1)).ExitCode != 0)
        {
            Assert.True(TimeProvider.System.GetElapsedTime(started) < Promise, "The pods do not reach each other through the tunnel.");
        }
    }

    private static async Task AssertPingsAsync(int count, params string[] options) =>
        Assert.Contains($"{count} received", (await PingAsync(count, options)).Output, StringComparison.Ordinal);

    private static async Task UntilLedAsync(MeshHarness mesh)
    {
        var started = TimeProvider.System.GetTimestamp();
        foreach (var (node, other) in new[] { (Plan.Nodes[0], Plan.Nodes[1]), (Plan.Nodes[1], Plan.Nodes[0]) })
        {
            while (!(await mesh.RunAsync(
                node, Token, "ip", "route", "get", other.Address.ToString(), "ipproto", "udp", "dport", "8472")).Output
                .Contains("dev cilium_wg", StringComparison.Ordinal))
            {
                Assert.True(TimeProvider.System.GetElapsedTime(started) < Promise, LogTail.Read(State.SiloLog(node)));
                await Task.Delay(TimeSpan.FromMilliseconds(100), TimeProvider.System, Token);
            }
        }

        Report($"led after {TimeProvider.System.GetElapsedTime(started).TotalSeconds:F1} s");
    }

    private static Task<CommandResult> PingAsync(int count, params string[] options) => Command.RunAsync(
        "ip",
        ["netns", "exec", Plan.Nodes[0].PodNamespace, "ping", "-c", FormattableString.Invariant(
            $"{count}"), "-i", "0.2", "-W", "1", .. options, Plan.Nodes[1].PodAddress.ToString()],
        Token);

    private static void Report(string text)
    {
        TestContext.Current.SendDiagnosticMessage(text);
        TestContext.Current.TestOutputHelper?.WriteLine(text);
    }
}
