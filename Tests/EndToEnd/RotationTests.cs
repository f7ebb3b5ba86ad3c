using System.Globalization;
using Orleans.WireGuard.LocalMesh.Check;
using Orleans.WireGuard.LocalMesh.Meter;
using Orleans.WireGuard.LocalMesh.Probes;
using Orleans.WireGuard.LocalMesh.Silos;
using Orleans.WireGuard.LocalMesh.Topology;

namespace Orleans.WireGuard.Tests.EndToEnd;

/// <summary>Rotations cost no packet: three nodes, 2,000 packets a second in each of six directions.</summary>
[Trait("Kind", "EndToEnd")]
[Collection(LocalMeshCollection.Name)]
public sealed class RotationTests(ITestOutputHelper output)
{
    private const int Rotations = 5;

    // What starts later than it should is late, not lost: rotations are waited for this much longer.
    private const int SparePeriods = 3;

    private static readonly MeshPlan Plan = new("owgr", 3, 107, 251);
    private static readonly TimeSpan Period = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan Sample = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan ReachTimeout = TimeSpan.FromSeconds(60);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private static TimeProvider Time => TimeProvider.System;

    [Fact]
    public async Task Rotation_OfEveryNode_LosesNoPacketInAnyDirection()
    {
        LocalMeshCollection.SkipUnlessPossible();
        await using var mesh = await MeshHarness.CreateAsync(
            Plan, MeshState.For(Plan), Time, TestContext.Current.SendDiagnosticMessage, Token);
        await CheckSourcesAsync(mesh);
        await new MeshStarter(mesh, Time, TestContext.Current.SendDiagnosticMessage).StartAsync(LocalMeshCollection.Binary, Period, Token);
        await using (var probes = new MeshProbes(mesh, Time))
        {
            Assert.Empty(await probes.WaitReachableAsync(Time.GetUtcNow(), ReachTimeout, Token));
        }

        await mesh.FavourDevicesAsync(Token);
        var watch = new RotationWatch(mesh);
        await watch.SampleAsync(Token);
        await using var meter = new PacketMeter([.. Plan.Nodes.Select(MeterEndpoint.OfPod)], Time);
        while (watch.Fewest < Rotations && meter.Elapsed < Period * (Rotations + SparePeriods))
        {
            await Task.Delay(Sample, Time, Token);
            await watch.SampleAsync(Token);
        }

        // What the last rotation may cost comes after its key is seen.
        await Task.Delay(Period / 2, Time, Token);
        var report = await meter.StopAsync(Token);
        var (status, problem) = await MeshStatusReader.ReadAsync(mesh, Plan.Nodes[0], Token);
        output.WriteLine($"rotations {watch.Describe()}\n{report}");

        Assert.Equal("", problem);
        Assert.All(Plan.Nodes, node =>
        {
            Assert.InRange(watch.Rotations(node), Rotations, int.MaxValue);
            Assert.InRange(status!.Nodes[node.Name].Rotations ?? 0, Rotations, long.MaxValue);
        });
        Assert.All(report.Flows, flow => Assert.InRange(
            flow.Sent, Period.TotalSeconds * (Rotations - 1) * PacketMeter.DefaultRate, long.MaxValue));
        Assert.All(report.Flows, flow => Assert.True(
            flow.Lost == 0, $"{flow.Pair} lost {flow.Lost} of {flow.Sent}; silo log:\n{LogTail.Read(mesh.State.SiloLog(Plan.Nodes[0]))}"));
    }

    // What distributions set differs: nothing, strict (1), loose (2). A larger value for all links overrides that of a single one.
    private static async Task CheckSourcesAsync(MeshHarness mesh)
    {
        foreach (var (node, index) in Plan.Nodes.Select((node, index) => (node, index)))
        {
            var result = await mesh.RunAsync(
                node, Token, "sysctl", "-q", "-w", string.Create(CultureInfo.InvariantCulture, $"net.ipv4.conf.all.rp_filter={index}"));
            Assert.Equal(0, result.ExitCode);
        }
    }
}
