using System.Text.Json.Nodes;
using Orleans.WireGuard.LocalMesh.Processes;
using Orleans.WireGuard.LocalMesh.Silos;
using Orleans.WireGuard.LocalMesh.Topology;

namespace Orleans.WireGuard.Tests.EndToEnd;

/// <summary>A node of the mesh that claims what the roster does not give it: addresses of nobody, to which pods of others send.</summary>
[Trait("Kind", "EndToEnd")]
[Collection(LocalMeshCollection.Name)]
public sealed class HostileNodeTests(ITestOutputHelper output)
{
    private const string Stolen = "8.0.0.0/8";
    private const string Server = "8.8.8.8";
    private const int Pings = 5;

    private static readonly MeshPlan Plan = new("owgi", 2, 121, 239);
    private static readonly TimeSpan Period = TimeSpan.FromDays(1);
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private static TimeProvider Time => TimeProvider.System;

    private static NodePlan Honest => Plan.Nodes[0];

    private static NodePlan Liar => Plan.Nodes[1];

    [Fact]
    public async Task Node_AnnouncesTheInternet_GetsNoPacketToIt()
    {
        LocalMeshCollection.SkipUnlessPossible();
        await using var mesh = await MeshHarness.CreateAsync(
            Plan, MeshState.For(Plan), Time, TestContext.Current.SendDiagnosticMessage, Token);
        await new MeshStarter(mesh, Time, TestContext.Current.SendDiagnosticMessage).StartAsync(LocalMeshCollection.Binary, Period, Token);
        await UntilAsync("the pods to reach each other", async () => await PingAsync(Liar.PodAddress.ToString(), count: 1) == 1);

        // What would come is answered, and counted.
        await RunAsync(mesh, Liar, $"ip address add {Server}/32 dev lo");
        await RunAsync(mesh, Liar, $"nft 'add table inet probe; add chain inet probe in {{ type filter hook prerouting priority -400; }}; add rule inet probe in ip daddr {Stolen} counter'");
        var file = mesh.State.SiloConfiguration(Liar);
        var configuration = JsonNode.Parse(await File.ReadAllTextAsync(file, Token))!;
        var own = configuration["Nodes"]!["Static"]!.AsArray().Single(node => node!["Name"]!.GetValue<string>() == Liar.Name)!;
        own["PodCIDRs"]!.AsArray().Add(Stolen);
        await File.WriteAllTextAsync(file, configuration.ToJsonString(), Token);
        await UntilAsync("the prefix to be held back", async () => await RefusesAsync(mesh));

        var answered = await PingAsync(Server, Pings);
        var counted = await RunAsync(mesh, Liar, "nft list chain inet probe in");
        output.WriteLine($"{answered} of {Pings} pings to {Server} answered; {counted.Split('\n').First(line => line.Contains("counter", StringComparison.Ordinal)).Trim()}");
        Assert.Equal(0, answered);
        Assert.Contains("counter packets 0 ", counted, StringComparison.Ordinal);
        var taken = await RunAsync(mesh, Honest, "wg show all allowed-ips && ip route show table all");
        Assert.Contains(Liar.PodCIDR.ToString(), taken, StringComparison.Ordinal);
        Assert.DoesNotContain("8.0.0.0", taken, StringComparison.Ordinal);

        // What it announced before still holds.
        Assert.Equal(Pings, await PingAsync(Liar.PodAddress.ToString(), Pings));
    }

    private static async Task<bool> RefusesAsync(MeshHarness mesh)
    {
        var status = await NodeStatusQuery.ReadAsync(mesh, Honest, Honest, Token);
        return status.GetProperty("addresses").GetProperty("heldBack").EnumerateArray().Any(heldBack =>
            heldBack.GetProperty("nodeName").GetString() == Liar.Name && heldBack.GetProperty("prefix").GetString() == Stolen
                && heldBack.GetProperty("reason").GetString() == nameof(HeldBackReason.NotInRoster));
    }

    private static async Task<int> PingAsync(string address, int count)
    {
        var result = await Command.RunAsync(
            "ip", ["netns", "exec", Honest.PodNamespace, "ping", "-c", $"{count}", "-i", "0.2", "-W", "1", address], Token);
        return result.Output.Split('\n').Count(line => line.Contains(" bytes from ", StringComparison.Ordinal));
    }

    private static async Task<string> RunAsync(MeshHarness mesh, NodePlan node, string line) =>
        (await mesh.RunAsync(node, Token, "sh", "-c", line)).EnsureSuccess().Output;

    private static async Task UntilAsync(string what, Func<Task<bool>> condition)
    {
        var started = Time.GetTimestamp();
        while (!await condition())
        {
            Assert.True(Time.GetElapsedTime(started) < Patience, $"Waited {Patience.TotalSeconds:0} s for {what}.");
            await Task.Delay(TimeSpan.FromMilliseconds(200), Time, Token);
        }
    }
}
