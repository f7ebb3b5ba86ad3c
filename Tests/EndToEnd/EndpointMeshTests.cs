using System.Globalization;
using System.Text.Json.Nodes;
using Orleans.WireGuard.LocalMesh.Check;
using Orleans.WireGuard.LocalMesh.Processes;
using Orleans.WireGuard.LocalMesh.Silos;
using Orleans.WireGuard.LocalMesh.Topology;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.EndToEnd;

/// <summary>
/// Nodes whose packets come from elsewhere than they announced, or that announce where nobody is, on real packets and without keepalive.
/// </summary>
[Trait("Kind", "EndToEnd")]
[Collection(LocalMeshCollection.Name)]
public sealed class EndpointMeshTests(ITestOutputHelper output)
{
    private const string Router = "owge-router";
    private const string WireGuardPorts = "{ 51871, 51872 }";

    private static readonly MeshPlan Plan = new("owge", 2, 112, 243);
    private static readonly TimeSpan Period = TimeSpan.FromSeconds(8);
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan Part = TimeSpan.FromSeconds(6);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private static NodePlan Here => Plan.Nodes[0];

    private static NodePlan There => Plan.Nodes[1];

    // A router with masquerade between the two, which lets nothing new in to the other's WireGuard: what it announced is reached by nobody.
    [Fact]
    public async Task BehindNat_WithoutKeepalive_RotatesAndLosesNothing()
    {
        LocalMeshCollection.SkipUnlessPossible();
        try
        {
            await using var mesh = await StartAsync(Period, prepare: PutBehindNatAsync);
            var meter = mesh.Meter();
            await using (meter)
            {
                await mesh.UntilRotatedAsync(Plan.Nodes, 2, Period * 6);
                var report = await meter.StopAsync(Token);
                var endpoints = await EndpointsAsync(mesh, Here);
                output.WriteLine($"behind NAT: {report.Lost} of {report.Sent} lost in {mesh.Watch.Describe()} rotations; {Here.Name} sends to {string.Join(", ", endpoints)}");
                Assert.Contains(endpoints, endpoint => endpoint.StartsWith($"{RouterAddress}:", StringComparison.Ordinal));
                Assert.Equal(0, report.Lost);
            }

            await ExpectNoWarAsync(mesh);
        }
        finally
        {
            await Command.RunAsync("ip", ["netns", "delete", Router], Token);
        }
    }

    // Its packets come from another of its addresses, and then from the first again, while pods send.
    [Fact]
    public async Task Roaming_ToAnAddressThatWasNotAnnounced_IsFollowedAndLosesNothing()
    {
        LocalMeshCollection.SkipUnlessPossible();
        await using var mesh = await StartAsync(Quiet());
        var second = $"192.168.112.{There.Number + 100}";
        await ShellAsync(mesh, There, $"ip address add {second}/24 dev {TopologyCommands.NodeUnderlayLink}");
        var meter = mesh.Meter();
        await using (meter)
        {
            await mesh.DelayAsync(Part / 2);
            await ShellAsync(
                mesh,
                There,
                $"nft -f - <<END\ntable ip roam {{\nchain out {{ type filter hook postrouting priority 0; udp sport {WireGuardPorts} ip saddr {There.Address} ip saddr set {second}; }}\n"
                    + $"chain in {{ type filter hook prerouting priority -300; udp dport {WireGuardPorts} ip daddr {second} ip daddr set {There.Address}; }}\n}}\nEND");
            await mesh.UntilAsync(
                async () => await FollowsAsync(mesh, second), $"{Here.Name} to follow to {second}", Patience);

            // Long enough for a pass that would set it back, and for a resync's.
            await mesh.DelayAsync(Part);
            Assert.True(await FollowsAsync(mesh, second));

            // Its packets come from the first address again. What is still sent to the second one goes on to look as before: WireGuard
            // answers from the address that it was last asked at, and would stay at the second one if such a packet were faster.
            await ShellAsync(mesh, There, "nft flush chain ip roam out");
            await mesh.UntilAsync(
                async () => await FollowsAsync(mesh, There.Address.ToString()), $"{Here.Name} to follow back", Patience);
            await mesh.DelayAsync(Part / 2);
            var report = await meter.StopAsync(Token);
            output.WriteLine($"roamed to {second} and back: {report.Lost} of {report.Sent} lost");
            Assert.Equal(0, report.Lost);
        }

        await ExpectNoWarAsync(mesh);
    }

