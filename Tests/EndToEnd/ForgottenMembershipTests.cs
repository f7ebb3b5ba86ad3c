using System.Diagnostics;
using Orleans.WireGuard.LocalMesh.Silos;
using Orleans.WireGuard.LocalMesh.Topology;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.EndToEnd;

/// <summary>Redis forgets everything while all silos run, and one of them dies at that moment: they come back as one cluster.</summary>
[Trait("Kind", "EndToEnd")]
[Collection(LocalMeshCollection.Name)]
public sealed class ForgottenMembershipTests(ITestOutputHelper output)
{
    private static readonly MeshPlan Plan = new("owgm", 3, 116, 244);
    private static readonly TimeSpan Period = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    [Trait("Length", "Long")]
    public async Task Redis_FlushedWhileAllRun_OneClusterAgainAndNoPacketLost()
    {
        LocalMeshCollection.SkipUnlessPossible();
        await using var mesh = await RotatingMesh.StartAsync(
            Plan, LocalMeshCollection.Binary, Period, TestContext.Current.SendDiagnosticMessage, Token);
        await mesh.UntilRotatedAsync(Plan.Nodes, 1, Patience);
        await using var meter = mesh.Meter();
        await using var supervisor = new SiloSupervisor(mesh.Harness);
        await using (var redis = await mesh.Harness.Redis.ConnectAsync(Token))
        {
            Assert.Equal("OK", (string?)await redis.GetDatabase().ExecuteAsync("FLUSHALL"));
        }

        // The one that starts first finds a store that knows nobody.
        var began = Stopwatch.GetTimestamp();
        await mesh.Harness.KillSiloAsync(Plan.Nodes[2], Token);

        await mesh.UntilAsync(() => Task.FromResult(Plan.Nodes.All(node => supervisor.Restarts(node) > 0)), "every silo to end", Patience);
        var endedAfter = Stopwatch.GetElapsedTime(began);
        await mesh.UntilAsync(async () => await EverybodySeesEverybodyAsync(mesh), "one cluster of all silos", Patience);
        var healedAfter = Stopwatch.GetElapsedTime(began);
        await mesh.UntilRotatedAsync(Plan.Nodes, 2, Patience);
        var report = await meter.StopAsync(Token);
        output.WriteLine($"all had ended after {endedAfter.TotalSeconds:0.0} s, one cluster after {healedAfter.TotalSeconds:0.0} s, silos started again: {string.Join(", ", Plan.Nodes.Select(supervisor.Restarts))}\n{report}");
        Assert.All(Plan.Nodes, node => Assert.Equal(1, supervisor.Restarts(node)));
        Assert.True(report.Lost == 0, $"{report}\n{LogTail.Read(mesh.Harness.State.SiloLog(Plan.Nodes[0]))}");
        Assert.Contains("it has forgotten what this silo wrote", await File.ReadAllTextAsync(
            mesh.Harness.State.SiloLog(Plan.Nodes[0]), Token), StringComparison.Ordinal);
    }

    private static async Task<bool> EverybodySeesEverybodyAsync(RotatingMesh mesh)
    {
        foreach (var asked in Plan.Nodes)
        {
            var status = await mesh.Harness.RunAsync(
                asked, Token, "owg", "status", "--config", mesh.Harness.State.SiloConfiguration(asked));
            if (status.ExitCode != 0)
            {
                return false;
            }
        }

        return true;
    }
}
