using System.Text.Json.Nodes;
using Orleans.WireGuard.LocalMesh.Check;
using Orleans.WireGuard.LocalMesh.Processes;
using Orleans.WireGuard.LocalMesh.Topology;

namespace Orleans.WireGuard.Tests.EndToEnd;

/// <content>Node objects that are wrong: they cost the nodes that are right nothing, and are named.</content>
public sealed partial class KubernetesMeshTests
{
    // As the demo's pings see it: what left before the object was there has been answered or is lost by then.
    private static readonly TimeSpan Watched = TimeSpan.FromSeconds(6);

    // Of the host, which is no node: what the cluster is connected to.
    private const string Outside = "198.51.100.1";

    // A machine that nobody has, with the range of the whole cluster or with that of a node that is there.
    [Theory]
    [InlineData("10.250.0.0/16")]
    [InlineData("10.250.1.0/24", Traits = ["Length", "Long"])]
    [InlineData("192.168.106.0/24", Traits = ["Length", "Long"])]
    [InlineData("0.0.0.0/0")]
    public async Task Node_ObjectThatClaimsWhatOthersHave_CostsThemNoPacketAndIsNamed(string prefix)
    {
        KubernetesMesh.SkipUnlessPossible();
        await kube.Mesh.FavourDevicesAsync(Token);
        await using var probes = new MeshProbes(kube.Mesh, TimeProvider.System);
        Assert.Empty(await probes.WaitReachableAsync(TimeProvider.System.GetUtcNow(), Patience, Token));
        var stranger = Nodes[0] with { Name = "wide" };
        var from = TimeProvider.System.GetUtcNow();
        await kube.CreateNodeAsync(stranger, null, prefix);
        try
        {
            var (pods, node) = (Nodes[0].PodCIDR.ToString(), Nodes[0].Address.ToString());
            (await Command.RunAsync("ip", ["address", "replace", Outside + "/32", "dev", kube.Mesh.Plan.Bridge], Token)).EnsureSuccess();
            (await Command.RunAsync("ip", ["route", "replace", pods, "via", node], Token)).EnsureSuccess();
            (await kube.Mesh.RunAsync(Nodes[0], Token, "ip", "route", "replace", Outside, "via", kube.Mesh.Plan.HostAddress.ToString()))
                .EnsureSuccess();
            await UntilAsync(async () => (await kube.StatusAsync(Nodes[0])).Nodes.ContainsKey("wide"), "the object to be in the roster");
            await Task.Delay(Watched, TimeProvider.System, Token);
            var until = TimeProvider.System.GetUtcNow();
            await Task.Delay(MeshProbes.Patience, TimeProvider.System, Token);
            var reports = probes.Report(from, until).Values;
            Say($"{prefix}: {reports.Sum(report => report.Lost)} of {reports.Sum(report => report.Sent)} pings lost in {(until - from).TotalSeconds:F1} s");
            Assert.True(reports.All(report => report.Sent > 0), "a pair was not pinged");
            Assert.Equal(0, reports.Sum(report => report.Lost));

            // And a pod reaches what is outside.
            var outside = await Command.RunAsync(
                "ip", ["netns", "exec", Nodes[0].PodNamespace, "ping", "-c", "5", "-i", "0.2", "-W", "1", Outside], Token);
            Assert.Contains("5 received", outside.Output, StringComparison.Ordinal);

            var status = (await kube.Mesh.RunAsync(Nodes[0], Token, "owg", "status")).Output;
            Assert.Contains("wide: no active silo", status, StringComparison.Ordinal);
            Assert.Contains(prefix, status, StringComparison.Ordinal);
            var ready = await kube.Mesh.AskReadyAsync(Nodes[0], Token);
            Assert.True(ready.IsReady, ready.Reason);
            if (prefix != "0.0.0.0/0")
            {
                Assert.Contains($"Node 'wide' overlaps", status, StringComparison.Ordinal);
                Assert.Contains($"of Node '{Nodes[0].Name}'", status, StringComparison.Ordinal);
                Say(status.Split('\n').First(line => line.StartsWith("wide:", StringComparison.Ordinal)));
            }
        }
        finally
        {
            await kube.Cluster.SendAsync(HttpMethod.Delete, "api/v1/nodes/wide");
            await Command.RunAsync("ip", ["address", "delete", Outside + "/32", "dev", kube.Mesh.Plan.Bridge], Token);
            await Command.RunAsync("ip", ["route", "delete", Nodes[0].PodCIDR.ToString()], Token);
        }

        await kube.WaitReadyAsync(Nodes);
    }

