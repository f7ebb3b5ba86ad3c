using System.Diagnostics;
using System.Net;
using System.Text.Json.Nodes;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Orleans.Configuration;
using Orleans.WireGuard.LocalMesh.Processes;
using Orleans.WireGuard.LocalMesh.Silos;
using Orleans.WireGuard.LocalMesh.Topology;
using Orleans.WireGuard.Silo.Hosting;
using StackExchange.Redis;

namespace Orleans.WireGuard.Tests.EndToEnd;

/// <summary>
/// How soon the other silos know of one that is killed, that hangs, and that comes back, with nobody gossiping: by probes and by the watch
/// of Redis. And that they have patience with one that starts.
/// </summary>
[Trait("Kind", "EndToEnd")]
[Collection(LocalMeshCollection.Name)]
public sealed class DeathDetectionTests(ITestOutputHelper output)
{
    private const int Attempts = 10;

    private static readonly MeshPlan Plan = new("owgd", 3, 118, 242);

    // ARCHITECTURE says 2 s and 5 s, on a machine that has nothing else to do. The table itself is read every 30 s.
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(15);

    // For the start of a process, which is not what is measured.
    private static readonly TimeSpan StartPatience = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan Poll = TimeSpan.FromMilliseconds(20);
    private static readonly TimeSpan FourProbes = TimeSpan.FromSeconds(6);
    private static readonly TimeSpan Standstill = TimeSpan.FromSeconds(15);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private static NodePlan Victim => Plan.Nodes[2];

    [Fact]
    public async Task Silo_KilledOrHung_IsKnownToAllOthers()
    {
        LocalMeshCollection.SkipUnlessPossible();
        await using var mesh = await MeshHarness.CreateAsync(
            Plan, MeshState.For(Plan), TimeProvider.System, TestContext.Current.SendDiagnosticMessage, Token);
        var starter = new MeshStarter(mesh, TimeProvider.System, TestContext.Current.SendDiagnosticMessage);

        // On the underlay, where this process can reach it.
        await starter.StartAsync(LocalMeshCollection.Binary, TimeSpan.FromSeconds(30), Token, configuration =>
            configuration["Clustering"]!["GatewayAddress"] =
                Plan.Nodes.Single(node => node.Name == configuration["Node"]!["Name"]!.GetValue<string>()).Address.ToString());
        using var client = await ConnectAsync();
        var grains = client.Services.GetRequiredService<IGrainFactory>();
        await MeasureAsync(grains, isThere: true);

        // The first four probes of a silo have a second each and begin within a second, the later ones half of it.
        await Task.Delay(FourProbes, TimeProvider.System, Token);
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

    // Whoever probed it while it joins would have declared it dead three times over.
    [Fact]
    public async Task Silo_StoppedForLongWhileItJoins_GoesOn()
    {
        LocalMeshCollection.SkipUnlessPossible();
        await using var mesh = await MeshHarness.CreateAsync(
            Plan, MeshState.For(Plan), TimeProvider.System, TestContext.Current.SendDiagnosticMessage, Token);
        var starter = new MeshStarter(mesh, TimeProvider.System, TestContext.Current.SendDiagnosticMessage);
        await starter.StartAsync(LocalMeshCollection.Binary, TimeSpan.FromSeconds(30), Token);
        await using var client = await mesh.Redis.ConnectAsync(Token);
        var redis = client.GetDatabase();
        var silo = await StopWhileItJoinsAsync(mesh, redis);

        await Task.Delay(Standstill, TimeProvider.System, Token);
        Assert.Equal(SiloStatus.Joining, StatusOf((await ReadRowAsync(redis, Victim)).Row));
        silo.Signal(NativeMethods.SIGCONT);
        await starter.WaitReadyAsync(Plan.Nodes, Token);

        Assert.Same(silo, mesh.Silo(Victim));
        Assert.True(silo.IsAlive, "It was declared dead.");
        Assert.Equal(SiloStatus.Active, StatusOf((await ReadRowAsync(redis, Victim)).Row));
    }

    // The moment may be missed; then the silo is killed and started again.
    private static async Task<OwnedProcess> StopWhileItJoinsAsync(MeshHarness mesh, IDatabase redis)
    {
        for (var attempt = 0; attempt < Attempts; attempt++)
        {
            await mesh.KillSiloAsync(Victim, Token);
            var former = (await ReadRowAsync(redis, Victim)).Name;
            mesh.StartSilo(Victim);
            var silo = mesh.Silo(Victim)!;
            var began = Stopwatch.GetTimestamp();
            while (await ReadRowAsync(redis, Victim) is var (name, row)
                && (name == former || StatusOf(row) is not (SiloStatus.Joining or SiloStatus.Active)))
            {
                Assert.True(silo.IsAlive && Stopwatch.GetElapsedTime(began) < StartPatience, "It did not start.");
                await Task.Delay(TimeSpan.FromMilliseconds(5), TimeProvider.System, Token);
            }

            silo.Signal(NativeMethods.SIGSTOP);

            // What was on its way.
            await Task.Delay(TimeSpan.FromMilliseconds(200), TimeProvider.System, Token);
            if (StatusOf((await ReadRowAsync(redis, Victim)).Row) == SiloStatus.Joining)
            {
                return silo;
            }
        }

        throw new InvalidOperationException($"The silo was never caught while it joined, in {Attempts} starts.");
    }

    /// <summary>The latest row of a node's silo as the table has it, by the name of its field, which ends with the generation.</summary>
    private static async Task<(string? Name, string? Row)> ReadRowAsync(IDatabase redis, NodePlan node)
    {
        var fields = (await redis.HashGetAllAsync($"{WireGuardSiloExtensions.ServiceId}/members/local"))
            .Select(field => (Name: (string?)field.Name, Row: (string?)field.Value));
        return fields.Where(field => field.Name!.Contains(node.Address.ToString(), StringComparison.Ordinal))
            .OrderBy(field => field.Name, StringComparer.Ordinal).LastOrDefault();
    }

    private static SiloStatus? StatusOf(string? row) =>
        row is null ? null : Enum.Parse<SiloStatus>(JsonNode.Parse(row)!["Status"]!.ToString());

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
            while ((await grains.GetGrain<INodeGrain>(node.Name)
                .GetStatus(Token)).Delivery?.Receivers.Any(receiver => receiver.NodeName == Victim.Name) != isThere)
            {
                Assert.True(Stopwatch.GetElapsedTime(
                    began) < Limit, $"{node.Name} does not know that {Victim.Name} is {(isThere ? "there" : "gone")}.");
                await Task.Delay(Poll, TimeProvider.System, Token);
            }
        }

        return Stopwatch.GetElapsedTime(began);
    }
}
