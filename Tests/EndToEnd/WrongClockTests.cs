using System.Diagnostics;
using Orleans.WireGuard.LocalMesh.Silos;
using Orleans.WireGuard.LocalMesh.Topology;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.EndToEnd;

/// <summary>
/// A silo that is started again with a clock that is far behind: behind its former self's start, in 1970, and before that.
/// </summary>
[Trait("Kind", "EndToEnd")]
[Collection(LocalMeshCollection.Name)]
public sealed class WrongClockTests(ITestOutputHelper output)
{
    private static readonly MeshPlan Plan = new("owgq", 3, 119, 241);
    private static readonly TimeSpan Period = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private static NodePlan Faulty => Plan.Nodes[2];

    [Fact]
    [Trait("Length", "Long")]
    public async Task Silo_RestartedWithAClockFarBehind_JoinsRotatesAndLosesNoPacket()
    {
        LocalMeshCollection.SkipUnlessPossible();
        WrongClock.SkipUnlessPossible();
        using var library = await WrongClock.BuildAsync(Token);
        await using var mesh = await RotatingMesh.StartAsync(
            Plan, LocalMeshCollection.Binary, Period, TestContext.Current.SendDiagnosticMessage, Token);
        await mesh.UntilRotatedAsync(Plan.Nodes, 1, Patience);
        await using var meter = mesh.Meter();

        // Each starts below all its predecessors.
        foreach (var clock in new[] { TimeProvider.System.GetUtcNow()
            .AddHours(-1), DateTimeOffset.UnixEpoch.AddMinutes(10), DateTimeOffset.UnixEpoch.AddHours(-1) })
        {
            await mesh.Harness.KillSiloAsync(Faulty, Token);
            var began = Stopwatch.GetTimestamp();
            await mesh.RestartAsync(Faulty, library.Environment(clock - TimeProvider.System.GetUtcNow()));
            output.WriteLine($"{clock:u}: ready after {Stopwatch.GetElapsedTime(began).TotalSeconds:0.0} s");
            await mesh.UntilRotatedAsync(Plan.Nodes, 2, Patience);

            // It shows the epoch of the mesh, and that its clock is wrong.
            var behind = TimeProvider.System.GetUtcNow() - clock;
            var correction = (await mesh.StatusAsync(Faulty, Faulty)).GetProperty("rotation").GetProperty("clockCorrection").GetDouble();
            Assert.InRange(correction, behind.TotalSeconds - (2 * Patience.TotalSeconds), behind.TotalSeconds + 1);
            var (before, own, after) =
                (await EpochAsync(mesh, Plan.Nodes[0]), await EpochAsync(mesh, Faulty), await EpochAsync(mesh, Plan.Nodes[0]));
            Assert.InRange(own, before - 1, after + 1);
        }

        var report = await meter.StopAsync(Token);
        output.WriteLine(report.ToString());
        Assert.True(report.Lost == 0, $"{report}\n{LogTail.Read(mesh.Harness.State.SiloLog(Faulty))}");
        Assert.DoesNotContain(
            "told I am dead", await File.ReadAllTextAsync(mesh.Harness.State.SiloLog(Faulty), Token), StringComparison.Ordinal);
    }

    private static async Task<long> EpochAsync(RotatingMesh mesh, NodePlan node) =>
        (await mesh.StatusAsync(node, node)).GetProperty("epoch").GetInt64();
}
