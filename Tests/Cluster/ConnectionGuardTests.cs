using System.Net;
using System.Net.Sockets;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Orleans.Configuration;
using Orleans.WireGuard.Silo.Security;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.Cluster;

/// <summary>
/// What strangers on a silo's ports can make it hold, on real sockets of loopback, and beside it what a silo without our guards holds.
/// </summary>
public sealed class ConnectionGuardTests(ITestOutputHelper output)
{
    private const int MiB = 1024 * 1024;
    private const int SilentConnections = 120;

    // Long enough that a silo which reads on could have read all of it.
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private static readonly ConnectionLimits Short = ConnectionLimits.Silos with { PreambleTimeout = TimeSpan.FromSeconds(1) };

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Silent_Connections_AreClosedWhileAClientIsServed()
    {
        using var guarded = await StartAsync(isGuarded: true, Short);
        var others = new List<Socket>();
        try
        {
            foreach (var port in guarded.Ports)
            {
                for (var number = 0; number < SilentConnections; number++)
                {
                    // One byte of a preamble says as little as none.
                    others.Add(await ConnectAsync(port));
                    if (number % 2 == 0)
                    {
                        await others[^1].SendAsync(new byte[] { 1 }, Token);
                    }
                }
            }

            var served = guarded.CallAsync();
            var began = TimeProvider.System.GetTimestamp();
            foreach (var other in others)
            {
                await ReadToEndAsync(other).WaitAsync(Patience, TimeProvider.System, Token);
            }

            var closedAfter = TimeProvider.System.GetElapsedTime(began);
            output.WriteLine($"{others.Count} silent connections were closed within {closedAfter.TotalSeconds:0.0} s, with {Short.PreambleTimeout.TotalSeconds:0} s for the preamble");
            Assert.Single(await served);
            Assert.Single(await guarded.CallAsync());

            // A connection is closed a moment before its place is given back.
            await MeshCluster.EventuallyAsync(() => guarded.Guards.All(guard => guard.Budget.Silent == 0), "all places to be given back");
        }
        finally
        {
            others.ForEach(other => other.Dispose());
        }
    }

    [Fact]
    public async Task Silent_Connections_AreKeptByASiloWithoutGuards()
    {
        using var plain = await StartAsync(isGuarded: false);
        using var silent = await ConnectAsync(plain.Ports[0]);

        // Its own preamble, with the name of the cluster, comes at once; nothing after it, and no end.
        var bytes = new byte[1024];
        Assert.InRange(await silent.ReceiveAsync(bytes, Token), 1, bytes.Length);
        await Assert.ThrowsAsync<TimeoutException>(
            () => silent.ReceiveAsync(bytes, Token).AsTask().WaitAsync(2 * Short.PreambleTimeout, TimeProvider.System, Token));
    }

    [Fact]
    public async Task Silent_Connection_LearnsNothing()
    {
        using var guarded = await StartAsync(isGuarded: true, Short);
        using var silent = await ConnectAsync(guarded.Ports[0]);
        Assert.Equal(0, await ReadToEndAsync(silent).WaitAsync(Patience, TimeProvider.System, Token));
    }

