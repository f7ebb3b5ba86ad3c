using System.Text.Json.Nodes;
using Orleans.WireGuard.LocalMesh.Processes;
using Orleans.WireGuard.LocalMesh.Silos;
using Orleans.WireGuard.LocalMesh.Topology;

namespace Orleans.WireGuard.Tests.EndToEnd.Upgrade;

/// <summary>Two releases in one mesh, upgraded and rolled back under traffic, and releases that cannot be in one.</summary>
[Trait("Kind", "Upgrade")]
[Collection(LocalMeshCollection.Name)]
public sealed class UpgradeTests(ITestOutputHelper output)
{
    private const int Rate = 2_000;
    private const int ManyNodesRate = 50;
    private const int Misconfigured = 2;
    private const int Unhealthy = 3;

    private static readonly TimeSpan Period = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan UndoTimeout = TimeSpan.FromSeconds(15);
    private static readonly TimeSpan ProgressDeadline = TimeSpan.FromSeconds(45);
    private static readonly TimeSpan ExitTimeout = TimeSpan.FromSeconds(60);

    private static readonly MeshPlan Plan = new("owgu", 3, 121, 239);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Next_OneNodeAtATimeUpAndBack_LosesNothingAndRotates()
    {
        LocalMeshCollection.SkipUnlessPossible();

        // The settings are of the next release from the first moment on, and stay so at the end: the present one does without what it does
        // not know.
        await using var mesh = await UpgradeMesh.StartAsync(Plan, Period, Rate, output, [SiloVariant.Next], configuration =>
        {
            configuration.Insert(0, "$version", SiloVariant.Next.Version);
            configuration["Delivery"] = new JsonObject { ["GreetingInterval"] = "00:00:00.5" };
        });
        var steps = new List<UpgradeStep> { await mesh.MeasureAsync("start", 2) };
        foreach (var node in Plan.Nodes)
        {
            steps.Add(await mesh.MeasureAsync($"{node.Name} up", 2, () => mesh.RollAsync(node, SiloVariant.Next)));
        }

        // Only now, when nobody is left who does not know the call.
        await mesh.WaitForLogAsync(Plan.Nodes[0], $"Greeting: {Plan.Nodes[1].Name} greets");
        steps.Add(await mesh.MeasureAsync("all up", 3));
        Assert.Equal("5 5 5", steps[^1].Protocols);
        foreach (var node in Plan.Nodes)
        {
            steps.Add(await mesh.MeasureAsync($"{node.Name} back", 2, () => mesh.RollAsync(node, SiloVariant.Present)));
        }

        Assert.All(steps, step => step.AssertNothingLost(rotations: 2));
        mesh.AssertNothingStrange();
    }

    // The release before says nothing of what it speaks, and knows no extensions.
    [Fact]
    public async Task Former_OneNodeAtATimeBackAndUp_LosesNothingAndRotates()
    {
        LocalMeshCollection.SkipUnlessPossible();
        Assert.SkipWhen(
            SiloVariant.Former is null, $"{SiloVariant.FormerVariable} names no executable of the release before; build its tag and name its owg.");
        await using var mesh = await UpgradeMesh.StartAsync(Plan, Period, Rate, output, [SiloVariant.Former!]);
        var steps = new List<UpgradeStep> { await mesh.MeasureAsync("start", 3) };
        foreach (var node in Plan.Nodes)
        {
            steps.Add(await mesh.MeasureAsync($"{node.Name} back", 2, () => mesh.RollAsync(node, SiloVariant.Former!)));
        }

        foreach (var node in Plan.Nodes)
        {
            steps.Add(await mesh.MeasureAsync($"{node.Name} up", 2, () => mesh.RollAsync(node, SiloVariant.Present)));
        }

        Assert.All(steps, step => step.AssertNothingLost(rotations: 2));
        mesh.AssertNothingStrange();
    }

