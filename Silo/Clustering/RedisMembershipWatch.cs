using System.Globalization;
using Microsoft.Extensions.Options;
using Orleans.Clustering.Redis;
using Orleans.Configuration;
using Orleans.WireGuard.Supervision;
using StackExchange.Redis;

namespace Orleans.WireGuard.Silo.Clustering;

/// <summary>
/// Asks Redis for the version of the membership table, twice a second, and has Orleans read the table when it has changed.
/// </summary>
/// <remarks>
/// Redis tells nobody by itself unless its operator configures it to. The version is one field of some bytes, so even 1,000 silos are 2,000
/// small reads in a second. It is also how a silo learns that Redis has forgotten.
/// </remarks>
internal sealed partial class RedisMembershipWatch : ILifecycleParticipant<ISiloLifecycle>, IAsyncDisposable
{
    // The field in which Orleans 10.4.2 keeps the version (RedisMembershipTable).
    private const string VersionField = "Version";

    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(5);

    private readonly RedisConnection _connection;
    private readonly RedisKey _key;
    private readonly IClusterMembershipService _membership;
    private readonly SharedMembershipTable _table;
    private readonly EndlessLoops _loops;
    private readonly TimeProvider _timeProvider;
    private readonly ILogger<RedisMembershipWatch> _logger;
    private readonly CancellationTokenSource _stopping = new();
    private Task _loop = Task.CompletedTask;

    /// <summary>Makes the watch; it starts with the silo.</summary>
    public RedisMembershipWatch(
        RedisConnection connection,
        IOptions<RedisClusteringOptions> redis,
        IOptions<ClusterOptions> cluster,
        IClusterMembershipService membership,
        SharedMembershipTable table,
        EndlessLoops loops,
        TimeProvider timeProvider,
        ILogger<RedisMembershipWatch> logger)
    {
        (_connection, _membership, _table, _loops, _timeProvider, _logger) = (connection, membership, table, loops, timeProvider, logger);
        _key = redis.Value.CreateRedisKey(cluster.Value);
    }

    /// <inheritdoc/>
    public void Participate(ISiloLifecycle lifecycle) =>
        lifecycle.Subscribe(nameof(RedisMembershipWatch), ServiceLifecycleStage.AfterRuntimeGrainServices, StartAsync, StopAsync);

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await StopAsync(CancellationToken.None);
        _stopping.Dispose();
    }

    private Task StartAsync(CancellationToken cancellationToken)
    {
        var token = _stopping.Token;
        _loop = Task.Run(() => _loops.KeepAsync("The watch of the membership", FollowAsync, token), CancellationToken.None);
        return Task.CompletedTask;
    }

    private async Task StopAsync(CancellationToken cancellationToken)
    {
        await _stopping.CancelAsync();
        await _loop.WaitAsync(cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    private async Task FollowAsync(CancellationToken cancellationToken)
    {
        var failures = 0;
        while (!cancellationToken.IsCancellationRequested)
        {
            try
            {
                await Task.Delay(failures == 0 ? Interval : LongestPause, _timeProvider, cancellationToken);
                await LookAsync(cancellationToken);
                failures = 0;
            }
            catch (Exception e) when (!cancellationToken.IsCancellationRequested)
            {
                // Orleans' own refresh goes on meanwhile, and says more about what is wrong.
                if (failures++ == 0)
                {
                    LogBroken(_logger, e.Message);
                }
            }
            catch (OperationCanceledException)
            {
                return;
            }
        }
    }

    private async Task LookAsync(CancellationToken cancellationToken)
    {
        var redis = await _connection.GetAsync(cancellationToken);
        var answer = await redis.GetDatabase().HashGetAsync(_key, VersionField).WaitAsync(cancellationToken);
        var version = long.TryParse(answer.ToString(), NumberStyles.None, CultureInfo.InvariantCulture, out var parsed)
            ? parsed
            : (long?)null;
        var known = _membership.CurrentSnapshot.Version.Value;
        if (version > known)
        {
            await _membership.Refresh(new MembershipVersion(version.Value), cancellationToken);
        }
        else if (version != known)
        {
            await _table.LookAsync(cancellationToken);
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "Redis cannot be asked for the version of the membership table: {Problem}")]
    private static partial void LogBroken(ILogger logger, string problem);
}
