using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Reflection;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Orleans.Configuration;
using Orleans.WireGuard.LocalMesh.Silos;
using Orleans.WireGuard.LocalMesh.Topology;
using Orleans.WireGuard.Silo.Hosting;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.EndToEnd;

/// <summary>
/// Somebody on the underlay who knows the cluster's name, beside real silos: what he makes them hold, and whether he can end them.
/// </summary>
[Trait("Kind", "EndToEnd")]
[Collection(LocalMeshCollection.Name)]
public sealed class HostileNeighbourTests(ITestOutputHelper output)
{
    private const string ClusterId = "local";
    private const int MiB = 1024 * 1024;
    private const int LargeConnections = 4;
    private const int SilentConnections = 1_000;

    private static readonly MeshPlan Plan = new("owgh", 2, 117, 243);
    private static readonly TimeSpan Period = TimeSpan.FromSeconds(5);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private static NodePlan Victim => Plan.Nodes[0];

    [Fact]
    public async Task Stranger_FloodsAndLies_TheSiloGoesOn()
    {
        LocalMeshCollection.SkipUnlessPossible();
        await using var mesh = await MeshHarness.CreateAsync(
            Plan, MeshState.For(Plan), TimeProvider.System, TestContext.Current.SendDiagnosticMessage, Token);

        // On the underlay, where this process can reach it.
        await new MeshStarter(mesh, TimeProvider.System, TestContext.Current.SendDiagnosticMessage).StartAsync(
            LocalMeshCollection.Binary, Period, Token, configuration => configuration["Clustering"]!["GatewayAddress"] = AddressOf(
                configuration["Node"]!["Name"]!.GetValue<string>()));
        using var client = await ConnectClientAsync();
        var silo = mesh.Silo(Victim)!;
        var before = ResidentMiB(silo.Id);

        var preamble = StrangerFrames.Preamble(client.Services, ClusterId);
        var pushed = await Task.WhenAll(Enumerable.Range(0, LargeConnections).Select(_ => PushAsync(preamble, 90 * MiB)));
        var flooded = ResidentMiB(silo.Id);
        output.WriteLine($"{LargeConnections} connections with frames of 90 MiB: {before} MiB resident before, {flooded} MiB after; {pushed.Sum() / MiB} MiB were taken");
        Assert.InRange(flooded - before, -before, 64);

        var silent = new List<Socket>();
        try
        {
            for (var number = 0; number < SilentConnections; number++)
            {
                silent.Add(await ConnectAsync(MeshPlan.SiloPort));
            }

            var began = Stopwatch.GetTimestamp();
            var status = await mesh.RunAsync(Victim, Token, "owg", "status", "--config", mesh.State.SiloConfiguration(Victim));
            var answeredAfter = Stopwatch.GetElapsedTime(began);
            Assert.True(status.ExitCode == 0, status.Output + status.Error);
            foreach (var socket in silent)
            {
                await ReadToEndAsync(socket);
            }

            output.WriteLine($"{SilentConnections} silent connections: all closed after {Stopwatch.GetElapsedTime(began).TotalSeconds:0.0} s, owg status answered after {answeredAfter.TotalSeconds:0.0} s, {ResidentMiB(silo.Id)} MiB resident");
        }
        finally
        {
            silent.ForEach(socket => socket.Dispose());
        }

        var fault = await Assert.ThrowsAsync<UnauthorizedAccessException>(() => TellThatAllAreDeadAsync(client.Services));
        output.WriteLine($"gossip: {fault.Message}");

        // It would have ended two seconds after it had read it.
        await Task.Delay(TimeSpan.FromSeconds(4), TimeProvider.System, Token);
        Assert.True(silo.IsAlive, "The silo believed that it is dead.");
        Assert.Equal(0, (await mesh.RunAsync(Victim, Token, "owg", "status", "--config", mesh.State.SiloConfiguration(Victim))).ExitCode);
        await client.StopAsync(Token);
    }