    // It ends before it has announced anything, so nobody has to refuse it; its device and the others' keys stay as they are.
    [Fact]
    public async Task AfterNext_OnOneNode_EndsAndSaysWhyAndNothingIsLost()
    {
        LocalMeshCollection.SkipUnlessPossible();
        await using var mesh = await UpgradeMesh.StartAsync(Plan, Period, Rate, output, [SiloVariant.AfterNext]);
        var node = Plan.Nodes[2];
        CommandResult? end = null;
        var up = await mesh.MeasureAsync("node-3 up", 0, async () =>
        {
            await mesh.Harness.StopSiloAsync(node, Token);
            using var limit = CancellationTokenSource.CreateLinkedTokenSource(Token);
            limit.CancelAfter(ExitTimeout);
            end = await mesh.Harness.RunAsync(
                node, limit.Token, SiloVariant.AfterNext.Program, "run", "--config", mesh.Harness.State.SiloConfiguration(node));
            await Task.Delay(Period * 2, TimeProvider.System, Token);
        });
        var back = await mesh.MeasureAsync("node-3 back", 2, () => mesh.RollAsync(node, SiloVariant.Present));
        output.WriteLine($"exit code {end?.ExitCode}: {end?.Error.Trim()}");
        Assert.Equal(Misconfigured, end?.ExitCode);
        Assert.Contains(
            "speaks protocol 5 to 6, but most of the mesh does not: the oldest, on 'node-", end?.Error, StringComparison.Ordinal);
        up.AssertNothingLost(rotations: 0);
        back.AssertNothingLost(rotations: 2);
        mesh.AssertNothingStrange();
    }

    [Fact]
    public async Task Broken_RolledOut_StopsAtTheFirstNodeAndIsUndone()
    {
        LocalMeshCollection.SkipUnlessPossible();
        await using var mesh = await UpgradeMesh.StartAsync(Plan, Period, Rate, output, [SiloVariant.Broken]);
        var first = Plan.Nodes[0];
        (NodePlan Node, string Reason)? stopped = null;
        var up = await mesh.MeasureAsync(
            "roll-out", 0, async () => stopped = await mesh.RollOutAsync(SiloVariant.Broken, ProgressDeadline));
        output.WriteLine($"stopped at {stopped?.Node.Name}: {stopped?.Reason}");
        Assert.Equal(first, stopped?.Node);
        Assert.All(Plan.Nodes.Skip(1), node => Assert.Equal(SiloVariant.Present, mesh.VariantOf(node)));
        foreach (var healthy in Plan.Nodes.Skip(1))
        {
            Assert.Equal("", (await mesh.Harness.AskReadyAsync(healthy, Token)).Reason);
        }

        Assert.Contains("2 of 2 active silos have not accepted its announcement", stopped?.Reason, StringComparison.Ordinal);
        Assert.Contains("node-2", stopped?.Reason, StringComparison.Ordinal);
        Assert.Contains("BadSignature", stopped?.Reason, StringComparison.Ordinal);
        Assert.Contains(SiloVariant.Broken.Version, stopped?.Reason, StringComparison.Ordinal);

        var status = await mesh.Harness.RunAsync(Plan.Nodes[1], Token, "owg", "status");
        output.WriteLine(status.Output);
        Assert.Equal(Unhealthy, status.ExitCode);
        Assert.Contains("VERSIONS DIFFER, and speak protocol 4 with each other:", status.Output, StringComparison.Ordinal);
        Assert.Contains($"  {SiloVariant.Broken.Version}", status.Output, StringComparison.Ordinal);

        var undone = TimeSpan.MaxValue;
        var back = await mesh.MeasureAsync("undo", 2, async () =>
        {
            await mesh.Harness.StopSiloAsync(first, Token);
            var started = TimeProvider.System.GetTimestamp();
            await mesh.RollAsync(first, SiloVariant.Present);
            undone = TimeProvider.System.GetElapsedTime(started);
        });
        output.WriteLine($"ready {undone.TotalSeconds:0.0} s after the undo");
        Assert.InRange(undone, TimeSpan.Zero, UndoTimeout);
        up.AssertNothingLost(rotations: 0);
        back.AssertNothingLost(rotations: 2);
    }

    // Nobody is behind for long because of a release: what waits for the one silo of it would cut it off when its keys are too old.
    [Fact]
    public async Task Next_OneOfTwelveForLongerThanAKeyMayBecome_CutsNobodyOff()
    {
        LocalMeshCollection.SkipUnlessPossible();
        var plan = new MeshPlan("owgt", 12, 122, 238);
        var period = TimeSpan.FromSeconds(10);
        await using var mesh = await UpgradeMesh.StartAsync(
            plan, period, ManyNodesRate, output, [SiloVariant.Next],
            configuration => configuration["Rotation"]!["MaxKeyAge"] = (period * 6).ToString());
        var up = await mesh.MeasureAsync("one of twelve up", 8, () => mesh.RollAsync(plan.Nodes[11], SiloVariant.Next));
        var (status, problem) = await MeshStatusReader.ReadAsync(mesh.Harness, plan.Nodes[0], Token);
        Assert.Equal("", problem);
        up.AssertNothingLost(rotations: 8);
        Assert.Equal(status!.Agreements, status.Agreeing);
    }
}
