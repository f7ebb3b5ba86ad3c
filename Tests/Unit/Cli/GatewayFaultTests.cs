using System.Net;
using System.Net.Sockets;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Orleans.Configuration;
using Orleans.WireGuard.Silo.Cli;
using Orleans.WireGuard.Silo.Hosting;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.Unit.Cli;

/// <summary>Why a verb has no way to the mesh, told apart on real sockets and by a real gateway.</summary>
public sealed class GatewayFaultTests(ITestOutputHelper output)
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    // Two seconds are what a person waits without a doubt. What the kernel or the other side says at once is told at once.
    [Fact]
    public void Limits_AreBelowTwoSeconds()
    {
        Assert.InRange(TcpProbe.Timeout, TimeSpan.FromSeconds(0.5), TimeSpan.FromSeconds(1.75));
        Assert.InRange(MeshConnection.NoteAfter, TimeSpan.FromSeconds(0.5), TimeSpan.FromSeconds(1.75));
    }

    [Fact]
    public async Task Status_NobodyListens_SaysSo()
    {
        using var socket = Bind();
        await AssertToldAsync("Nobody listens at", socket);
    }

    // As behind a firewall that drops: the queue of connections that nobody takes is full, so the kernel answers no further one.
    [Fact]
    public async Task Status_NothingComesBack_SaysSo()
    {
        using var socket = Bind();
        socket.Listen(0);
        using Socket first = Tcp(), second = Tcp();
        await first.ConnectAsync(socket.LocalEndPoint!, Token);
        _ = second.ConnectAsync(socket.LocalEndPoint!, Token).AsTask()
            .ContinueWith(task => task.Exception, Token, TaskContinuationOptions.None, TaskScheduler.Default);
        await AssertToldAsync("Nothing came back from", socket);
    }

    // A silo that hangs accepts connections. It is told while it is waited for: on a busy machine one that is well takes as long.
    [Fact]
    public async Task Status_SomebodyIsSilent_SaysSoWhileItWaits()
    {
        using var socket = Bind();
        socket.Listen();
        using var console = new ConsoleCapture();
        var running = OwgCommand.RunAsync(["status", "--gateway", socket.LocalEndPoint!.ToString()!]);
        using var probe = await socket.AcceptAsync(Token);
        using var client = await socket.AcceptAsync(Token);
        await MeshCluster.EventuallyAsync(
            () => console.Error.Contains("has not answered yet", StringComparison.Ordinal), "the silence to be told");
        Assert.False(running.IsCompleted);

        client.Close();
        Assert.Equal(ExitCode.Failed, await running);
        Assert.Contains("is no gateway of a silo", console.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("")]
    [InlineData("HTTP/1.1 400 Bad Request\r\n\r\n")]
    [InlineData("SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n")]
    public async Task Status_NoGateway_SaysSo(string answer)
    {
        using var socket = Bind();
        socket.Listen();
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(Token);
        var serving = ServeAsync(socket, answer, stop.Token);
        await AssertToldAsync("is no gateway of a silo", socket);
        await stop.CancelAsync();
        await serving;
    }

    [Fact]
    public async Task Status_AnotherCluster_SaysWhich()
    {
        int siloPort, gatewayPort;
        using (Socket silo = Bind(), gateway = Bind())
        {
            (siloPort, gatewayPort) = (Port(silo), Port(gateway));
        }

        var builder = Host.CreateEmptyApplicationBuilder(null);
        builder.Logging.SetMinimumLevel(LogLevel.None);
        builder.UseOrleans(silo => silo.UseLocalhostClustering(
            siloPort, gatewayPort, serviceId: WireGuardSiloExtensions.ServiceId, clusterId: "theirs").UseGatewayFarewell()
            .Configure<ClusterMembershipOptions>(membership => membership.ProbeTimeout = TimeSpan.FromMinutes(1)));
        using var host = builder.Build();
        await host.StartAsync(Token);
        var endpoint = new IPEndPoint(IPAddress.Loopback, gatewayPort);

        // Which of the two ends is seen first depends on timing.
        for (var i = 0; i < 5; i++)
        {
            var error = await AssertToldAsync("belongs to another Orleans cluster than 'orleans-wireguard'", endpoint);
            Assert.Contains("\"theirs\"", error, StringComparison.Ordinal);
        }

        await host.StopAsync(Token);
    }

    [Fact]
    public void DescribeRefusal_AnswersOfASilo_AreToldApartFromItsSilence()
    {
        var gateway = new IPEndPoint(IPAddress.Loopback, 30000);
        (Exception Exception, string Expected)[] table =
        [
            (new InvalidOperationException("frozen by somebody else"), "refused: frozen by somebody else"),
            (new ArgumentOutOfRangeException("duration", "too long"), "refused: too long"),
            (new NodeUnavailableException("node-2", "No active silo hosts node 'node-2'."), "No active silo hosts node 'node-2'."),
            (new RotationFailedException("the device of 'node-1' did not take it"), "did not take it"),
            (new RotationRefusedException(
                new RotationRefusal(RotationRefusalCode.PeersDepend, "node-1", null, null), "in other words"), "Peers still depend on the key"),
            (new RotationRefusedException("in its own words"), "in its own words"),
            (new MeshTooLargeException(101, 100), "the mesh has 101 nodes"),
            (new TimeoutException("no answer"), "did not answer in time"),
            (new OrleansException("shutting down"), "could not answer"),
        ];
        Assert.All(table, row =>
        {
            var told = MeshConnection.DescribeRefusal(row.Exception, gateway);
            Assert.Contains(row.Expected, told, StringComparison.Ordinal);
            Assert.DoesNotContain("onfiguration", told, StringComparison.Ordinal);
        });

        // A fault of ours is no answer of a silo.
        Assert.Null(MeshConnection.DescribeRefusal(new FileLoadException(), gateway));
    }

    private static async Task ServeAsync(Socket socket, string answer, CancellationToken cancellationToken)
    {
        try
        {
            while (true)
            {
                using var connection = await socket.AcceptAsync(cancellationToken);
                if (answer.Length > 0)
                {
                    await connection.SendAsync(System.Text.Encoding.ASCII.GetBytes(answer), cancellationToken);
                }
            }
        }
        catch (OperationCanceledException)
        {
            // The test is over.
        }
    }

    private static Socket Tcp() => new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);

    private static Socket Bind()
    {
        var socket = Tcp();
        socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        return socket;
    }

    private static int Port(Socket socket) => ((IPEndPoint)socket.LocalEndPoint!).Port;

    private Task<string> AssertToldAsync(string expected, Socket socket) => AssertToldAsync(expected, (IPEndPoint)socket.LocalEndPoint!);

    private async Task<string> AssertToldAsync(string expected, IPEndPoint endpoint)
    {
        using var console = new ConsoleCapture();
        var begin = TimeProvider.System.GetTimestamp();
        var code = await OwgCommand.RunAsync(["status", "--gateway", endpoint.ToString()]);
        output.WriteLine($"{TimeProvider.System.GetElapsedTime(begin).TotalSeconds:0.00} s: {console.Error}");
        Assert.Equal(ExitCode.Failed, code);
        Assert.Contains(expected, console.Error, StringComparison.Ordinal);
        return console.Error;
    }
}
