using Orleans.WireGuard.LocalMesh.Processes;
using Orleans.WireGuard.LocalMesh.Topology;
using StackExchange.Redis;

namespace Orleans.WireGuard.LocalMesh.Silos;

/// <summary>The membership store of the mesh: Debian's redis-server on the underlay, without persistence.</summary>
internal sealed class RedisServer(MeshPlan plan, MeshState state, ProcessRecorder recorder, TimeProvider timeProvider)
{
    private static readonly TimeSpan StartTimeout = TimeSpan.FromSeconds(10);

    /// <summary>The configuration file.</summary>
    public static string Configure(MeshPlan plan, MeshState state) => string.Join('\n',
        $"bind {plan.HostAddress}",
        $"port {MeshPlan.RedisPort}",

        // It listens on a bridge that only our namespaces are connected to; protected mode would refuse them.
        "protected-mode no",
        "daemonize no",
        "save \"\"",
        "appendonly no",

        // So that the search for private keys reads values as they are.
        "rdbcompression no",
        $"dir {state.RedisDirectory}",
        "");

    /// <summary>Starts it and waits until it answers.</summary>
    /// <exception cref="MeshFailedException">It did not answer in time; the message ends with its log.</exception>
    public async Task StartAsync(CancellationToken cancellationToken)
    {
        var file = Path.Combine(state.RedisDirectory, "redis.conf");
        await File.WriteAllTextAsync(file, Configure(plan, state), cancellationToken);
        var process = recorder.Start(["redis-server", file], state.RedisLog);
        var start = timeProvider.GetTimestamp();
        while (!await AnswersAsync(cancellationToken))
        {
            if (!process.IsAlive || timeProvider.GetElapsedTime(start) > StartTimeout)
            {
                throw new MeshFailedException(
                    $"redis-server does not answer on {plan.HostAddress}:{MeshPlan.RedisPort}. Last lines of its log:\n{LogTail.Read(state.RedisLog)}");
            }

            await Task.Delay(TimeSpan.FromMilliseconds(50), timeProvider, cancellationToken);
        }
    }

    /// <summary>Connects a client.</summary>
    /// <exception cref="RedisConnectionException">It does not answer.</exception>
    public async Task<ConnectionMultiplexer> ConnectAsync(CancellationToken cancellationToken)
    {
        // It cannot be cancelled, and one that is left alone would go on connecting. It ends by itself after ConnectTimeout.
        cancellationToken.ThrowIfCancellationRequested();

        // With retries, a server that is not there yet would cost the whole ConnectTimeout.
        var options = new ConfigurationOptions { EndPoints = { { plan.HostAddress, MeshPlan.RedisPort } }, ConnectRetry = 0 };
        return await ConnectionMultiplexer.ConnectAsync(options);
    }

    private async Task<bool> AnswersAsync(CancellationToken cancellationToken)
    {
        try
        {
            await using var client = await ConnectAsync(cancellationToken);
            return true;
        }
        catch (RedisConnectionException)
        {
            // Not listening yet.
            return false;
        }
    }
}