    private static string AddressOf(string node) => Plan.Nodes.Single(plan => plan.Name == node).Address.ToString();

    private static long ResidentMiB(int process) => long.Parse(
        File.ReadLines($"/proc/{process.ToString(CultureInfo.InvariantCulture)}/status")
            .Single(line => line.StartsWith("VmRSS:", StringComparison.Ordinal))
            .Split(' ', StringSplitOptions.RemoveEmptyEntries)[1],
        CultureInfo.InvariantCulture) / 1024;

    private static async Task<IHost> ConnectClientAsync()
    {
        var builder = Host.CreateEmptyApplicationBuilder(new());
        builder.UseOrleansClient(client => client
            .UseStaticClustering(new IPEndPoint(Victim.Address, MeshPlan.GatewayPort))
            .Configure<ClusterOptions>(cluster => (cluster.ClusterId, cluster.ServiceId) = (ClusterId, WireGuardSiloExtensions.ServiceId)));
        var host = builder.Build();
        await host.StartAsync(Token);
        return host;
    }

    private static async Task TellThatAllAreDeadAsync(IServiceProvider services)
    {
        var grains = services.GetRequiredService<IGrainFactory>();
        var hosts = await grains.GetGrain<IManagementGrain>(0).GetDetailedHosts(onlyActive: false, Token);
        var core = Assembly.Load("Orleans.Core");
        var entries = System.Collections.Immutable.ImmutableDictionary.CreateRange(hosts.Select(host =>
        {
            host.Status = SiloStatus.Dead;
            return KeyValuePair.Create(host.SiloAddress, host);
        }));
        var snapshot = Activator.CreateInstance(core.GetType(
            "Orleans.Runtime.MembershipTableSnapshot", throwOnError: true)!, new MembershipVersion(1_000_000), entries, 0, null)!;
        var type = core.GetType("Orleans.Runtime.IMembershipService", throwOnError: true)!;
        var get = typeof(IGrainFactory).GetMethods().Single(candidate =>
            candidate.Name == "GetGrain" && candidate.IsGenericMethod
                && candidate.GetParameters() is [{ ParameterType: { } parameter }] && parameter == typeof(GrainId));
        var victim = hosts.Single(host => host.SiloName == Victim.Name).SiloAddress;
        var target = get.MakeGenericMethod(type)
            .Invoke(grains, [SystemTargetGrainId.Create(SystemTargetGrainId.CreateGrainType("clustering"), victim).GrainId]);
        await (Task)type.GetMethod("MembershipChangeNotification")!.Invoke(target, [snapshot, Token])!;
    }

    private static async Task<long> PushAsync(byte[] preamble, int body)
    {
        using var sender = await ConnectAsync(MeshPlan.SiloPort);
        var chunk = new byte[64 * 1024];
        var sent = 0L;
        try
        {
            await sender.SendAsync(preamble, Token);
            await sender.SendAsync(StrangerFrames.Lengths(1_000, body), Token);
            while (sent < body)
            {
                using var stuck = CancellationTokenSource.CreateLinkedTokenSource(Token);
                stuck.CancelAfter(TimeSpan.FromSeconds(3));
                sent += await sender.SendAsync(chunk, stuck.Token);
            }
        }
        catch (Exception e) when (e is SocketException or OperationCanceledException && !Token.IsCancellationRequested)
        {
            // It ended the connection, or stopped reading.
        }

        return sent;
    }

    private static async Task<Socket> ConnectAsync(int port)
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        await socket.ConnectAsync(Victim.Address, port, Token);
        return socket;
    }

    private static async Task ReadToEndAsync(Socket socket)
    {
        var bytes = new byte[1024];
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(Token);
        limit.CancelAfter(TimeSpan.FromSeconds(30));
        try
        {
            while (await socket.ReceiveAsync(bytes, limit.Token) > 0)
            {
            }
        }
        catch (SocketException)
        {
            // Reset is an end too.
        }
    }
}
