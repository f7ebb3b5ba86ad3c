using System.Diagnostics;
using Orleans.WireGuard.LocalMesh.Topology;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.EndToEnd;

/// <summary>
/// What a device needs besides itself is taken from it on one node, as a udev or sysctl rule does, while keys rotate under traffic.
/// </summary>
[Trait("Kind", "EndToEnd")]
[Collection(LocalMeshCollection.Name)]
public sealed class DeviceNeedsTests(ITestOutputHelper output)
{
    private static readonly MeshPlan Plan = new("owgn", 2, 114, 236);
    private static readonly TimeSpan Period = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    // Below the resync of 30 s, which would repair it too: who is this fast was told.
    private static readonly TimeSpan RepairLimit = TimeSpan.FromSeconds(10);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task SourceCheckAndAddress_TakenFromBothDevices_AreRepairedAndRotationsLoseNothing()
    {
        LocalMeshCollection.SkipUnlessPossible();
        var victim = Plan.Nodes[1];
        await using var mesh = await RotatingMesh.StartAsync(
            Plan, LocalMeshCollection.Binary, Period, TestContext.Current.SendDiagnosticMessage, Token);
        foreach (var device in MeshPlan.DeviceNames)
        {
            (await ShellAsync(mesh, victim, $"echo 1 > /proc/sys/net/ipv4/conf/{device}/rp_filter; ip address flush dev {device}"))
                .EnsureSuccess();
        }

        var started = Stopwatch.GetTimestamp();
        await mesh.UntilAsync(() => HasAllAsync(mesh, victim), $"the devices of {victim.Name} to have what they need", RepairLimit);
        var repaired = Stopwatch.GetElapsedTime(started);
        await mesh.UntilPodsReachAsync(Plan.Nodes);

        await using var meter = mesh.Meter();
        await mesh.UntilRotatedAsync(Plan.Nodes, 2, Patience);
        await mesh.DelayAsync(Period / 2);
        var report = await meter.StopAsync(Token);
        var drifts = (await mesh.StatusAsync(victim, victim)).GetProperty("drifts").EnumerateArray()
            .ToDictionary(drift => drift.GetProperty("kind").GetString()!, drift => drift.GetProperty("count").GetInt64());
        output.WriteLine(
            $"repaired after {repaired.TotalMilliseconds:0} ms; counted {string.Join(", ", drifts.Select(drift => $"{drift.Key} {drift.Value}"))}; "
            + $"then {mesh.Watch.Describe()}: {report.Lost} of {report.Flows.Sum(flow => flow.Sent)} packets lost\n{report}");

        // Of each device each, but one may be repaired with the other before it was seen.
        Assert.InRange(drifts.GetValueOrDefault(nameof(DriftKind.SourceCheckChanged)), 1, 2);
        Assert.InRange(drifts.GetValueOrDefault(nameof(DriftKind.AddressDeleted)), 1, 2);
        Assert.Equal(0, report.Lost);
    }

    private static async Task<bool> HasAllAsync(RotatingMesh mesh, NodePlan node)
    {
        foreach (var device in MeshPlan.DeviceNames)
        {
            var seen = (await ShellAsync(mesh, node, $"cat /proc/sys/net/ipv4/conf/{device}/rp_filter; ip -o address show {device}"))
                .EnsureSuccess().Output;
            if (!seen.StartsWith("2\n", StringComparison.Ordinal) || !seen.Contains(" 169.254.201.1/32 ", StringComparison.Ordinal))
            {
                return false;
            }
        }

        return true;
    }

    private static Task<LocalMesh.Processes.CommandResult> ShellAsync(RotatingMesh mesh, NodePlan node, string line) =>
        mesh.Harness.RunAsync(node, Token, "sh", "-c", line);
}