    // 100 MB are Orleans' own limit. A frame that is within ours is held until it is complete, and no more than that.
    [Theory]
    [InlineData(true, 64, 16)]
    [InlineData(true, 4, 16)]
    [InlineData(false, 64, 64)]
    public async Task LargeFrames_FourConnections_AreHeldUpToTheLimit(bool isGuarded, int bodyMiB, int limitMiB)
    {
        using var silo = await StartAsync(isGuarded);
        var swallowed = await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => PushAsync(silo, bodyMiB)));
        output.WriteLine(
            $"{(isGuarded ? "guarded" : "plain")}: of 4 frames of {bodyMiB} MiB each {string.Join(", ", swallowed.Select(bytes => $"{bytes / (double)MiB:0.0}"))} MiB were taken");

        // The kernel's buffers on both sides are in it (tcp_rmem, tcp_wmem).
        Assert.All(swallowed, bytes => Assert.InRange(bytes, isGuarded ? 0 : (long)bodyMiB * MiB, (long)limitMiB * MiB));

        Assert.Single(await silo.CallAsync());
    }

    // Nobody handles what came: Orleans' own transport reads on, ours does not.
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Transport_NobodyReads_StopsTheSender(bool isBounded)
    {
        using var silo = await StartAsync(isGuarded: isBounded, prepare: connections => connections.ConfigureSiloInboundConnection(
            builder => builder.Use(
                _ => async connection => await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, connection.ConnectionClosed))));
        using var sender = await ConnectAsync(silo.Ports[0]);
        sender.SendBufferSize = 64 * 1024;
        if (isBounded)
        {
            await sender.SendAsync(Preamble(silo), Token);
        }

        const int Offered = 48 * MiB;
        var taken = await SendUntilStuckAsync(sender, Offered, isBounded);
        output.WriteLine(
            $"{(isBounded ? "bounded" : "Orleans' own")}: {taken / (double)MiB:0.0} of {Offered / MiB} MiB were taken without a reader");
        if (isBounded)
        {
            // One MiB of ours, the rest are the kernel's buffers (tcp_rmem).
            Assert.InRange(taken, MiB, 12 * MiB);
        }
        else
        {
            Assert.Equal(Offered, taken);
        }
    }

    [Fact]
    public async Task Limit_OfOneAddress_TurnsTheNextAwayAndNoClient()
    {
        using var silo = await StartAsync(isGuarded: true);
        var speaking = new List<Socket>();
        try
        {
            for (var number = 0; number < ConnectionLimits.Silos.MaxPerAddress; number++)
            {
                speaking.Add(await ConnectAsync(silo.Ports[0]));
                await speaking[^1].SendAsync(Preamble(silo), Token);

                // The silo's own preamble: it has let the connection in.
                Assert.InRange(await speaking[^1].ReceiveAsync(new byte[1024], Token), 1, 1024);
            }

            Assert.Equal(0, await ConnectAndReadAsync(silo.Ports[0]).WaitAsync(Patience, TimeProvider.System, Token));
            Assert.Single(await silo.CallAsync());
        }
        finally
        {
            speaking.ForEach(socket => socket.Dispose());
        }
    }

    private static async Task<long> PushAsync(RunningSilo silo, int bodyMiB)
    {
        using var sender = await ConnectAsync(silo.Ports[0]);
        await sender.SendAsync(Preamble(silo), Token);
        try
        {
            await sender.SendAsync(StrangerFrames.Lengths(1_000, bodyMiB * MiB), Token);
        }
        catch (SocketException)
        {
            return 0;
        }

        // One byte less than the frame has, so that it is never complete.
        return await SendUntilStuckAsync(sender, bodyMiB * MiB, silo.IsGuarded);
    }

    /// <returns>How many bytes went out before the other side stopped reading, or ended it.</returns>
    private static async Task<long> SendUntilStuckAsync(Socket sender, int length, bool isGuarded)
    {
        // Only a silo that reads on must not be taken for one that has stopped, because the machine is busy.
        var patience = isGuarded ? TimeSpan.FromSeconds(3) : Patience;
        var chunk = new byte[64 * 1024];
        var sent = 0L;
        try
        {
            while (sent < length)
            {
                using var stuck = CancellationTokenSource.CreateLinkedTokenSource(Token);
                stuck.CancelAfter(patience);
                sent += await sender.SendAsync(chunk.AsMemory(0, (int)Math.Min(chunk.Length, length - sent)), stuck.Token);
            }
        }
        catch (Exception e) when (e is SocketException or OperationCanceledException && !Token.IsCancellationRequested)
        {
            // That is the answer.
        }

        return sent;
    }

    private static async Task<int> ConnectAndReadAsync(int port)
    {
        try
        {
            using var socket = await ConnectAsync(port);
            return await ReadToEndAsync(socket);
        }
        catch (SocketException e) when (e.SocketErrorCode == SocketError.ConnectionReset)
        {
            // Turned away before the connection was reported as made.
            return 0;
        }
    }

    private static async Task<int> ReadToEndAsync(Socket socket)
    {
        var bytes = new byte[1024];
        var total = 0;
        try
        {
            while (await socket.ReceiveAsync(bytes, Token) is > 0 and var count)
            {
                total += count;
            }
        }
        catch (SocketException)
        {
            // Reset is an end too.
        }

        return total;
    }

    private static async Task<Socket> ConnectAsync(int port)
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        await socket.ConnectAsync(IPAddress.Loopback, port, Token);
        return socket;
    }

    private static byte[] Preamble(RunningSilo silo) => StrangerFrames.Preamble(silo.Services, RunningSilo.ClusterId);

    private static async Task<RunningSilo> StartAsync(
        bool isGuarded, ConnectionLimits? limits = null, Action<SiloConnectionOptions>? prepare = null)
    {
        var ports = FreePorts();
        var builder = Host.CreateEmptyApplicationBuilder(new());
        builder.Logging.SetMinimumLevel(LogLevel.None);
        builder.UseOrleans(silo =>
        {
            silo.UseLocalhostClustering(ports[0], ports[1], serviceId: "owg", clusterId: RunningSilo.ClusterId);
            if (isGuarded)
            {
                if (limits is not null)
                {
                    foreach (var port in new[] { SiloSecurity.SiloPort, SiloSecurity.GatewayPort })
                    {
                        silo.Services.AddKeyedSingleton(port, (services, _) => new ConnectionGuard(
                            port, limits, TimeProvider.System, services.GetRequiredService<ILogger<ConnectionGuard>>()));
                    }
                }

                silo.UseSiloSecurity().Services.UseBoundedTransport();
            }

            silo.Configure<SiloConnectionOptions>(prepare ?? (static _ => { }));
        });
        var host = builder.Build();
        await host.StartAsync(Token);
        return new RunningSilo(host, ports) { IsGuarded = isGuarded };
    }

    private static int[] FreePorts()
    {
        using var first = new TcpListener(IPAddress.Loopback, 0);
        using var second = new TcpListener(IPAddress.Loopback, 0);
        first.Start();
        second.Start();
        return [((IPEndPoint)first.LocalEndpoint).Port, ((IPEndPoint)second.LocalEndpoint).Port];
    }

    private sealed class RunningSilo(IHost host, int[] ports) : IDisposable
    {
        public const string ClusterId = "guarded";

        /// <summary>Of the silo and of the gateway.</summary>
        public int[] Ports => ports;

        public required bool IsGuarded { get; init; }

        public IServiceProvider Services => host.Services;

        public IReadOnlyList<ConnectionGuard> Guards =>
            [.. new[] { SiloSecurity.SiloPort, SiloSecurity.GatewayPort }.Select(
                port => host.Services.GetRequiredKeyedService<ConnectionGuard>(port))];

        /// <summary>Asks a grain through the gateway, as an honest client that connects just now.</summary>
        public async Task<IReadOnlyCollection<SiloAddress>> CallAsync()
        {
            var builder = Host.CreateEmptyApplicationBuilder(new());
            builder.Logging.SetMinimumLevel(LogLevel.None);
            builder.UseOrleansClient(client => client.UseLocalhostClustering(ports[1], "owg", ClusterId));
            using var clientHost = builder.Build();
            await clientHost.StartAsync(Token);
            var hosts = await clientHost.Services.GetRequiredService<IGrainFactory>()
                .GetGrain<IManagementGrain>(0).GetHosts(onlyActive: true, Token);
            await clientHost.StopAsync(Token);
            return hosts.Keys;
        }

        public void Dispose()
        {
            using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(5), TimeProvider.System);
            try
            {
                host.StopAsync(limit.Token).GetAwaiter().GetResult();
            }
            catch (OperationCanceledException)
            {
                // A connection of the test may still be open.
            }

            host.Dispose();
        }
    }
}
