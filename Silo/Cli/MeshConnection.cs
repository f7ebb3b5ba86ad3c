using System.CommandLine;
using System.Net;
using Orleans.Configuration;
using Orleans.WireGuard.Silo.Hosting;
using Orleans.WireGuard.Silo.Security;

namespace Orleans.WireGuard.Silo.Cli;

/// <summary>A client of the mesh for one verb: the same grain interfaces over the same gateway as any integration.</summary>
internal sealed class MeshConnection : IAsyncDisposable
{
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
    public static async Task<int> Use(ParseResult parsed, Func<MeshConnection, Task<int>> verb, CancellationToken cancellationToken)
    {
        var endpoint = default(IPEndPoint);
        try
        {
            var configuration = new ConfigurationManager();
            SiloConfiguration.AddSources(configuration, parsed.GetValue(CommonOptions.Config));
            var clustering = configuration.GetSection(ClusteringOptions.SectionName).Get<ClusteringOptions>() ?? new ClusteringOptions();
            if (parsed.GetValue(CommonOptions.Gateway) is { } gateway)
            {
                if (!IPEndPoint.TryParse(gateway, out endpoint) || endpoint.Port == 0)
                {
                    return Fault.Tell(ExitCode.Misconfigured, $"--gateway '{gateway}' is not an address and a port; give one such as 127.0.0.1:30000 or [::1]:30000.");
                }
            }
            else if (!IPAddress.TryParse(clustering.GatewayAddress, out var address) || clustering.GatewayPort is <= 0 or > ushort.MaxValue)
            {
                return Fault.Tell(
                    ExitCode.Misconfigured,
                    $"The configuration offers no gateway (Clustering:GatewayAddress '{clustering.GatewayAddress}', GatewayPort {clustering.GatewayPort}); give --gateway.");
            }
            else
            {
                endpoint = new IPEndPoint(address, clustering.GatewayPort);
            }

            // NODE_NAME is read the way the silo reads it.
            var configured = configuration[$"{NodeOptions.SectionName}:{nameof(NodeOptions.Name)}"];
            var nodeName = parsed.GetValue(CommonOptions.Node)
                ?? (configured is { Length: > 0 } ? configured : Environment.GetEnvironmentVariable(NodeOptions.NameVariable) ?? "");
            await using var connection = await Connect(endpoint, clustering.ClusterId, nodeName, cancellationToken);
            return await verb(connection);
        }
        catch (Exception e) when (e is FileNotFoundException or InvalidDataException or InvalidOperationException)
        {
            return Fault.Tell(ExitCode.Misconfigured, $"The configuration cannot be read: {(e.InnerException ?? e).Message.ReplaceLineEndings(" ")}");
        }
        catch (Exception e) when (e is NodeUnavailableException or RotationFailedException)
        {
            return Fault.Tell(ExitCode.Failed, e.Message);
        }
        catch (Exception e) when (e is OrleansException or TimeoutException)
        {
            return Fault.Tell(
                ExitCode.Failed,
                $"No silo answers at {endpoint}: {e.Message.ReplaceLineEndings(" ")} Is 'owg run' running there, and is Clustering:ClusterId the same?");
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _host.StopAsync(CancellationToken.None);
        _host.Dispose();
    }

    private static async Task<MeshConnection> Connect(IPEndPoint gateway, string clusterId, string nodeName, CancellationToken cancellationToken)
    {
        var builder = Host.CreateEmptyApplicationBuilder(null);
        builder.UseOrleansClient(client => client
            .UseStaticClustering(gateway)
            .Configure<ClientMessagingOptions>(messaging => messaging.ResponseTimeout = ConnectTimeout)
            .Configure<ClientMessagingOptions>(ConnectionLimits.Apply)
            .Configure<ClusterOptions>(cluster => (cluster.ClusterId, cluster.ServiceId) = (clusterId, WireGuardSiloExtensions.ServiceId)));
        var host = builder.Build();
        try
        {
            await host.StartAsync(cancellationToken).WaitAsync(ConnectTimeout, TimeProvider.System, cancellationToken);
            return new MeshConnection(host, nodeName);
        }
        catch
        {
            host.Dispose();
            throw;
        }
    }
}