    [Fact]
    public async Task FirstAddressAnswersNobody_TheNextOneIsUsedAndRotationsGoOn()
    {
        LocalMeshCollection.SkipUnlessPossible();
        var started = TimeProvider.System.GetTimestamp();
        await using var mesh = await StartAsync(Period, AnnounceDeadAddressFirst);
        output.WriteLine(string.Create(
            CultureInfo.InvariantCulture, $"first address dead: pods reach each other {TimeProvider.System.GetElapsedTime(started).TotalSeconds:0.0} s after the start of everything"));
        await mesh.UntilRotatedAsync(Plan.Nodes, 1, Patience);
        var meter = mesh.Meter();
        await using (meter)
        {
            await mesh.UntilRotatedAsync(Plan.Nodes, 2, Period * 6);
            var report = await meter.StopAsync(Token);
            output.WriteLine($"first address dead: {report.Lost} of {report.Sent} lost in {mesh.Watch.Describe()} rotations");
            Assert.Equal(0, report.Lost);
        }

        await ExpectNoWarAsync(mesh);
    }

    // The silos agree on everything, and no packet of WireGuard gets through.
    [Fact]
    public async Task NoTunnelWorks_BothNodesSaySoAndNameThePeer()
    {
        LocalMeshCollection.SkipUnlessPossible();
        await using var mesh = await StartAsync(Quiet(), AnnounceDeadAddressFirst);
        foreach (var node in Plan.Nodes)
        {
            await ShellAsync(mesh, node, $"nft -f - <<END\ntable ip cut {{\nchain in {{ type filter hook input priority 0; udp dport {WireGuardPorts} drop; }}\n}}\nEND");
        }

        await ShellAsync(mesh, Here, $"ping -i 0.5 -w 120 -I {Here.PodGateway} {There.PodAddress} >/dev/null 2>&1 &");
        await ShellAsync(mesh, There, $"ping -i 0.5 -w 120 -I {There.PodGateway} {Here.PodAddress} >/dev/null 2>&1 &");
        var cut = TimeProvider.System.GetTimestamp();
        foreach (var (node, other) in new[] { (Here, There), (There, Here) })
        {
            var reason = "";
            await mesh.UntilAsync(
                async () => (reason = (await mesh.Harness.AskReadyAsync(node, Token)).Reason)
                    .Contains($"no tunnel works to {other.Name}", StringComparison.Ordinal),
                $"{node.Name} to say that {other.Name} is cut off",
                Patience * 2);
            output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{TimeProvider.System.GetElapsedTime(cut).TotalSeconds:0.0} s after the cut {node.Name} says: {reason.Trim()}"));
            Assert.Contains(other.Address.ToString(), reason, StringComparison.Ordinal);
            Assert.Contains(DeadAddress(other), reason, StringComparison.Ordinal);
        }

        var status = await mesh.Harness.RunAsync(Here, Token, "owg", "status");
        Assert.Equal(3, status.ExitCode);
        Assert.Contains($"no tunnel works to {There.Name}", status.Output, StringComparison.Ordinal);

        foreach (var node in Plan.Nodes)
        {
            await ShellAsync(mesh, node, "nft delete table ip cut");
        }

        var healed = TimeProvider.System.GetTimestamp();
        await mesh.UntilReadyAsync(Plan.Nodes);
        await mesh.UntilPodsReachAsync(Plan.Nodes);
        output.WriteLine(string.Create(
            CultureInfo.InvariantCulture, $"ready {TimeProvider.System.GetElapsedTime(healed).TotalSeconds:0.0} s after it was healed"));
    }

    private static TimeSpan Quiet() => QuietPeriod.Choose(TimeProvider.System.GetUtcNow(), Patience * 5);

    private static string RouterAddress => "192.168.112.200";

    // Nobody has it, and the route of the underlay leads there.
    private static string DeadAddress(NodePlan node) => $"192.168.112.{node.Number + 150}";

