using System.Globalization;
using Orleans.WireGuard.LocalMesh.Meter;
using Orleans.WireGuard.LocalMesh.Processes;
using Orleans.WireGuard.LocalMesh.Silos;
using Orleans.WireGuard.LocalMesh.Topology;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.EndToEnd;

/// <summary>
/// What goes wrong while keys rotate costs no packet between nodes that it has nothing to do with. Each test shows that its fault took
/// place, and prints what was lost with the faulty node and without it.
/// </summary>
[Trait("Kind", "EndToEnd")]
[Collection(LocalMeshCollection.Name)]
public sealed class RotationFaultTests(ITestOutputHelper output)
{
    private static readonly MeshPlan Plan = new("owgf", 3, 108, 252);
    private static readonly int SecondSlotPort = MeshPlan.WireGuardPorts[1];
    private static readonly TimeSpan Period = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan Lead = TimeSpan.FromMilliseconds(600);
    private static readonly TimeSpan Down = TimeSpan.FromSeconds(1);

    // Longer than a handshake that has to be repeated, 5 s.
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private static readonly TimeSpan TableRefresh = TimeSpan.FromSeconds(40);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private static NodePlan First => Plan.Nodes[0];

    private static NodePlan Second => Plan.Nodes[1];

    private static NodePlan Faulty => Plan.Nodes[2];

    private static IReadOnlyList<NodePlan> Others => [First, Second];

    [Fact]
    [Trait("Length", "Long")]
    public async Task Silo_KilledBeforeItAnnounced_CostsOthersNothing()
    {
        await using var mesh = await StartAsync();
        await using var meter = mesh.Meter();
        var port = await mesh.UntilBeforeRotationAsync(Faulty, Lead);
        await using (var block = await PacketBlock.BlockSilosAsync(mesh.Harness, Faulty, Token))
        {
            var key = await mesh.UntilNewKeyAsync(Faulty, port);
            await mesh.Harness.KillSiloAsync(Faulty, Token);
            Assert.True(await block.CountAsync(Token) > 0, "Nothing was blocked.");

            // Once packets pass again, the kernel sends what the dead process had written into its sockets.
            Assert.False(await mesh.HoldsAsync(First, key), "It was announced before it died.");
            Assert.False(await mesh.HoldsAsync(Second, key), "It was announced before it died.");
        }

        await mesh.DelayAsync(Down);
        await mesh.RestartAsync(Faulty);
        await mesh.UntilRotatedAsync(Plan.Nodes, 1, Patience);
        await ConcludeAsync(mesh, meter, "killed before it announced");
    }

    [Fact]
    public async Task Silo_KilledAfterItAnnounced_CostsOthersNothing()
    {
        await using var mesh = await StartAsync();
        await using var meter = mesh.Meter();
        var port = await mesh.UntilBeforeRotationAsync(Faulty, Lead);
        await using (await PacketBlock.BlockSlotAsync(mesh.Harness, Faulty, port, null, Token))
        {
            var key = await mesh.UntilNewKeyAsync(Faulty, port);
            await mesh.UntilAsync(async () => await mesh.HoldsAsync(First, key)
                && await mesh.HoldsAsync(Second, key), "the others to hold the new key", Period * 2);
            await mesh.Harness.KillSiloAsync(Faulty, Token);
            Assert.False(await mesh.HasShakenHandsAsync(First, key), "The cut-over had begun before it died.");
            Assert.False(await mesh.HasShakenHandsAsync(Second, key), "The cut-over had begun before it died.");
        }

        await mesh.DelayAsync(Down);
        await mesh.RestartAsync(Faulty);
        await mesh.UntilRotatedAsync(Plan.Nodes, 1, Patience);
        await ConcludeAsync(mesh, meter, "killed after it announced");
    }

    [Fact]
    public async Task Silo_KilledDuringCutOver_CostsOthersNothing()
    {
        await using var mesh = await StartAsync();
        await using var meter = mesh.Meter();
        var port = await mesh.UntilBeforeRotationAsync(Faulty, Lead);
        await using (await PacketBlock.BlockSlotAsync(mesh.Harness, Faulty, port, First, Token))
        {
            var key = await mesh.UntilNewKeyAsync(Faulty, port);
            await mesh.UntilAsync(
                async () => await mesh.HasShakenHandsAsync(Second, key), "the handshake with the one that is not cut off", Period * 2);
            await mesh.Harness.KillSiloAsync(Faulty, Token);
            Assert.False(await mesh.HasShakenHandsAsync(First, key), "The cut-over was complete before it died.");
        }

        await mesh.DelayAsync(Down);
        await mesh.RestartAsync(Faulty);
        await mesh.UntilRotatedAsync(Plan.Nodes, 1, Patience);
        await ConcludeAsync(mesh, meter, "killed during the cut-over");
    }