    // Every NIC and every virtual address of a machine is an InternalIP.
    [Fact]
    public async Task Node_ObjectWithMoreAddressesThanFit_AnnouncesTheFirstAndSaysHowManyAreLeftOut()
    {
        KubernetesMesh.SkipUnlessPossible();
        var (first, last) = (Nodes[0], Nodes[2]);
        await kube.Mesh.KillSiloAsync(last, Token);
        await kube.Cluster.SendAsync(HttpMethod.Delete, $"api/v1/nodes/{last.Name}");
        await kube.CreateNodeAsync(
            last, [last.Address.ToString(), .. Enumerable.Range(1, 10).Select(number => $"192.168.106.{150 + number}")]);
        try
        {
            kube.Mesh.StartSilo(last);
            await kube.WaitReadyAsync(Nodes);
            await UntilAsync(async () => await PeersAsync(first) == 2, "two peers");
            var status = (await kube.Mesh.RunAsync(first, Token, "owg", "status")).Output;
            Assert.Contains($"NOTE: {last.Name}: Node '{last.Name}' has 11 addresses; the first 8 without a zone are announced", status, StringComparison.Ordinal);
            Assert.Contains("3 left out: 192.168.106.158, 192.168.106.159, 192.168.106.160", status, StringComparison.Ordinal);
            Say(status.Split('\n').First(line => line.StartsWith("NOTE:", StringComparison.Ordinal)));
        }
        finally
        {
            await RestoreAsync(last);
        }
    }

    [Fact]
    public async Task Node_ObjectWithoutAnAddress_ReadinessSaysItAndTheLogOnce()
    {
        KubernetesMesh.SkipUnlessPossible();
        var last = Nodes[2];
        await kube.Mesh.KillSiloAsync(last, Token);
        (await kube.Mesh.RunAsync(last, Token, "owg", "cleanup")).EnsureSuccess();
        await kube.Cluster.SendAsync(HttpMethod.Delete, $"api/v1/nodes/{last.Name}");
        await kube.CreateNodeAsync(last, []);
        var former = (await File.ReadAllLinesAsync(kube.Mesh.State.SiloLog(last), Token)).Length;
        kube.Mesh.StartSilo(last);
        await UntilAsync(
            async () => (await kube.Mesh.AskReadyAsync(last, Token)).Reason.Contains(
                "has not announced its key yet: The roster lists no address", StringComparison.Ordinal),
            "readiness to say what stops the announcement");
        await Task.Delay(Watched, TimeProvider.System, Token);
        var lines = (await File.ReadAllLinesAsync(kube.Mesh.State.SiloLog(last), Token)).Skip(former).ToList();
        var told = lines.Count(line => line.Contains("could not rotate or announce", StringComparison.Ordinal));
        Say($"{told} lines in {Watched.TotalSeconds} s");
        Assert.InRange(told, 1, 2);
        await RestoreAsync(last);

        // The others accept the announcement before the call ends whose end is logged.
        await UntilAsync(
            async () =>
            {
                lines = [.. (await File.ReadAllLinesAsync(kube.Mesh.State.SiloLog(last), Token)).Skip(former)];
                return lines.Any(line => line.Contains("rotates and announces again", StringComparison.Ordinal));
            },
            "the log to say that it is over");
        Assert.Single(lines, line => line.Contains("rotates and announces again", StringComparison.Ordinal));
    }

    // What an uninstalled Cilium leaves behind: its definition, and no object of ours.
    [Fact]
    public async Task Silo_CiliumNodeServedWithoutOurObject_TakesNodes()
    {
        KubernetesMesh.SkipUnlessPossible();
        await kube.Cluster.PostAsync(
            "apis/apiextensions.k8s.io/v1/customresourcedefinitions", JsonNode.Parse(NodeWatcherTests.CiliumNodeDefinition)!.AsObject());
        try
        {
            await kube.Mesh.KillSiloAsync(Nodes[2], Token);
            kube.Mesh.StartSilo(Nodes[2]);
            await kube.WaitReadyAsync(Nodes);
            await UntilAsync(async () => await PeersAsync(Nodes[2]) == 2, "two peers");
            Assert.Contains("Nodes come from Node objects", await File.ReadAllTextAsync(
                kube.Mesh.State.SiloLog(Nodes[2]), Token), StringComparison.Ordinal);
        }
        finally
        {
            await kube.Cluster.SendAsync(HttpMethod.Delete, "apis/apiextensions.k8s.io/v1/customresourcedefinitions/ciliumnodes.cilium.io");
        }
    }

    private async Task RestoreAsync(NodePlan node)
    {
        await kube.Cluster.SendAsync(HttpMethod.Delete, $"api/v1/nodes/{node.Name}");
        await kube.CreateNodeAsync(node);
        await kube.WaitReadyAsync(Nodes);
        await UntilAsync(async () => await PeersAsync(Nodes[0]) == 2, "two peers again");
    }
}
