using StackExchange.Redis;

namespace Orleans.WireGuard.Silo.Clustering;

/// <summary>
/// The one connection of this silo to Redis, for the table and for its watch. Made when it is first needed, and again if that failed.
/// </summary>
internal sealed class RedisConnection(string configuration) : IAsyncDisposable
{
    private readonly SemaphoreSlim _making = new(1, 1);
    private ConnectionMultiplexer? _connection;

    /// <summary>The connection, which mends itself once it is made.</summary>
    /// <exception cref="RedisConnectionException">Redis does not answer.</exception>
    public async Task<ConnectionMultiplexer> GetAsync(CancellationToken cancellationToken)
    {
        await _making.WaitAsync(cancellationToken);
        try
        {
            return _connection ??= await ConnectionMultiplexer.ConnectAsync(configuration);
        }
        finally
        {
            _making.Release();
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        _making.Dispose();
        if (_connection is not null)
        {
            await _connection.DisposeAsync();
        }
    }
}
