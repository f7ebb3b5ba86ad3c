// The cases in which the tunnels are gone and nobody repairs them.
using Orleans.WireGuard.LocalMesh.Capture;
using Orleans.WireGuard.LocalMesh.Processes;
using Orleans.WireGuard.LocalMesh.Topology;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.EndToEnd.Kernel;

internal sealed partial class MeshCases
{
    private static readonly TimeSpan Watch = TimeSpan.FromSeconds(4);

    private async Task<string> TunnelGoneAsync(string mode, CancellationToken cancellationToken)
    {
        var isStrict = mode == "Strict";
        Configure(mode);
        await WaitFollowedAsync(isStrict, cancellationToken);
        await WaitReachableAsync(cancellationToken);

        // The worst that can happen: nobody is there to repair it, and the devices go with their routes.
        var capture = await PacketCapture.StartAsync(Mesh, mode, Time, cancellationToken);
        SignalSilos(NativeMethods.SIGSTOP);
        IReadOnlyList<FlowReport> reports;
        try
        {
            foreach (var node in Plan.Nodes)
            {
                await RunAsync(
                    node, string.Join(" && ", MeshPlan.DeviceNames.Select(device => $"ip link delete {device}")), cancellationToken);
            }

            using var traffic = PodTraffic.Start(PacketsPerSecond, BothWaysAndFamilies);
            await DelayAsync(Watch, cancellationToken);
            reports = await traffic.StopAsync(LastPackets, cancellationToken);
        }
        finally
        {
            SignalSilos(NativeMethods.SIGCONT);
        }

        // Until the silos have made their devices again the tunnels are still missing, and the capture still watches.
        using (var traffic = PodTraffic.Start(PacketsPerSecond, BothWaysAndFamilies))
        {
            await WaitReachableAsync(cancellationToken);
            _ = await traffic.StopAsync(LastPackets, cancellationToken);
        }

        var (tally, dropped) = await capture.StopAsync(new FrameClassifier(Plan, default), cancellationToken);
        var summary = $"{mode}: {tally}; dropped by the capture: {dropped}; {Join(reports)}";
        Expect.True(dropped == 0, $"the capture is whole: {summary}");
        Expect.True(tally[FrameKind.WireGuard] > 0, $"there was a tunnel before and after: {summary}");
        if (isStrict)
        {
            Expect.True(tally[FrameKind.PodInClear] == 0, $"nothing is in clear: {summary}; {string.Join(", ", tally.Examples)}");
            Expect.True(reports.All(report => report.Lost == report.Sent), $"nothing arrives: {summary}");
        }
        else
        {
            Expect.True(
                tally[FrameKind.PodInClear] >= reports.Sum(report => report.Sent), $"the capture shows what is in clear: {summary}");
            Expect.True(reports.All(report => report.Lost == 0), $"everything arrives: {summary}");
        }

        return summary;
    }

    // Each silo follows a changed mode at its own next resync, so everything that the mode decides is waited for on every node.
    private Task WaitFollowedAsync(bool isStrict, CancellationToken cancellationToken) => WaitForAsync(
        async () =>
        {
            foreach (var node in Plan.Nodes)
            {
                string[] refusals = ["ip -4 route show table 201", "ip -6 route show table 201"];
                foreach (var (command, sign) in refusals.Select(command => (command, "unreachable"))
                    .Append(("nft list ruleset inet", "elements")))
                {
                    if ((await RunAsync(node, command, cancellationToken)).Contains(sign, StringComparison.Ordinal) != isStrict)
                    {
                        return false;
                    }
                }
            }

            return true;
        },
        $"mode {(isStrict ? "Strict" : "Permissive")} is followed by every node",
        cancellationToken);
}
