using Orleans.WireGuard.LocalMesh.Check;
using Orleans.WireGuard.LocalMesh.Topology;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.EndToEnd;

/// <summary><c>Rotation:Slots</c> is changed on one node after the other: the second device goes or comes, and traffic goes on.</summary>
[Trait("Kind", "EndToEnd")]
[Collection(LocalMeshCollection.Name)]
public sealed class SlotsChangeTests(ITestOutputHelper output)
{
    // A rotation in place is part of it, and costs some. Where no slot is in common, the other node may hear of it before it sees that the
    // silo is an active member; then it makes the key with its next look, a quarter of the grace period later.
    private static readonly TimeSpan MaxGap = TimeSpan.FromSeconds(1.5);

    private static readonly MeshPlan Plan = new("owgx", 2, 110, 254);
    private static readonly TimeSpan NoRotationFor = TimeSpan.FromMinutes(5);
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan Afterwards = TimeSpan.FromSeconds(2);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private static NodePlan Kept => Plan.Nodes[0];

    private static NodePlan Changed => Plan.Nodes[1];

    // The other node has destroyed its key of one slot by then. Of slot 0, and the two have none in common until it makes one again.
    [Theory]
    [InlineData(0)]
    [InlineData(1, Traits = ["Length", "Long"])]
    public async Task Slots_FromTwoToOneAndBack_TrafficGoesOn(int latest)
    {
        LocalMeshCollection.SkipUnlessPossible();
        var period = QuietPeriod.Choose(TimeProvider.System.GetUtcNow(), NoRotationFor, latest);
        await using var mesh = await RotatingMesh.StartAsync(
            Plan, LocalMeshCollection.Binary, period, TestContext.Current.SendDiagnosticMessage, Token, variables: _ => Variables(2));
        await mesh.UntilAsync(async () => (await mesh.DevicesAsync(
            Kept))[1 - latest].PublicKey is null, $"{Kept.Name} to destroy its key of slot {1 - latest}", Patience);

        var meter = mesh.Meter();
        await using (meter)
        {
            await mesh.Harness.KillSiloAsync(Changed, Token);
            await mesh.RestartAsync(Changed, Variables(1));
            await mesh.UntilAsync(async () => !await HasSecondDeviceAsync(mesh), $"the second device of {Changed.Name} to go", Patience);
            await mesh.UntilPodsReachAsync(Plan.Nodes);
            await mesh.DelayAsync(Afterwards);
            var report = await meter.StopAsync(Token);
            output.WriteLine($"from 2 slots to 1, traffic was on slot {latest}: {report.Lost} of {report.Sent} lost");
            Assert.All(Plan.Nodes, node => Assert.NotEqual(0, report.Flows.Single(flow => flow.Pair.From == node.Name).Sent));
            Assert.True(report.Flows.All(flow => flow.LongestGap < MaxGap
                && flow.Lost <= flow.Sent * (MaxGap / report.Duration)), report.ToString());
        }

        Assert.Equal(MeshPlan.DeviceName, await ActiveDevice.FindAsync(mesh.Harness, Changed, Token));
        Assert.Equal(MeshPlan.DeviceName, await ActiveDevice.FindAsync(mesh.Harness, Kept, Token));

        var back = mesh.Meter();
        await using (back)
        {
            await mesh.Harness.KillSiloAsync(Changed, Token);
            await mesh.RestartAsync(Changed, Variables(2));
            await mesh.DelayAsync(Afterwards);
            var report = await back.StopAsync(Token);
            output.WriteLine($"from 1 slot to 2: {report.Lost} of {report.Sent} lost, traffic is on {await ActiveDevice.FindAsync(mesh.Harness, Changed, Token)}");
            Assert.True(await HasSecondDeviceAsync(mesh));
            Assert.Equal(0, report.Lost);
        }
    }

    private static Dictionary<string, string?> Variables(int slots) => new()
    {
        ["OWG_Rotation__Slots"] = $"{slots}",
        ["OWG_Rotation__GracePeriod"] = "00:00:02",
    };

    private static async Task<bool> HasSecondDeviceAsync(RotatingMesh mesh) =>
        (await mesh.Harness.RunAsync(Changed, Token, "ip", "link", "show", MeshPlan.DeviceNames[1])).ExitCode == 0;
}
