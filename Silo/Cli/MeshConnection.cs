using System.CommandLine;
using System.Net;
using Orleans.Configuration;
using Orleans.Runtime.Messaging;
using Orleans.WireGuard.Silo.Clustering;
using Orleans.WireGuard.Silo.Hosting;
using Orleans.WireGuard.Silo.Security;

namespace Orleans.WireGuard.Silo.Cli;

/// <summary>A client of the mesh for one verb: the same grain interfaces over the same gateway as any integration.</summary>
internal sealed class MeshConnection : IAsyncDisposable
{
    /// <summary>After which time a person is told that somebody listens and says nothing.</summary>
    public static readonly TimeSpan NoteAfter = TimeSpan.FromSeconds(1.5);

    // For a silo that was waited for in vain, and for an answer. A busy machine, this process on it, may take seconds for what else takes
    // one.
    private static readonly TimeSpan ConnectTimeout = TimeSpan.FromSeconds(10);

    private readonly IHost _host;

    private MeshConnection(IHost host, string nodeName)
    {
        (_host, NodeName) = (host, nodeName);
        Grains = host.Services.GetRequiredService<IGrainFactory>();
    }

    /// <summary>The way to the grains.</summary>
    public IGrainFactory Grains { get; }

    /// <summary>The node meant by default: <c>--node</c>, else this node; empty if unknown.</summary>
    public string NodeName { get; }

    /// <summary>Connects and runs a verb, and turns every failure into a line and an exit code.</summary>
    /// <param name="parsed">The command line.</param>
    /// <param name="verb">Does it.</param>
    /// <param name="cancellationToken">Ctrl-C.</param>
    /// <param name="withoutSilo">What is done instead where nobody answers, told why; <see langword="null"/> if that is a failure.</param>
    public static async Task<int> UseAsync(
        ParseResult parsed, Func<MeshConnection, Task<int>> verb,
        CancellationToken cancellationToken, Func<string, Task<int>>? withoutSilo = null)
    {
        if (Target.TryRead(parsed, out var fault) is not { } target)
        {
            return Fault.Tell(ExitCode.Misconfigured, fault);
        }

        // Orleans tries for a long time and does not say what the kernel told it at once.
        if (GatewayFaults.Describe(target.Gateway, await TcpProbe.ConnectAsync(target.Gateway, cancellationToken)) is { } unreachable)
        {
            return withoutSilo is null ? Fault.Tell(ExitCode.Failed, unreachable) : await withoutSilo(unreachable);
        }

        var handshake = new GatewayHandshake();
        IHost host;
        try
        {
            host = await ConnectAsync(target, handshake, cancellationToken);
        }
        catch (Exception e) when (!cancellationToken.IsCancellationRequested
            && e is OrleansException or TimeoutException or OperationCanceledException)
        {
            var isSilent = handshake.IsSilent || e.GetBaseException() is TimeoutException or ConnectionFailedException;
            return Fault.Tell(
                ExitCode.Failed, GatewayFaults.Describe(
                    target.Gateway, target.ClusterId, isSilent ? null : handshake.Failure ?? e.GetBaseException()));
        }

        await using var connection = new MeshConnection(host, target.NodeName);
        try
        {
            return await verb(connection);
        }
        catch (Exception e) when (DescribeRefusal(e, target.Gateway) is not null)
        {
            return Fault.Tell(ExitCode.Failed, DescribeRefusal(e, target.Gateway)!);
        }
    }