    [Fact]
    [Trait("Length", "Long")]
    public async Task Silo_StoppedForThreeEpochs_CostsOthersNothing()
    {
        await using var mesh = await StartAsync();
        await using var meter = mesh.Meter();
        var silo = mesh.Harness.Silo(Faulty)!;
        silo.Signal(NativeMethods.SIGSTOP);
        await mesh.ObserveAsync(Period * 3);

        // The others' own rotations may have to wait for it. That it did not rotate shows that it stood still.
        output.WriteLine($"rotations while it stood still: {mesh.Watch.Describe()}");
        Assert.Equal(0, mesh.Watch.Rotations(Faulty));
        silo.Signal(NativeMethods.SIGCONT);

        // Declared dead, it learns that and ends, and a supervisor starts it again; one that was not goes on.
        // By the next look at the membership table at the latest, which takes up to 30 s.
        var hasEnded = await silo.WaitForExitAsync(TableRefresh, TimeProvider.System, Token);
        output.WriteLine($"after it went on: {(hasEnded ? "ended" : "still running")}");
        if (hasEnded)
        {
            await mesh.RestartAsync(Faulty);
        }

        await mesh.UntilRotatedAsync(Plan.Nodes, 1, Patience);
        await ConcludeAsync(mesh, meter, "stopped for three epochs");
    }

    // The faulty node loses nothing either: its traffic stays on the slot that works.
    [Fact]
    [Trait("Length", "Long")]
    public async Task SecondSlot_BlockedOnOneNode_CostsNobodyAnything()
    {
        await using var mesh = await StartAsync();
        await using var meter = mesh.Meter();

        // While the second slot carries traffic, whoever blocks it blocks the traffic. The question is whether anybody moves onto a blocked
        // one.
        await mesh.UntilAllSendThroughAsync(MeshPlan.DeviceNames[0], Period * 4);
        await using (var block = await PacketBlock.BlockSlotAsync(mesh.Harness, Faulty, SecondSlotPort, null, Token))
        {
            await mesh.ObserveAsync(Period * 3);
            var blocked = await block.CountAsync(Token);
            output.WriteLine($"rotations {mesh.Watch.Describe()}; {blocked} packets of UDP {SecondSlotPort} blocked");
            Assert.True(blocked > 0, $"Nobody used UDP {SecondSlotPort}.");
        }

        var report = await ConcludeAsync(mesh, meter, $"UDP {SecondSlotPort} blocked");
        Assert.Equal(0, report.Lost);
    }

    [Fact]
    [Trait("Length", "Long")]
    public async Task Announcements_LateAndLost_CostNobodyAnything()
    {
        var begin = Path.Combine(Path.GetTempPath(), Path.GetRandomFileName());
        await using var mesh = await StartAsync(variables: _ => AnnouncementFaults.Variables(TimeSpan.FromSeconds(2), 0.2, begin));
        await using var meter = mesh.Meter();
        await File.WriteAllTextAsync(begin, "", Token);
        await mesh.ObserveAsync(Period * 4);

        // Which of them are lost is chance, and now and then it is none for as long as that.
        var counts = Plan.Nodes.Select(node => AnnouncementFaults.Count(mesh.Harness.State.SiloLog(node))).ToList();
        await mesh.UntilAsync(
            () =>
            {
                counts = [.. Plan.Nodes.Select(node => AnnouncementFaults.Count(mesh.Harness.State.SiloLog(node)))];
                return Task.FromResult(counts.All(count => count.Delayed > 0) && counts.Sum(count => count.Lost) > 0);
            },
            "announcements of every node to be late and one of them to be lost",
            Patience);
        await mesh.Watch.SampleAsync(Token);
        output.WriteLine($"rotations {mesh.Watch.Describe()}; announcements delayed {counts.Sum(count => count.Delayed)}, lost {counts.Sum(count => count.Lost)}");
        File.Delete(begin);

        var report = await ConcludeAsync(mesh, meter, "announcements 2 s late, a fifth lost");
        Assert.Equal(0, report.Lost);
    }

