using Orleans.WireGuard.LocalMesh.Meter;
using Orleans.WireGuard.LocalMesh.Silos;
using Orleans.WireGuard.LocalMesh.Topology;

namespace Orleans.WireGuard.Tests.EndToEnd;

/// <summary>The meter on a tunnel that is set up by <c>wg</c>, without a silo: what it must not report, and what it must.</summary>
[Trait("Kind", "EndToEnd")]
[Collection(LocalMeshCollection.Name)]
public sealed class PacketMeterTests(ITestOutputHelper output)
{
    private const string Device = MeshPlan.DeviceName;

    private static readonly MeshPlan Plan = new("owgm", 2, 104, 248);
    private static readonly TimeSpan Watch = TimeSpan.FromSeconds(4);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private static TimeProvider Time => TimeProvider.System;

    [Fact]
    public async Task Run_Undisturbed_LosesNothingAndSendsWhatItWasAskedFor()
    {
        LocalMeshCollection.SkipUnlessPossible();
        await using var mesh = await StartAsync();

        var report = await MeterAsync(() => Task.CompletedTask);

        Assert.Equal(0, report.Lost);
        Assert.All(report.Flows, flow =>
        {
            // Sent and left out together are what was due, but for the last few milliseconds.
            var due = report.Duration.TotalSeconds * PacketMeter.DefaultRate;
            Assert.InRange(flow.Sent + report.Skipped, due - (PacketMeter.DefaultRate / 100), due + 1);
            Assert.Equal(flow.Sent, flow.Latency.Count);
            Assert.Equal((0, 0), (flow.Refused, flow.Duplicated));
        });
    }

    // The rotation that this project is about not to need: half a second without the peer is a thousand packets each way.
    [Fact]
    public async Task Run_PeerDeletedAndAddedAgain_ReportsTheLoss()
    {
        LocalMeshCollection.SkipUnlessPossible();
        await using var mesh = await StartAsync();
        var (a, b) = (Plan.Nodes[0], Plan.Nodes[1]);
        var key = await KeyAsync(mesh, b);

        var took = TimeSpan.Zero;
        var report = await MeterAsync(async () =>
        {
            var started = Time.GetTimestamp();

            // With the handshake, whose end is the first answer.
            var again = $"ping -c 1 -w 10 -I {a.PodGateway} {b.PodAddress}";
            (await mesh.RunAsync(a, Token, "sh", "-c", $"wg set {Device} peer {key} remove && sleep 0.5 && {AddPeer(b, key)} && {again}"))
                .EnsureSuccess();
            took = Time.GetElapsedTime(started);
        });

        // As long as the commands took. A sender that was late has left some out, which are not lost.
        var longest = took + TimeSpan.FromMilliseconds(200);
        var most = longest.TotalSeconds * PacketMeter.DefaultRate;
        foreach (var flow in report.Flows)
        {
            Assert.InRange(flow.Lost, 950 - report.Skipped, most);
            Assert.InRange(flow.Bursts.Max(burst => burst.Count), 900 - report.Skipped, most);
            Assert.InRange(flow.LongestGap.TotalSeconds, 0.45, longest.TotalSeconds);
        }
    }

    private static async Task<MeshHarness> StartAsync()
    {
        var mesh = await MeshHarness.CreateAsync(Plan, MeshState.For(Plan), Time, TestContext.Current.SendDiagnosticMessage, Token);
        try
        {
            foreach (var node in Plan.Nodes)
            {
                (await mesh.RunAsync(
                    node,
                    Token,
                    "sh",
                    "-c",
                    $"wireguard-go {Device} && wg genkey | wg set {Device} listen-port {MeshPlan.WireGuardPort} private-key /dev/stdin && ip link set {Device} up")).EnsureSuccess();
            }

            foreach (var (from, to) in Plan.OrderedPairs)
            {
                (await mesh.RunAsync(from, Token, "sh", "-c", $"{AddPeer(to, await KeyAsync(mesh, to))} && ip route add {to.PodCIDR} dev {Device}")).EnsureSuccess();
            }

            await mesh.FavourDevicesAsync(Token);

            // The first handshake is not what is measured.
            (await mesh.RunAsync(
                Plan.Nodes[0], Token, "ping", "-c", "1", "-w", "10", "-I",
                Plan.Nodes[0].PodGateway.ToString(), Plan.Nodes[1].PodAddress.ToString())).EnsureSuccess();
            return mesh;
        }
        catch
        {
            await mesh.DisposeAsync();
            throw;
        }
    }

    private static string AddPeer(NodePlan node, string key) =>
        $"wg set {Device} peer {key} endpoint {node.Address}:{MeshPlan.WireGuardPort} allowed-ips {node.PodCIDR}";

    private static async Task<string> KeyAsync(MeshHarness mesh, NodePlan node) =>
        (await mesh.RunAsync(node, Token, "wg", "show", Device, "public-key")).EnsureSuccess().Output.Trim();

    private async Task<MeterReport> MeterAsync(Func<Task> disturb)
    {
        await using var meter = new PacketMeter([.. Plan.Nodes.Select(MeterEndpoint.OfPod)], Time);
        await Task.Delay(Watch / 2, Time, Token);
        await disturb();
        await Task.Delay(Watch / 2, Time, Token);
        var report = await meter.StopAsync(Token);
        output.WriteLine(report.ToString());
        return report;
    }
}
