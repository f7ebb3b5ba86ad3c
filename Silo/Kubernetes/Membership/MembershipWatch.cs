using System.Globalization;
using System.Threading.Channels;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Orleans.Configuration;
using Orleans.WireGuard.Api;
using Orleans.WireGuard.Supervision;

namespace Orleans.WireGuard.Membership;

/// <summary>Watches the membership object and has Orleans read it as soon as its version is newer than the one it knows.</summary>
/// <remarks>
/// The watch asks for metadata only: with 1,000 silos an event is some hundred bytes instead of 150 KB, for every silo and change.
/// One loop follows the watch, another refreshes, so that a slow refresh never delays the watch and ten changes cost one refresh.
/// </remarks>
internal sealed partial class MembershipWatch : ILifecycleParticipant<ISiloLifecycle>, IAsyncDisposable
{
    private static readonly TimeSpan RefreshPause = TimeSpan.FromSeconds(1);

    private readonly KubernetesApi _api;
    private readonly IClusterMembershipService _membership;
    private readonly EndlessLoops _loops;
    private readonly ListWatch<PartialObject> _watch;

    private readonly IMembershipTable _table;
    private readonly ILocalSiloDetails _silo;
    private readonly string _objectName;
    private readonly bool _isEnabled;
    private readonly ILogger<MembershipWatch> _logger;
    private readonly CancellationTokenSource _stopping = new();
    private readonly Channel<long> _versions = Channel.CreateBounded<long>(
        new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropOldest, SingleReader = true, SingleWriter = true });

    private (string? Uid, string? ResourceVersion) _seen;
    private long? _version;
    private Task _looking = Task.CompletedTask;
    private Task _running = Task.CompletedTask;

    /// <summary>Makes the watch; it starts with the silo.</summary>
    public MembershipWatch(
        KubernetesApi api,
        IClusterMembershipService membership,
        IOptions<ClusterOptions> cluster,
        IOptions<KubernetesClusteringOptions> options,
        ClusteringHealth health,
        EndlessLoops loops,
        TimeProvider timeProvider,
        IMembershipTable table,
        ILocalSiloDetails silo,
        ILogger<MembershipWatch> logger)
    {
        (_table, _silo) = (table, silo);
        _api = api;
        _membership = membership;
        _loops = loops;
        _objectName = ObjectNames.Cluster(cluster.Value.ClusterId);
        _isEnabled = options.Value.WatchChanges;
        _logger = logger;

        // Without a list: the watch of the one object begins with what is there, which costs less, and asks for no version that a server
        // may have forgotten.
        _watch = new(api, timeProvider, logger, $"OrleansCluster {_objectName}")
        {
            Watch = query => new("watch", ApiResource.OrleansClusters, _api.Namespace, null)
            {
                MetadataOnly = true,
                Query = $"{query}&fieldSelector={Uri.EscapeDataString("metadata.name=" + _objectName)}",
            },
            Type = ClusteringJson.Compact.WatchEventPartialObject,
            Apply = Apply,
            OnProblem = health.OnWatch,
        };
    }

    /// <inheritdoc/>
    public void Participate(ISiloLifecycle lifecycle) =>
        lifecycle.Subscribe(nameof(MembershipWatch), ServiceLifecycleStage.AfterRuntimeGrainServices, StartAsync, StopAsync);

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await StopAsync(CancellationToken.None);
        _stopping.Dispose();
    }

    private Task StartAsync(CancellationToken cancellationToken)
    {
        if (_isEnabled)
        {
            var token = _stopping.Token;
            _running = Task.WhenAll(
                Task.Run(() => _loops.KeepAsync("The watch of the membership", _watch.RunAsync, token), CancellationToken.None),
                Task.Run(() => _loops.RepeatAsync("The refresh of the membership", RefreshAsync, Pause, token), CancellationToken.None));
        }

        return Task.CompletedTask;
    }

    private async Task StopAsync(CancellationToken cancellationToken)
    {
        if (!_stopping.IsCancellationRequested)
        {
            await _stopping.CancelAsync();
        }

        // Both end soon; who stops us may not want to wait for that.
        await Task.WhenAll(_running, _looking).WaitAsync(cancellationToken)
            .ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ContinueOnCapturedContext);
    }

    private void Apply(WatchEvent<PartialObject> change)
    {
        if (change.Type == WatchEventType.Deleted)
        {
            LogDeleted(_logger, _objectName, _api.Namespace);
            _looking = LookAsync(_stopping.Token);
        }
        else if (change.Object!.Metadata is var metadata && (metadata.Uid, metadata.ResourceVersion) != _seen)
        {
            // A watch that begins anew tells again what is known.
            _seen = (metadata.Uid, metadata.ResourceVersion);
            Publish(metadata);
        }
    }

    // Whoever stands before the table, to judge what Orleans reads of it, hears of the loss now. Orleans itself does not want to know
    // before its next read.
    private async Task LookAsync(CancellationToken cancellationToken)
    {
        if (_table is KubernetesMembershipTable)
        {
            return;
        }

        try
        {
            _ = await _table.ReadRowAsync(_silo.SiloAddress, cancellationToken);
        }
        catch (Exception e) when (!cancellationToken.IsCancellationRequested)
        {
            LogUnread(_logger, e.Message);
        }
    }

    private async Task RefreshAsync(CancellationToken cancellationToken)
    {
        // What failed is tried again, unless something newer came meanwhile.
        if (_versions.Reader.TryRead(out var newer))
        {
            _version = newer;
        }

        _version ??= await _versions.Reader.ReadAsync(cancellationToken);
        await _membership.Refresh(new MembershipVersion(_version.Value), cancellationToken);
        _version = null;
    }

    private void Publish(ObjectMetadata metadata)
    {
        var annotation = metadata.Annotations?.GetValueOrDefault(ObjectNames.VersionAnnotation);
        if (long.TryParse(annotation, CultureInfo.InvariantCulture, out var version) && version > 0)
        {
            _versions.Writer.TryWrite(version);
        }
    }

    // Full jitter, so that the silos of a cluster do not come back together after an outage.
    private TimeSpan Pause(int failures) => failures == 0 ? TimeSpan.Zero : RefreshPause * Math.Min(failures, 20) * _api.NextDouble();

    [LoggerMessage(Level = LogLevel.Warning, Message = "Could not look into the membership table: {Problem}")]
    private static partial void LogUnread(ILogger logger, string problem);

    [LoggerMessage(Level = LogLevel.Error, Message = "OrleansCluster {Name} in namespace {Namespace} was deleted: silos keep what they know but cannot change it until it is made again, as a silo that starts does")]
    private static partial void LogDeleted(ILogger logger, string name, string @namespace);
}
