using System.Globalization;
using System.Threading.Channels;
using Microsoft.Extensions.Options;
using Orleans.Configuration;

namespace Orleans.WireGuard.Silo.Clustering;

/// <summary>Watches the membership object and has Orleans read it as soon as its version is newer than the one it knows.</summary>
/// <remarks>
/// The watch asks for metadata only: with 1,000 silos an event is some hundred bytes instead of 150 KB, for every silo and change.
/// One loop follows the watch, another refreshes, so that a slow refresh never delays the watch and ten changes cost one refresh.
/// </remarks>
internal sealed partial class MembershipWatch : ILifecycleParticipant<ISiloLifecycle>, IAsyncDisposable
{
    private static readonly TimeSpan FirstPause = TimeSpan.FromMilliseconds(250);
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(20);

    private readonly KubernetesApi _api;
    private readonly IClusterMembershipService _membership;
    private readonly TimeProvider _time;

    // Not everybody who keeps membership here has the silo end when it is forgotten.
    private readonly SharedMembershipTable? _shared;
    private readonly string _objectName;
    private readonly bool _isEnabled;
    private readonly ILogger<MembershipWatch> _logger;
    private readonly CancellationTokenSource _stopping = new();
    private readonly Channel<long> _versions = Channel.CreateBounded<long>(
        new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropOldest, SingleReader = true, SingleWriter = true });

    private Task _loops = Task.CompletedTask;

    /// <summary>Makes the watch; it starts with the silo.</summary>
    public MembershipWatch(
        KubernetesApi api,
        IClusterMembershipService membership,
        IOptions<ClusterOptions> cluster,
        IOptions<KubernetesClusteringOptions> options,
        TimeProvider time,
        ILogger<MembershipWatch> logger,
        SharedMembershipTable? shared = null)
    {
        _shared = shared;
        _api = api;
        _membership = membership;
        _time = time;
        _objectName = ObjectNames.Cluster(cluster.Value.ClusterId);
        _isEnabled = options.Value.WatchChanges;
        _logger = logger;
    }

    /// <inheritdoc/>
    public void Participate(ISiloLifecycle lifecycle) =>
        lifecycle.Subscribe(nameof(MembershipWatch), ServiceLifecycleStage.AfterRuntimeGrainServices, Start, StopAsync);

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await StopAsync(CancellationToken.None);
        _stopping.Dispose();
    }

    private Task Start(CancellationToken cancellationToken)
    {
        if (_isEnabled)
        {
            var token = _stopping.Token;
            _loops = Task.WhenAll(Task.Run(() => FollowAsync(token), CancellationToken.None), Task.Run(() => RefreshAsync(token), CancellationToken.None));
        }

        return Task.CompletedTask;
    }

    private async Task StopAsync(CancellationToken cancellationToken)
    {
        if (!_stopping.IsCancellationRequested)
        {
            await _stopping.CancelAsync();
        }

        try
        {
            await _loops.WaitAsync(cancellationToken);
        }
        catch (OperationCanceledException)
        {
            // Both loops end by cancellation.
        }
    }

    private async Task FollowAsync(CancellationToken cancellationToken)
    {
        string? resourceVersion = null;
        var failures = 0;
        while (true)
        {
            try
            {
                resourceVersion ??= await ReadVersionAsync(cancellationToken);
                await foreach (var change in _api.WatchAsync(Watch(resourceVersion), ClusteringJson.Compact.WatchEventPartialObject, cancellationToken))
                {
                    failures = 0;
                    resourceVersion = change.Object?.Metadata.ResourceVersion ?? resourceVersion;
                    if (change.Type is "ADDED" or "MODIFIED")
                    {
                        Publish(change.Object!.Metadata);
                    }
                    else if (change.Type == "DELETED")
                    {
                        LogDeleted(_logger, _objectName, _api.Namespace);
                        await (_shared?.LookAsync(cancellationToken) ?? Task.CompletedTask);
                    }
                }

                // The server ended it, as it does after timeoutSeconds. A server that always ends at once must not be asked in a tight loop.
                await PauseAsync(Math.Min(failures++, 1), cancellationToken);
            }
            catch (KubernetesApiException gone) when (gone.Failure == ApiFailure.Gone)
            {
                LogGone(_logger, _objectName);
                resourceVersion = null;
                await PauseAsync(failures++, cancellationToken);
            }
            catch (KubernetesApiException failure)
            {
                // A resource version survives a broken connection; the next watch goes on after it.
                LogBroken(_logger, _objectName, failures, failure);
                await PauseAsync(failures++, cancellationToken);
            }
        }
    }

    private async Task RefreshAsync(CancellationToken cancellationToken)
    {
        await foreach (var version in _versions.Reader.ReadAllAsync(cancellationToken))
        {
            for (var failures = 0; ; failures++)
            {
                try
                {
                    await _membership.Refresh(new MembershipVersion(version), cancellationToken);
                    break;
                }
                catch (Exception failure) when (!cancellationToken.IsCancellationRequested)
                {
                    LogRefreshFailed(_logger, version, failure);
                    await PauseAsync(failures, cancellationToken);
                }
            }
        }
    }

    private async Task<string> ReadVersionAsync(CancellationToken cancellationToken)
    {
        var get = new ApiCall("get", ApiResource.OrleansClusters, _api.Namespace, _objectName) { MetadataOnly = true };
        var current = await _api.SendAsync(get, ClusteringJson.Compact.PartialObject, cancellationToken);
        Publish(current.Metadata);
        return current.Metadata.ResourceVersion!;
    }

    private void Publish(ObjectMetadata metadata)
    {
        var annotation = metadata.Annotations?.GetValueOrDefault(ObjectNames.VersionAnnotation);
        if (long.TryParse(annotation, CultureInfo.InvariantCulture, out var version) && version > 0)
        {
            _versions.Writer.TryWrite(version);
        }
    }

    private ApiCall Watch(string resourceVersion)
    {
        // Ends after 4 to 5 minutes, at another moment on every silo.
        var seconds = 240 + (int)(60 * _api.NextDouble());
        return new("watch", ApiResource.OrleansClusters, _api.Namespace, null)
        {
            MetadataOnly = true,
            Query = $"watch=true&allowWatchBookmarks=true&timeoutSeconds={seconds}&fieldSelector={Uri.EscapeDataString("metadata.name=" + _objectName)}&resourceVersion={Uri.EscapeDataString(resourceVersion)}",
        };
    }

    // Full jitter, so that the silos of a cluster do not come back together after an outage.
    private Task PauseAsync(int failures, CancellationToken cancellationToken)
    {
        var longest = Math.Min(FirstPause.Ticks << Math.Min(failures, 10), LongestPause.Ticks);
        return Task.Delay(TimeSpan.FromTicks((long)(longest * _api.NextDouble())), _time, cancellationToken);
    }

    [LoggerMessage(EventId = 5121, Level = LogLevel.Warning, Message = "The watch of OrleansCluster {Name} broke, after {Failures} failures in a row; it goes on where it was")]
    private static partial void LogBroken(ILogger logger, string name, int failures, Exception failure);

    [LoggerMessage(EventId = 5122, Level = LogLevel.Information, Message = "The watch of OrleansCluster {Name} was away too long to go on; reading anew")]
    private static partial void LogGone(ILogger logger, string name);

    [LoggerMessage(EventId = 5123, Level = LogLevel.Error, Message = "OrleansCluster {Name} in namespace {Namespace} was deleted: silos keep what they know but cannot change it until it is made again, as a silo that starts does")]
    private static partial void LogDeleted(ILogger logger, string name, string @namespace);

    [LoggerMessage(EventId = 5124, Level = LogLevel.Warning, Message = "Membership version {Version} is known from the watch but could not be read yet")]
    private static partial void LogRefreshFailed(ILogger logger, long version, Exception failure);
}
