using System.Diagnostics;
using System.Globalization;
using System.Text.Json.Nodes;
using Orleans.WireGuard.LocalMesh.ApiServer;
using Orleans.WireGuard.LocalMesh.Check;
using Orleans.WireGuard.LocalMesh.Probes;
using Orleans.WireGuard.LocalMesh.Processes;
using Orleans.WireGuard.LocalMesh.Silos;
using Orleans.WireGuard.LocalMesh.Topology;

namespace Orleans.WireGuard.Tests.EndToEnd;

/// <summary>
/// The process of the API server hangs, as a machine without memory or a paused virtual machine does, and goes on: on real packets.
/// </summary>
/// <remarks>
/// Worse than one that is killed: connections stay open and new ones are taken, by the system, and nobody answers. Only now is it seen
/// whether every wait has an end, and whether that end is taken for a failure.
/// </remarks>
[Trait("Kind", "EndToEnd")]
[Collection(LocalMeshCollection.Name)]
public sealed class ApiServerHangTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(90);

    // A dead connection is found after 25 s, and one that nobody answers 3 s later.
    private static readonly TimeSpan Hang = TimeSpan.FromSeconds(40);
    private static readonly TimeSpan RequestTimeout = TimeSpan.FromSeconds(3);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Mesh_ApiServerHangsAndGoesOn_TakesANewNodeSoonAfter()
    {
        LocalMeshCollection.SkipUnlessPossible();
        var plan = new MeshPlan("owgh", 3, 108, 252);
        await using var mesh = await MeshHarness.CreateAsync(
            plan, MeshState.For(plan), TimeProvider.System, TestContext.Current.SendDiagnosticMessage, Token);
        mesh.InstallBinary(LocalMeshCollection.Binary);
        await using var cluster = await KubernetesMeshBuilder.CreateAsync(
            mesh, kubeConfig: null, TimeSpan.FromSeconds(10), TimeProvider.System, Token);
        var starter = new MeshStarter(mesh, TimeProvider.System, TestContext.Current.SendDiagnosticMessage);
        var (old, late) = (new[] { plan.Nodes[0], plan.Nodes[1] }, plan.Nodes[2]);
        foreach (var node in old)
        {
            await StartAsync(node);
        }

        await starter.WaitReadyAsync(old, Token);
        await using var probes = new MeshProbes(mesh, TimeProvider.System);
        var pair = new NodePair(old[0].Name, old[1].Name);
        await UntilAsync(
            () => Task.FromResult(probes.Ledger.LastAnswered(pair) is not null), Patience, "the first two to reach each other");

        // It hangs, and all know it.
        var from = TimeProvider.System.GetUtcNow();
        cluster.Server.Signal(NativeMethods.SIGSTOP);
        Readiness[] meanwhile;
        try
        {
            await Task.Delay(Hang, TimeProvider.System, Token);
            meanwhile = await Task.WhenAll(old.Select(node => mesh.AskReadyAsync(node, Token)));
        }
        finally
        {
            cluster.Server.Signal(NativeMethods.SIGCONT);
        }

        var back = Stopwatch.GetTimestamp();
        var until = TimeProvider.System.GetUtcNow();
        Assert.All(meanwhile, said => Assert.Contains("nodes: The API server", said.Reason, StringComparison.Ordinal));
        Assert.All(meanwhile, said => Assert.Contains("membership: The API server", said.Reason, StringComparison.Ordinal));
        var report = probes.Report(from, until - MeshProbes.Patience)[pair];

        // It goes on, and so do they.
        await UntilAsync(
            async () => (await Task.WhenAll(old.Select(node => mesh.AskReadyAsync(node, Token))))
                .All(said => said.IsReady), TimeSpan.FromSeconds(30), "the silos to be ready again");
        var ready = Stopwatch.GetElapsedTime(back);
        var started = Stopwatch.GetTimestamp();
        await StartAsync(late);
        Assert.Empty(await probes.WaitReachableAsync(TimeProvider.System.GetUtcNow(), Patience, Token));
        var reached = Stopwatch.GetElapsedTime(started);
        await starter.WaitReadyAsync(plan.Nodes, Token);
        TestContext.Current.TestOutputHelper!.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"hung for {Hang.TotalSeconds:F0} s: {report.Lost} of {report.Sent} packets lost meanwhile; ready {ready.TotalSeconds:F1} s after it went on; a new node reached by all {reached.TotalSeconds:F1} s after its silo was started"));
        TestContext.Current.TestOutputHelper!.WriteLine($"readiness meanwhile: {meanwhile[0].Reason.ReplaceLineEndings(" | ")}");

        async Task StartAsync(NodePlan node)
        {
            await cluster.Objects.AddAsync(plan, node, Token);
            cluster.Configure(node);
            var file = mesh.State.SiloConfiguration(node);
            var configuration = JsonNode.Parse(await File.ReadAllTextAsync(file, Token))!;
            configuration["Kubernetes"]!["RequestTimeout"] = RequestTimeout.ToString("c");
            await File.WriteAllTextAsync(file, configuration.ToJsonString(), Token);
            mesh.StartSilo(node);
        }
    }

    private static async Task UntilAsync(Func<Task<bool>> condition, TimeSpan patience, string what)
    {
        var began = Stopwatch.GetTimestamp();
        while (!await condition())
        {
            Assert.True(Stopwatch.GetElapsedTime(began) < patience, $"Waited {patience.TotalSeconds} s in vain for {what}.");
            await Task.Delay(TimeSpan.FromMilliseconds(100), TimeProvider.System, Token);
        }
    }
}