    [Theory]
    [InlineData(30)]
    [InlineData(600, Traits = ["Length", "Long"])]
    public async Task Clock_OfOneNodeAhead_CostsOthersNothing(int seconds)
    {
        WrongClock.SkipUnlessPossible();
        using var clock = await WrongClock.BuildAsync(Token);
        var ahead = clock.Environment(TimeSpan.FromSeconds(seconds));
        await using var mesh = await StartAsync(variables: node => node == Faulty ? ahead : null);
        await using var meter = mesh.Meter();
        await mesh.UntilRotatedAsync(Others, 2, Patience);
        await mesh.Watch.SampleAsync(Token);
        var skew = mesh.ReadClock(Faulty) - mesh.ReadClock(First);
        output.WriteLine(string.Create(
            CultureInfo.InvariantCulture, $"rotations {mesh.Watch.Describe()}; {Faulty.Name} is {skew.TotalSeconds:0.0} s ahead"));

        // Whichever of the two wrote its latest line first.
        Assert.InRange(skew.TotalSeconds, seconds - 10, seconds + 10);
        await ConcludeAsync(mesh, meter, string.Create(CultureInfo.InvariantCulture, $"clock {seconds} s ahead"));
    }

    [Fact]
    public async Task Node_JoiningBetweenRotations_CostsOthersNothing()
    {
        await using var mesh = await StartAsync(nodes: Others);
        await using (var meter = mesh.Meter(Others))
        {
            await mesh.DelayAsync(Period / 2);
            Assert.Null(mesh.Harness.Silo(Faulty));
            await mesh.RestartAsync(Faulty);
            await mesh.UntilRotatedAsync(Others, 2, Patience);
            await mesh.UntilPodsReachAsync(Plan.Nodes);
            await ConcludeAsync(mesh, meter, "a node joins");
        }

        // And once it has joined it is a node like the others.
        await mesh.Harness.FavourDevicesAsync(Token);
        await using var after = mesh.Meter();
        await mesh.UntilRotatedAsync(Plan.Nodes, 1, Patience);
        var report = await ConcludeAsync(mesh, after, "after it joined");
        Assert.Equal(0, report.Lost);
    }

    [Fact]
    [Trait("Length", "Long")]
    public async Task Period_ChangedByARollingRestart_CostsNobodyAnything()
    {
        var longer = Period * 2;
        await using var mesh = await StartAsync();
        await using var meter = mesh.Meter();
        foreach (var node in Plan.Nodes)
        {
            mesh.Reconfigure(
                node, configuration => configuration["Rotation"]!["Period"] = longer.ToString("c", CultureInfo.InvariantCulture));
            var silo = mesh.Harness.Silo(node)!;
            silo.Signal(NativeMethods.SIGTERM);
            Assert.True(await silo.WaitForExitAsync(Patience, TimeProvider.System, Token), $"The silo of {node.Name} did not stop.");
            await mesh.RestartAsync(node);
        }

        await mesh.UntilRotatedAsync(Plan.Nodes, 1, longer * 3);
        foreach (var node in Plan.Nodes)
        {
            Assert.Equal(longer.TotalSeconds, (await mesh.StatusAsync(node, First)).GetProperty("rotationPeriod").GetDouble());
        }

        var report = await ConcludeAsync(mesh, meter, "period doubled by a rolling restart");
        Assert.Equal(0, report.Lost);
    }

    private static Task<RotatingMesh> StartAsync(
        IReadOnlyList<NodePlan>? nodes = null, Func<NodePlan, IReadOnlyDictionary<string, string?>?>? variables = null)
    {
        LocalMeshCollection.SkipUnlessPossible();
        return RotatingMesh.StartAsync(
            Plan, LocalMeshCollection.Binary, Period, TestContext.Current.SendDiagnosticMessage, Token, nodes, variables);
    }

    private async Task<MeterReport> ConcludeAsync(RotatingMesh mesh, PacketMeter meter, string fault)
    {
        // What the last rotation may cost comes after its key is seen.
        await mesh.DelayAsync(Period / 2);
        var report = await meter.StopAsync(Token);
        output.WriteLine(
            $"{fault}: {report.LostWith(Faulty.Name)} lost with {Faulty.Name}, {report.LostWithout(Faulty.Name)} without it\n{report}");
        Assert.All(report.Flows, flow => Assert.True(flow.Sent > PacketMeter.DefaultRate, $"{flow.Pair} sent only {flow.Sent}."));
        Assert.True(report.LostWithout(
            Faulty.Name) == 0, $"{fault}: {report}\nlog of {First.Name}:\n{LogTail.Read(mesh.Harness.State.SiloLog(First))}");
        return report;
    }
}