    /// <summary>What a silo's answer tells that is none; <see langword="null"/> for what no silo says. Pure.</summary>
    /// <param name="exception">What a grain call threw.</param>
    /// <param name="gateway">Whom it went to.</param>
    public static string? DescribeRefusal(Exception exception, IPEndPoint gateway) => exception switch
    {
        NodeUnavailableException or RotationFailedException => exception.Message,
        RotationRefusedException refused => NodesVerb.Describe(refused),
        MeshTooLargeException =>
            $"Not asked: {exception.Message}. Ask a node at a time: 'owg peers --node NAME' shows its peers and ends with 3 if it has a problem; /readyz of its silo says which.",
        TimeoutException => $"The silo at {gateway} did not answer in time: {exception.Message}",
        OrleansException => $"The silo at {gateway} could not answer: {exception.Message}",
        ArgumentException or InvalidOperationException or NotSupportedException => $"The silo at {gateway} refused: {exception.Message}",
        _ => null,
    };

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _host.StopAsync(CancellationToken.None);
        _host.Dispose();
    }

    private static async Task<IHost> ConnectAsync(Target target, GatewayHandshake handshake, CancellationToken cancellationToken)
    {
        var builder = Host.CreateEmptyApplicationBuilder(null);
        builder.Services.AddSingleton<IClientConnectionRetryFilter, NoRetry>();
        builder.UseOrleansClient(client => client
            .UseStaticClustering(target.Gateway)
            .Configure<ClientConnectionOptions>(connection => connection.ConfigureConnection(handshake.Follow))
            .Configure<ConnectionOptions>(connection => connection.OpenConnectionTimeout = ConnectTimeout)
            .Configure<ClientMessagingOptions>(messaging => messaging.ResponseTimeout = ConnectTimeout)
            .Configure<ClientMessagingOptions>(ConnectionLimits.Apply)
            .Configure<ClusterOptions>(
                cluster => (cluster.ClusterId, cluster.ServiceId) = (target.ClusterId, WireGuardSiloExtensions.ServiceId)));
        var host = builder.Build();
        try
        {
            var starting = host.StartAsync(cancellationToken);
            if (await Task.WhenAny(starting, Task.Delay(NoteAfter, TimeProvider.System, cancellationToken)) != starting)
            {
                Fault.Tell(ExitCode.Failed, GatewayFaults.DescribeSilence(target.Gateway, ConnectTimeout));
            }

            await starting.WaitAsync(ConnectTimeout, TimeProvider.System, cancellationToken);
            return host;
        }
        catch
        {
            // It may end a moment after Orleans has given up. Disposing the client ends every connection, also one that is only silent.
            await handshake.SettleAsync(cancellationToken);
            host.Dispose();
            throw;
        }
    }

    /// <summary>A person waits, and can run the verb again.</summary>
    private sealed class NoRetry : IClientConnectionRetryFilter
    {
        public Task<bool> ShouldRetryConnectionAttempt(Exception exception, CancellationToken cancellationToken) => Task.FromResult(false);
    }

    /// <summary>Whom a verb is for.</summary>
    private sealed record Target(IPEndPoint Gateway, string ClusterId, string NodeName)
    {
        public static Target? TryRead(ParseResult parsed, out string fault)
        {
            if (CommandConfiguration.TryRead(parsed, out fault) is not { } configuration)
            {
                return null;
            }

            ClusteringOptions clustering;
            try
            {
                clustering = configuration.GetSection(ClusteringOptions.SectionName).Get<ClusteringOptions>() ?? new ClusteringOptions();
            }
            catch (InvalidOperationException e)
            {
                fault = $"The configuration cannot be read: {CommandConfiguration.Describe(e)}";
                return null;
            }

            var gateway = parsed.GetValue(CommonOptions.Gateway) is { } given
                ? ParseGiven(given, out fault)
                : ParseConfigured(clustering, out fault);
            return gateway is null ? null : new(
                gateway, clustering.ClusterId, parsed.GetValue(CommonOptions.Node) ?? CommandConfiguration.NodeName(configuration));
        }

        private static IPEndPoint? ParseGiven(string text, out string fault)
        {
            fault = $"--gateway '{text}' is not an address and a port; give one such as 127.0.0.1:30000 or [::1]:30000.";
            return IPEndPoint.TryParse(text, out var endpoint) && endpoint.Port != 0 ? endpoint : null;
        }

        private static IPEndPoint? ParseConfigured(ClusteringOptions clustering, out string fault)
        {
            fault = $"The configuration offers no gateway (Clustering:GatewayAddress '{clustering.GatewayAddress}', GatewayPort {clustering.GatewayPort}); give --gateway.";
            return IPAddress.TryParse(clustering.GatewayAddress, out var address) && clustering.GatewayPort is > 0 and <= ushort.MaxValue
                ? new IPEndPoint(address, clustering.GatewayPort)
                : null;
        }
    }
}
