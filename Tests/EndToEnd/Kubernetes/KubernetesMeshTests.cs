using System.Diagnostics;
using System.Globalization;
using System.Net;
using Orleans.WireGuard.LocalMesh.Check;
using Orleans.WireGuard.LocalMesh.Processes;
using Orleans.WireGuard.LocalMesh.Topology;

namespace Orleans.WireGuard.Tests.EndToEnd;

/// <summary>The mesh as a cluster runs it, on real packets: nodes come and go, and the API server is away.</summary>
[Trait("Kind", "EndToEnd")]
[Collection(LocalMeshCollection.Name)]
public sealed partial class KubernetesMeshTests(KubernetesMesh kube) : IClassFixture<KubernetesMesh>
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(90);

    // terminationGracePeriodSeconds of the DaemonSet: what takes longer is killed.
    private static readonly TimeSpan GracePeriod = TimeSpan.FromSeconds(20);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private IReadOnlyList<NodePlan> Nodes => kube.Mesh.Plan.Nodes;

    [Fact]
    [Trait("Length", "Long")]
    public async Task Mesh_ApiServerAwayForThreePeriods_RotatesAndKeepsTalking()
    {
        KubernetesMesh.SkipUnlessPossible();
        await using var probes = new MeshProbes(kube.Mesh, TimeProvider.System);
        Assert.Empty(await probes.WaitReachableAsync(TimeProvider.System.GetUtcNow(), Patience, Token));

        // Before: writes for each rotation.
        kube.Cluster.Server.Requests.Clear();
        var calm = await RotationsAsync();
        var calmFrom = TimeProvider.System.GetUtcNow();
        await Task.Delay(3 * KubernetesMesh.Period, TimeProvider.System, Token);
        var calmUntil = TimeProvider.System.GetUtcNow();
        var rotations = (await RotationsAsync()).Sum(pair => pair.Value - calm[pair.Key]);
        var requests = kube.Cluster.Server.Requests.Snapshot().Select(item => item.Request).ToList();
        var annotations = requests.Count(
            request => request.Method == "PATCH" && request.Path.Contains("/nodes/", StringComparison.Ordinal));
        var heartbeats = requests.Count(request => request.Path.Contains("/leases", StringComparison.Ordinal) && request.Method != "GET");
        var membership = requests.Count(
            request => request.Path.Contains("/orleansclusters", StringComparison.Ordinal) && request.Method is "PUT" or "POST");
        Say($"{rotations} rotations of 3 nodes: {annotations} annotation writes, {heartbeats} heartbeats, {membership} membership writes, {requests.Count} requests in all");
        Say($"1,000 nodes with one key in 120 s: {annotations / (double)rotations * 1000 / 120:F1} annotation writes/s and {1000 / 30.0:F1} heartbeats/s");
        Assert.True(rotations >= 6, $"only {rotations} rotations");
        Assert.InRange(annotations, 1, rotations + 3);

        var before = await RotationsAsync();
        var from = TimeProvider.System.GetUtcNow();
        await kube.Cluster.Server.StopListeningAsync();
        await Task.Delay(3 * KubernetesMesh.Period, TimeProvider.System, Token);
        var during = await RotationsAsync();
        var until = TimeProvider.System.GetUtcNow();
        var reasons = await Task.WhenAll(Nodes.Select(node => kube.Mesh.AskReadyAsync(node, Token)));
        kube.Cluster.Server.Requests.Clear();
        await kube.Cluster.Server.ListenAsync(Token);
        var back = TimeProvider.System.GetUtcNow();

        Say("readiness meanwhile: " + reasons[0].Reason);
        Assert.All(reasons, reason => Assert.Contains("nodes: ", reason.Reason, StringComparison.Ordinal));
        Assert.All(Nodes, node => Assert.True(
            during[node.Name] - before[node.Name] >= 2, $"{node.Name} did not rotate: {before[node.Name]} -> {during[node.Name]}"));

        // Neither this process nor the devices are ahead of others on the machine, which may cost some packets: the outage must not add
        // any.
        var (calmLost, outageLost) = (Lost(probes, calmFrom, calmUntil), Lost(probes, from, until));
        Say($"lost while the API server was there: {calmLost.Lost} of {calmLost.Sent}; while it was away: {outageLost.Lost} of {outageLost.Sent}");
        Assert.True(outageLost.Lost <= Math.Max(2 * calmLost.Lost, outageLost.Sent / 20), "the outage cost packets");

        await kube.WaitReadyAsync(Nodes);
        var rest = TimeSpan.FromSeconds(60) - (TimeProvider.System.GetUtcNow() - back);
        await Task.Delay(rest > TimeSpan.Zero ? rest : TimeSpan.Zero, TimeProvider.System, Token);
        var rates = kube.Cluster.Server.Requests.Snapshot().GroupBy(item => (int)(item.At - back).TotalSeconds)
            .ToDictionary(group => group.Key, group => group.Count());
        Say("requests in each second of the first minute: "
            + string.Join(' ', Enumerable.Range(0, 60).Select(second => rates.GetValueOrDefault(second))));
        Assert.All(rates.Values, rate => Assert.InRange(rate, 0, 10 * Nodes.Count));
        Assert.Empty(await probes.WaitReachableAsync(TimeProvider.System.GetUtcNow(), Patience, Token));
    }

    [Fact]
    public async Task Annotation_EveryNode_ShowsTheKeyOfItsDevice()
    {
        KubernetesMesh.SkipUnlessPossible();
        foreach (var node in Nodes)
        {
            await UntilAsync(
                async () => await kube.AnnotationAsync(node) == await ActiveKeyAsync(node),
                $"the annotation of {node.Name} to be the key that carries its traffic");
        }
    }

    [Fact]
    public async Task Node_ObjectDeletedAndMadeAgain_LeavesAndComesBack()
    {
        KubernetesMesh.SkipUnlessPossible();
        var (first, last) = (Nodes[0], Nodes[2]);
        await UntilAsync(async () => await PeersAsync(first) == 2, "two peers");
        await kube.Cluster.SendAsync(HttpMethod.Delete, $"api/v1/nodes/{last.Name}");
        await UntilAsync(async () => await PeersAsync(first) == 1, $"{first.Name} to remove the peer of {last.Name}");
        await UntilAsync(
            async () =>
                (await kube.StatusAsync(first)).Nodes[last.Name].Problem?.Contains("has no Node object", StringComparison.Ordinal) == true,
            "status to say why");
        await kube.CreateNodeAsync(last);
        await UntilAsync(async () => await PeersAsync(first) == 2, $"{first.Name} to have a peer for {last.Name} again");
        await kube.WaitReadyAsync(Nodes);
    }

    [Fact]
    public async Task Silo_StartedWhileTheApiServerIsAway_WaitsSaysWhyAndStopsAtOnce()
    {
        KubernetesMesh.SkipUnlessPossible();
        var node = Nodes[2];
        await kube.Mesh.KillSiloAsync(node, Token);
        await kube.Cluster.Server.StopListeningAsync();
        try
        {
            kube.Mesh.StartSilo(node);
            await UntilAsync(
                async () => (await kube.Mesh.AskReadyAsync(node, Token)).Reason.Contains("membership: ", StringComparison.Ordinal),
                "readiness to say that the membership is away");
            Say((await kube.Mesh.AskReadyAsync(node, Token)).Reason);
            Assert.Equal(2, await PeersAsync(node));

            await StopAsync(node, "that waits for the API server");
            kube.Mesh.StartSilo(node);
            await UntilAsync(async () =>
                (await kube.Mesh.AskReadyAsync(node, Token)).Reason.Contains("membership: ", StringComparison.Ordinal), "readiness again");
        }
        finally
        {
            await kube.Cluster.Server.ListenAsync(Token);
        }

        await kube.WaitReadyAsync(Nodes);

        // And one that is a member when the API server goes away.
        await kube.Cluster.Server.StopListeningAsync();
        await StopAsync(node, "that is a member and cannot say goodbye");
        await kube.Cluster.Server.ListenAsync(Token);
        kube.Mesh.StartSilo(node);
        await kube.WaitReadyAsync(Nodes);
    }

    [Fact]
    public async Task Run_SecondSiloOfAName_GivesWay()
    {
        KubernetesMesh.SkipUnlessPossible();
        var (first, last) = (Nodes[0], Nodes[2]);
        await kube.Mesh.KillSiloAsync(last, Token);
        var configuration = await kube.ConfigurationAsync(last);
        configuration["Node"]!["Address"] = "";
        var file = Path.Combine(kube.Mesh.State.NodeDirectory(last), "second.json");
        await File.WriteAllTextAsync(file, configuration.ToJsonString(), Token);
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(Token);
        limit.CancelAfter(Patience);

        var result = await kube.Mesh.RunAsync(
            last, limit.Token, "env", $"NODE_NAME={first.Name}", $"HOST_IP={last.Address}", "owg", "run", "--config", file);

        Assert.True(result.ExitCode == 2, $"exit code {result.ExitCode}\n{result.Error}\n{result.Output}");
        Assert.Contains($"'{first.Name}' is borne by another silo, which answers at {new IPEndPoint(first.Address, 11111)}", result.Error, StringComparison.Ordinal);
        Assert.True((await kube.Mesh.AskReadyAsync(first, Token)).IsReady, "the rightful owner of the name suffered");
        kube.Mesh.StartSilo(last);
        await kube.WaitReadyAsync(Nodes);
    }

    [Fact]
    public async Task Node_ObjectMadeAgainWithOtherOrNoAddressAndPodCIDR_MeshFollowsOrSaysWhatIsMissing()
    {
        KubernetesMesh.SkipUnlessPossible();
        var (first, second, last) = (Nodes[0], Nodes[1], Nodes[2]);
        const string OtherAddress = "192.168.106.103";
        const string OtherPrefix = "10.250.103.0/24";
        await UntilAsync(async () => await PeersAsync(first) == 2, "two peers");
        await kube.Mesh.RunAsync(last, Token, "ip", "address", "add", OtherAddress + "/24", "dev", "eth0");

        await RemakeAsync(null, null);
        var reason = "";
        await UntilAsync(
            async () => (reason = (await kube.Mesh.AskReadyAsync(last, Token)).Reason)
                .Contains("its Node object has no InternalIP", StringComparison.Ordinal)
                && reason.Contains("its Node object has no pod CIDR", StringComparison.Ordinal),
            "readiness to name all that the object lacks");
        Say(reason);

        await RemakeAsync(OtherAddress, OtherPrefix);
        await UntilAsync(
            async () => await ShowAsync(first, "allowed-ips") is var prefixes && prefixes.Contains(OtherPrefix, StringComparison.Ordinal)
            && !prefixes.Contains(last.PodCIDR.ToString(), StringComparison.Ordinal),
                $"{first.Name} to route the new pod CIDR instead of the old one");
        await UntilAsync(async () => (await ShowAsync(first, "endpoints"))
            .Contains($"\t{OtherAddress}:", StringComparison.Ordinal), "the new address to be the endpoint");

        // What did not change stays.
        Assert.Contains(second.PodCIDR.ToString(), await ShowAsync(first, "allowed-ips"), StringComparison.Ordinal);
        await RemakeAsync(last.Address.ToString(), last.PodCIDR.ToString());
        await UntilAsync(async () => (await ShowAsync(first, "allowed-ips"))
            .Contains(last.PodCIDR.ToString(), StringComparison.Ordinal), "the old pod CIDR again");
        await kube.Mesh.RunAsync(last, Token, "ip", "address", "delete", OtherAddress + "/24", "dev", "eth0");
        await kube.WaitReadyAsync(Nodes);

        async Task RemakeAsync(string? address, string? prefix)
        {
            await kube.Cluster.SendAsync(HttpMethod.Delete, $"api/v1/nodes/{last.Name}");
            await kube.CreateNodeAsync(last, address, prefix);
        }
    }

    [Fact]
    public async Task Silo_ClockFarOff_SaysSoInReadinessAndLogAndGoesOn()
    {
        KubernetesMesh.SkipUnlessPossible();
        kube.Cluster.Server.Faults.ClockOffset = TimeSpan.FromHours(-2);
        try
        {
            // The next answer tells the time; a watch that begins anew gets one.
            await kube.Cluster.Server.Faults.DropWatchesAsync();
            await UntilAsync(
                async () => (await kube.Mesh.AskReadyAsync(Nodes[0], Token)).Reason.Contains("clock: this node's clock is 02:00:00 ahead of the API server's", StringComparison.Ordinal), "readiness to tell the time");
            await UntilAsync(
                async () => (await File.ReadAllTextAsync(kube.Mesh.State.SiloLog(Nodes[0]), Token))
                    .Contains("Wrong time: this node's clock is 02:00:00 ahead of", StringComparison.Ordinal), "the log to tell it too");
            Assert.Equal(2, await PeersAsync(Nodes[0]));
        }
        finally
        {
            kube.Cluster.Server.Faults.ClockOffset = TimeSpan.Zero;
        }

        await kube.Cluster.Server.Faults.DropWatchesAsync();
        await kube.WaitReadyAsync(Nodes);
    }

    [Fact]
    public async Task Cleanup_SiloStopped_RemovesTheAnnotationTooOrSaysWhyNot()
    {
        KubernetesMesh.SkipUnlessPossible();
        var node = Nodes[2];
        await UntilAsync(async () => await kube.AnnotationAsync(node) is not null, "an annotation");
        await kube.Mesh.KillSiloAsync(node, Token);

        await kube.Cluster.Server.StopListeningAsync();
        var result = await kube.Mesh.RunAsync(node, Token, "owg", "cleanup");
        await kube.Cluster.Server.ListenAsync(Token);
        Say(result.Error.Trim());
        Assert.True(result.ExitCode == 1, result.Output + result.Error);
        Assert.All(MeshPlan.DeviceNames, device => Assert.Contains($"removed device {device}", result.Output, StringComparison.Ordinal));
        Assert.Contains($"The annotation network.cilium.io/wg-pub-key of node {node.Name} may still be there: The API server", result.Error, StringComparison.Ordinal);
        Assert.Contains($"kubectl annotate node {node.Name} network.cilium.io/wg-pub-key-", result.Error, StringComparison.Ordinal);
        Assert.NotNull(await kube.AnnotationAsync(node));

        result = await kube.Mesh.RunAsync(node, Token, "owg", "cleanup");
        Assert.True(result.ExitCode == 0, result.Output + result.Error);
        Assert.Equal($"removed annotation network.cilium.io/wg-pub-key of nodes/{node.Name}", result.Output.Trim());
        Assert.Null(await kube.AnnotationAsync(node));

        kube.Mesh.StartSilo(node);
        await kube.WaitReadyAsync(Nodes);
    }

    private static (int Lost, int Sent) Lost(MeshProbes probes, DateTimeOffset from, DateTimeOffset until)
    {
        var reports = probes.Report(from, until - MeshProbes.Patience).Values;
        return (reports.Sum(report => report.Lost), reports.Sum(report => report.Sent));
    }

    private static void Say(string line) => TestContext.Current.TestOutputHelper!.WriteLine(line);

    // A silo that has much to do at the moment is shown without its status.
    private async Task<Dictionary<string, long>> RotationsAsync()
    {
        var rotations = new Dictionary<string, long>();
        await UntilAsync(
            async () =>
            {
                var views = (await kube.StatusAsync(Nodes[0])).Nodes;
                rotations = views.Where(view => view.Value.Rotations is not null)
                    .ToDictionary(view => view.Key, view => view.Value.Rotations!.Value);
                return Nodes.All(node => rotations.ContainsKey(node.Name));
            },
            "the rotations of every node");
        return rotations;
    }

    private Task<int> PeersAsync(NodePlan node) => KubernetesMesh.PeersAsync(kube.Mesh, node);

    private Task<string> ShowAsync(NodePlan node, string what) => KubernetesMesh.ShowAsync(kube.Mesh, node, what);

    private async Task<string> ActiveKeyAsync(NodePlan node) =>
        (await kube.Mesh.RunAsync(node, Token, "wg", "show", await ActiveDevice.FindAsync(kube.Mesh, node, Token), "public-key"))
            .EnsureSuccess().Output.Trim();

    private async Task StopAsync(NodePlan node, string which)
    {
        var clock = Stopwatch.GetTimestamp();
        kube.Mesh.Silo(node)!.Signal(NativeMethods.SIGTERM);
        Assert.True(
            await kube.Mesh.Silo(node)!.WaitForExitAsync(GracePeriod, TimeProvider.System, Token), $"A silo {which} did not end.");
        Say(string.Create(
            CultureInfo.InvariantCulture, $"a silo {which} ended {Stopwatch.GetElapsedTime(clock).TotalSeconds:F1} s after SIGTERM"));
    }

    private static async Task UntilAsync(Func<Task<bool>> condition, string what)
    {
        var began = Stopwatch.GetTimestamp();
        while (!await condition())
        {
            Assert.True(Stopwatch.GetElapsedTime(began) < Patience, $"Waited {Patience.TotalSeconds} s in vain for {what}.");
            await Task.Delay(TimeSpan.FromMilliseconds(200), TimeProvider.System, Token);
        }
    }
}
