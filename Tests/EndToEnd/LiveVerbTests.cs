using System.Globalization;
using Orleans.WireGuard.LocalMesh.Check;
using Orleans.WireGuard.LocalMesh.Processes;
using Orleans.WireGuard.LocalMesh.Topology;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.EndToEnd;

/// <summary>The operator's verbs on a mesh whose pods talk: they do what they say, and cost what they say.</summary>
[Trait("Kind", "EndToEnd")]
[Collection(LocalMeshCollection.Name)]
public sealed class LiveVerbTests(ITestOutputHelper output)
{
    private static readonly MeshPlan Plan = new("owgv", 3, 109, 253);
    private static readonly TimeSpan ShortPeriod = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan QuietFor = TimeSpan.FromMinutes(10);

    // A second more than Rotation:GracePeriod, for which a slot has to have been quiet.
    private static readonly TimeSpan Grace = TimeSpan.FromSeconds(16);

    // Longer than a handshake that has to be repeated, 5 s.
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private static NodePlan First => Plan.Nodes[0];

    [Fact]
    public async Task Rotate_AllThenOneNode_FirstLosesNothingAndSecondSaysThatItMay()
    {
        // Nothing rotates by itself meanwhile.
        await using var mesh = await StartAsync(QuietPeriod.Choose(TimeProvider.System.GetUtcNow(), QuietFor));
        await using (var meter = mesh.Meter())
        {
            // What a silo that has just started still waits for would be a reason to refuse.
            await NodeStatusQuery.WaitMovedAsync(mesh.Harness, Plan.Nodes, Token);
            await mesh.DelayAsync(Grace);
            await mesh.Watch.SampleAsync(Token);
            var all = await OwgAsync(mesh, "rotate", "--all");
            Assert.True(all.ExitCode == 0, all.Output + all.Error);
            Assert.All(Plan.Nodes, node => Assert.Contains($"{node.Name}: ", all.Output, StringComparison.Ordinal));
            await mesh.UntilAsync(
                async () =>
                {
                    await mesh.Watch.SampleAsync(Token);
                    return mesh.Watch.Fewest == 1;
                },
                "every node to have a new key",
                Patience);
            await NodeStatusQuery.WaitMovedAsync(mesh.Harness, Plan.Nodes, Token);
            await mesh.DelayAsync(ShortPeriod);
            var report = await meter.StopAsync(Token);
            output.WriteLine($"owg rotate --all: {report.Lost} of {report.Sent} lost\n{report}");
            Assert.All(report.Flows, flow => Assert.True(flow.Sent > 0, $"{flow.Pair} sent nothing."));
            Assert.Equal(0, report.Lost);
        }

        var again = await OwgAsync(mesh, "rotate", "--all");
        Assert.Equal(1, again.ExitCode);
        Assert.Contains("has the key of the next epoch already", again.Output, StringComparison.Ordinal);

        await using var second = mesh.Meter();
        var one = await OwgAsync(mesh, "rotate", "--node", First.Name);
        Assert.Equal(0, one.ExitCode);
        Assert.Contains("may have been lost", one.Output, StringComparison.Ordinal);
        await mesh.UntilPodsReachAsync(Plan.Nodes);
        await NodeStatusQuery.WaitMovedAsync(mesh.Harness, [First], Token);
        var inPlace = await second.StopAsync(Token);
        await mesh.Watch.SampleAsync(Token);
        output.WriteLine($"owg rotate --node {First.Name}: {inPlace.LostWith(First.Name)} lost with it, {inPlace.LostWithout(First.Name)} without it\n{inPlace}");
        Assert.Equal([2, 1, 1], Plan.Nodes.Select(mesh.Watch.Rotations));
        Assert.Equal(0, inPlace.LostWithout(First.Name));
    }

    [Fact]
    [Trait("Length", "Long")]
    public async Task Freeze_OfEveryNode_KeepsKeysAcrossARestartUntilUnfrozen()
    {
        await using var mesh = await StartAsync(ShortPeriod);
        var frozen = await OwgAsync(mesh, "freeze", "--for", "5m");
        Assert.Equal(0, frozen.ExitCode);

        // A slot whose key was destroyed when the freeze came is still filled, once.
        await mesh.ObserveAsync(ShortPeriod * 2);
        var before = mesh.Watch.Describe();
        await mesh.Harness.KillSiloAsync(Plan.Nodes[2], Token);
        await mesh.RestartAsync(Plan.Nodes[2]);
        await mesh.ObserveAsync(ShortPeriod * 3);
        output.WriteLine($"rotations when the freeze came {before}, three periods and a restart later {mesh.Watch.Describe()}");
        Assert.Equal(before, mesh.Watch.Describe());
        var status = (await OwgAsync(mesh, "status")).Output;
        Assert.All(Plan.Nodes, node => Assert.Contains($"{node.Name} is FROZEN until", status, StringComparison.Ordinal));
        var refused = await OwgAsync(mesh, "rotate", "--all");
        Assert.Equal(1, refused.ExitCode);
        Assert.Contains("unfreeze it first", refused.Output, StringComparison.Ordinal);

        await using var meter = mesh.Meter();
        Assert.Equal(0, (await OwgAsync(mesh, "unfreeze")).ExitCode);
        await mesh.UntilRotatedAsync(Plan.Nodes, 1, Patience);
        await mesh.DelayAsync(ShortPeriod / 2);
        var report = await meter.StopAsync(Token);
        output.WriteLine($"after the freeze: rotations {mesh.Watch.Describe()}, {report.Lost} of {report.Sent} lost");
        Assert.Equal(0, report.Lost);
    }

    [Fact]
    public async Task Watch_InterruptedOrWithoutReader_EndsWithZeroAndHasShownARotation()
    {
        await using var mesh = await StartAsync(ShortPeriod);

        // timeout(1) sends what Ctrl-C sends, and passes the exit code on.
        var seconds = string.Create(CultureInfo.InvariantCulture, $"{ShortPeriod.TotalSeconds * 3}");
        var interrupted = await mesh.Harness.RunAsync(
            First, Token, "timeout", "--preserve-status", "--signal=INT", seconds, "owg", "watch");
        output.WriteLine(interrupted.Output);
        Assert.Equal(0, interrupted.ExitCode);
        Assert.All(Plan.Nodes, node => Assert.Contains(
            interrupted.Output.Split('\n'),
            line => line.Contains(node.Name, StringComparison.Ordinal) && line.Contains("re-keyed", StringComparison.Ordinal)));
        Assert.Contains("moved", interrupted.Output, StringComparison.Ordinal);

        // The writer learns that its reader has gone when it writes, which is at the next event.
        var limit = string.Create(CultureInfo.InvariantCulture, $"{Patience.TotalSeconds}");
        var piped = await mesh.Harness.RunAsync(
            First, Token, "bash", "-c", $"set -o pipefail; timeout --preserve-status --signal=KILL {limit} owg watch | head -n 1");
        Assert.Equal(0, piped.ExitCode);
        Assert.Single(piped.Output.TrimEnd().Split('\n'));
    }

    private static Task<CommandResult> OwgAsync(RotatingMesh mesh, params string[] arguments) =>
        mesh.Harness.RunAsync(First, Token, ["owg", .. arguments]);

    private static Task<RotatingMesh> StartAsync(TimeSpan period)
    {
        LocalMeshCollection.SkipUnlessPossible();
        return RotatingMesh.StartAsync(Plan, LocalMeshCollection.Binary, period, TestContext.Current.SendDiagnosticMessage, Token);
    }
}
