using System.Diagnostics;
using System.Net;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Orleans.Configuration;
using Orleans.WireGuard.LocalMesh.Processes;
using Orleans.WireGuard.LocalMesh.Silos;
using Orleans.WireGuard.LocalMesh.Topology;
using Orleans.WireGuard.Silo.Hosting;

namespace Orleans.WireGuard.Tests.EndToEnd;

/// <summary>How soon the other silos know of one that is killed, that hangs, and that comes back, with nobody gossiping: by probes and by the watch of Redis.</summary>
[Trait("Kind", "EndToEnd")]
[Collection(LocalMeshCollection.Name)]
public sealed class DeathDetectionTests(ITestOutputHelper output)
{
    private static readonly MeshPlan Plan = new("owgd", 3, 118, 242);

    // ARCHITECTURE says 2 s and 5 s, on a machine that has nothing else to do. The table itself is read every 30 s.
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(15);
    private static readonly TimeSpan Poll = TimeSpan.FromMilliseconds(20);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private static NodePlan Victim => Plan.Nodes[2];

    [Fact]
    public async Task Silo_KilledOrHung_IsKnownToAllOthers()
    {
        LocalMeshCollection.SkipUnlessPossible();
        await using var mesh = await MeshHarness.CreateAsync(Plan, MeshState.For(Plan), TimeProvider.System, TestContext.Current.SendDiagnosticMessage, Token);
        var starter = new MeshStarter(mesh, TimeProvider.System, TestContext.Current.SendDiagnosticMessage);

        // On the underlay, where this process can reach it.
        await starter.StartAsync(LocalMeshCollection.Binary, TimeSpan.FromSeconds(30), Token, configuration =>
            configuration["Clustering"]!["GatewayAddress"] = Plan.Nodes.Single(node => node.Name == configuration["Node"]!["Name"]!.GetValue<string>()).Address.ToString());
        using var client = await ConnectAsync();
        var grains = client.Services.GetRequiredService<IGrainFactory>();
        await MeasureAsync(grains, isThere: true);

        await mesh.KillSiloAsync(Victim, Token);
        var killed = await MeasureAsync(grains, isThere: false);

        mesh.StartSilo(Victim);
        await starter.WaitReadyAsync([Victim], Token);
        var back = await MeasureAsync(grains, isThere: true);

        var silo = mesh.Silo(Victim)!;
        silo.Signal(NativeMethods.SIGSTOP);
        var hung = await MeasureAsync(grains, isThere: false);
        silo.Signal(NativeMethods.SIGCONT);
        Assert.True(await silo.WaitForExitAsync(Limit, TimeProvider.System, Token), "It did not learn that it is dead.");

        output.WriteLine($"all others knew: killed after {killed.TotalSeconds:0.0} s, hung after {hung.TotalSeconds:0.0} s, back {back.TotalSeconds:0.0} s after it was ready");
        await client.StopAsync(Token);
    }

    private static async Task<IHost> ConnectAsync()
    {
        var builder = Host.CreateEmptyApplicationBuilder(new());
        builder.UseOrleansClient(client => client
            .UseStaticClustering([.. Plan.Nodes.Take(2).Select(node => new IPEndPoint(node.Address, MeshPlan.GatewayPort))])
            .Configure<ClusterOptions>(cluster => (cluster.ClusterId, cluster.ServiceId) = ("local", WireGuardSiloExtensions.ServiceId)));
        var host = builder.Build();
        await host.StartAsync(Token);
        return host;
    }

    /// <summary>Waits until the two others deliver to the victim, or do not any more.</summary>
    private static async Task<TimeSpan> MeasureAsync(IGrainFactory grains, bool isThere)
    {
        var began = Stopwatch.GetTimestamp();
        foreach (var node in Plan.Nodes.Where(node => node != Victim))
        {
            while ((await grains.GetGrain<INodeGrain>(node.Name).GetStatus(Token)).Delivery?.Receivers.Any(receiver => receiver.NodeName == Victim.Name) != isThere)
            {
                Assert.True(Stopwatch.GetElapsedTime(began) < Limit, $"{node.Name} does not know that {Victim.Name} is {(isThere ? "there" : "gone")}.");
                await Task.Delay(Poll, TimeProvider.System, Token);
            }
        }

        return Stopwatch.GetElapsedTime(began);
    }
}