    private static Task<RotatingMesh> StartAsync(TimeSpan period, Action<JsonObject>? configure =
        null, Func<MeshHarness, Task>? prepare = null) => RotatingMesh.StartAsync(
        Plan, LocalMeshCollection.Binary, period, TestContext.Current.SendDiagnosticMessage, Token, configure: configure, prepare: prepare);

    private static void AnnounceDeadAddressFirst(JsonObject configuration)
    {
        var own = Plan.Nodes.Single(node => node.Name == configuration["Node"]!["Name"]!.GetValue<string>());
        configuration["Node"]!["Address"] = own.Address.ToString();
        foreach (var (node, entry) in Plan.Nodes.Zip(configuration["Nodes"]!["Static"]!.AsArray()))
        {
            entry!["Addresses"]!.AsArray().Insert(0, DeadAddress(node));
        }
    }

    // Between the bridge and the other node's cable, where neither of them sees it but by what it does to WireGuard.
    private static async Task PutBehindNatAsync(MeshHarness mesh)
    {
        await Command.RunAsync("ip", ["netns", "delete", Router], Token);
        string[] commands =
        [
            $"ip netns add {Router}",
            $"ip link set {There.UnderlayLink} nomaster netns {Router} name inner",
            $"ip link add owge-outer type veth peer name outer netns {Router}",
            $"ip link set owge-outer master {Plan.Bridge} up",
            $"ip netns exec {Router} sh -c '"
                + "echo 1 >/proc/sys/net/ipv4/ip_forward; for link in inner outer; do echo 1 >/proc/sys/net/ipv4/conf/$link/proxy_arp; echo 0 >/proc/sys/net/ipv4/neigh/$link/proxy_delay; done; "
                + $"ip address add {RouterAddress}/24 dev outer; ip address add 169.254.1.1/32 dev inner; ip link set inner up; ip link set outer up; ip route add {There.Address} dev inner'",
            $"ip netns exec {Router} nft -f - <<END\ntable ip nat {{\n"
                + $"chain out {{ type nat hook postrouting priority 100; oifname outer udp sport {WireGuardPorts} masquerade; }}\n"
                + $"chain in {{ type filter hook forward priority 0; iifname outer udp dport {WireGuardPorts} ct state new drop; }}\n}}\nEND",

            // They have met before, at other link addresses.
            $"ip -n {Here.Namespace} neigh flush all; ip -n {There.Namespace} neigh flush all; ip neigh flush dev {Plan.Bridge}",
            $"ip netns exec {Here.Namespace} ping -c 3 -i 0.3 -W 2 {There.Address}",
        ];
        foreach (var command in commands)
        {
            (await Command.RunAsync("sh", ["-c", command], Token)).EnsureSuccess();
        }
    }

    // Nobody changed anything, and nobody's write failed.
    private async Task ExpectNoWarAsync(RotatingMesh mesh)
    {
        foreach (var node in Plan.Nodes)
        {
            var drifts = (await mesh.StatusAsync(node, node)).GetProperty("drifts")
                .EnumerateArray().Select(drift => drift.GetProperty("kind").GetString()).ToList();
            var failures = File.ReadLines(mesh.Harness.State.SiloLog(node))
                .Count(line => line.Contains("still differs", StringComparison.Ordinal)
                    || line.Contains("Somebody else changed", StringComparison.Ordinal));
            output.WriteLine($"{node.Name}: {failures} lines about a device that differs, drifts: {string.Join(", ", drifts)}");
            Assert.Empty(drifts);
            Assert.Equal(0, failures);
        }
    }

    // Through the other slot nothing comes, so there its endpoint stays where it was.
    private static async Task<bool> FollowsAsync(RotatingMesh mesh, string address)
    {
        var port = ActiveDevice.Port(await ActiveDevice.FindAsync(mesh.Harness, There, Token));
        return (await EndpointsAsync(mesh, Here)).Contains($"{address}:{port}");
    }

    private static async Task<IReadOnlyList<string>> EndpointsAsync(RotatingMesh mesh, NodePlan node) =>
        [.. (await mesh.DevicesAsync(node)).SelectMany(device => device.Peers).Select(peer => peer.Endpoint)];

    private static async Task ShellAsync(RotatingMesh mesh, NodePlan node, string line) =>
        (await mesh.Harness.RunAsync(node, Token, "sh", "-c", line)).EnsureSuccess();
}
