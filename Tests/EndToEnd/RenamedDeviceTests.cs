using System.Globalization;
using Orleans.WireGuard.LocalMesh.Check;
using Orleans.WireGuard.LocalMesh.Topology;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.EndToEnd;

/// <summary>Somebody renames the link that carries a node's traffic: while the silo runs, and while it does not.</summary>
[Trait("Kind", "EndToEnd")]
[Collection(LocalMeshCollection.Name)]
public sealed class RenamedDeviceTests(ITestOutputHelper output)
{
    private static readonly MeshPlan Plan = new("owgn", 2, 113, 242);
    private static readonly TimeSpan Needed = TimeSpan.FromMinutes(5);
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(40);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private static NodePlan Victim => Plan.Nodes[1];

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Renamed_GetsItsNameBackAndKeepsItsKey(bool isWhileTheSiloIsAway)
    {
        LocalMeshCollection.SkipUnlessPossible();
        var period = QuietPeriod.Choose(TimeProvider.System.GetUtcNow(), Needed);
        await using var mesh = await RotatingMesh.StartAsync(
            Plan, LocalMeshCollection.Binary, period, TestContext.Current.SendDiagnosticMessage, Token);
        await NodeStatusQuery.WaitMovedAsync(mesh.Harness, Plan.Nodes, Token);
        var device = await ActiveDevice.FindAsync(mesh.Harness, Victim, Token);
        var (index, key) = (await IndexAsync(mesh, device), await KeyAsync(mesh, device));
        if (isWhileTheSiloIsAway)
        {
            await mesh.Harness.KillSiloAsync(Victim, Token);
        }

        // A silo that is there may have put it back before the last command.
        await ShellAsync(mesh, $"ip link set {device} down && ip link set {device} name somebody; ip link set somebody up || :");
        var renamed = TimeProvider.System.GetTimestamp();
        if (isWhileTheSiloIsAway)
        {
            mesh.Harness.StartSilo(Victim);
        }

        await mesh.UntilAsync(async () => await IndexAsync(mesh, device) == index, $"{device} to have its name back", Patience);
        await mesh.UntilPodsReachAsync(Plan.Nodes);
        output.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"{(isWhileTheSiloIsAway ? "renamed before a restart" : "renamed under a silo")}: pods reach each other after {TimeProvider.System.GetElapsedTime(renamed).TotalSeconds:0.0} s"));
        await mesh.UntilReadyAsync(Plan.Nodes);
        Assert.NotNull(key);
        Assert.Equal(key, await KeyAsync(mesh, device));
    }

    private static async Task<string> IndexAsync(RotatingMesh mesh, string device) =>
        (await mesh.Harness.RunAsync(Victim, Token, "sh", "-c", $"cat /sys/class/net/{device}/ifindex 2>/dev/null || true")).Output.Trim();

    // Not that of the other device, which is destroyed when nobody has sent to it for a while.
    private static async Task<string?> KeyAsync(RotatingMesh mesh, string device) =>
        (await mesh.DevicesAsync(Victim)).Single(dump => dump.ListenPort == ActiveDevice.Port(device)).PublicKey;

    private static async Task ShellAsync(RotatingMesh mesh, string line) =>
        (await mesh.Harness.RunAsync(Victim, Token, "sh", "-c", line)).EnsureSuccess();
}
