using System.Globalization;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Orleans.Configuration;
using Orleans.WireGuard.Api;
using Orleans.WireGuard.Supervision;

namespace Orleans.WireGuard.Membership;

/// <summary>Orleans' membership table in one custom resource per Orleans cluster, with heartbeats in leases.</summary>
/// <remarks>
/// The whole table is one object, so a GET reads rows and version together and a PUT with its resource version changes both or
/// neither. Conflicts are answers (false), not errors. Rules are in <see cref="MembershipDocument"/>; this class only sends.
/// </remarks>
internal sealed partial class KubernetesMembershipTable : IMembershipTable
{
    /// <summary>Tries of a cleanup against writers that are faster; the next cleanup comes anyway.</summary>
    private const int MaxCleanupTries = 10;

    private static readonly TimeSpan FirstInitializationPause = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan LongestInitializationPause = TimeSpan.FromSeconds(15);

    private readonly KubernetesApi _api;
    private readonly HeartbeatStore _heartbeats;
    private readonly ClusteringHealth _health;
    private readonly KubernetesClusteringOptions _options;
    private readonly string _clusterId;
    private readonly string _objectName;
    private readonly TimeProvider _timeProvider;
    private readonly ILogger<KubernetesMembershipTable> _logger;
    private volatile MembershipDocument? _last;

    /// <summary>Makes the table of one Orleans cluster.</summary>
    public KubernetesMembershipTable(
        KubernetesApi api,
        HeartbeatStore heartbeats,
        ClusteringHealth health,
        IOptions<KubernetesClusteringOptions> options,
        IOptions<ClusterOptions> cluster,
        TimeProvider timeProvider,
        ILogger<KubernetesMembershipTable> logger)
    {
        _api = api;
        _heartbeats = heartbeats;
        _health = health;
        _options = options.Value;
        _clusterId = cluster.Value.ClusterId;
        _objectName = ObjectNames.Cluster(_clusterId);
        _timeProvider = timeProvider;
        _logger = logger;
    }

    /// <summary>
    /// Creates the table if it does not exist, and proves that we may read everything; waits for an API server that is away.
    /// </summary>
    /// <exception cref="KubernetesApiException">After <see cref="KubernetesClusteringOptions.InitializationTimeout"/>.</exception>
    /// <inheritdoc/>
    public async Task InitializeMembershipTableAsync(bool tryInitTableVersion, CancellationToken cancellationToken = default)
    {
        var began = _timeProvider.GetTimestamp();
        var waiting = new StateLog(_timeProvider);
        for (var pause = FirstInitializationPause; ; pause = TimeSpan.FromTicks(
            Math.Min(pause.Ticks * 2, LongestInitializationPause.Ticks)))
        {
            try
            {
                await InitializeOnceAsync(tryInitTableVersion, cancellationToken);
                _health.OnSuccess();
                if (waiting.End(_clusterId) is { } end)
                {
                    LogAvailable(_logger, _clusterId, end.Count, end.Duration);
                }

                return;
            }
            catch (KubernetesApiException failure) when (_timeProvider.GetElapsedTime(began) + pause < _options.InitializationTimeout)
            {
                // Also for what only an operator can mend: the silo waits, and says what is missing.
                var jittered = pause * (0.5 + (0.5 * _api.NextDouble()));
                _health.OnFailure(failure.Message);
                // Not by the message, in which there are times and ports.
                if (waiting.Note(_clusterId, failure.Failure.ToString()) is { } line)
                {
                    LogWaiting(_logger, _clusterId, failure.Message, line.Count, line.IsNew ? failure : null);
                }

                await Task.Delay(jittered, _timeProvider, cancellationToken);
            }
        }
    }

    /// <inheritdoc/>
    public async Task DeleteMembershipTableEntriesAsync(string clusterId, CancellationToken cancellationToken = default)
    {
        var name = ObjectNames.Cluster(clusterId);
        try
        {
            await _api.SendAsync(
                new ApiCall("delete", ApiResource.OrleansClusters, _api.Namespace, name),
                ClusteringJson.Compact.Acknowledgement, cancellationToken);
        }
        catch (KubernetesApiException gone) when (gone.Failure == ApiFailure.NotFound)
        {
            // Deleted before: what is asked for is done. Leases may still be there.
        }

        await _heartbeats.DeleteAllAsync(clusterId, cancellationToken);
        if (clusterId == _clusterId)
        {
            _last = null;
        }
    }

    /// <inheritdoc/>
    public async Task CleanupDefunctSiloEntriesAsync(DateTimeOffset beforeDate, CancellationToken cancellationToken = default)
    {
        for (var attempt = 1; attempt <= MaxCleanupTries; attempt++)
        {
            var current = await ReadAsync(cancellationToken);
            var heartbeats = await _heartbeats.ReadAsync(cancellationToken);
            var cleaned = current.Cleanup(beforeDate, heartbeats, out var removed);
            if (removed.Count > 0 && !await TryWriteAsync(cleaned, cancellationToken))
            {
                continue;
            }

            var rows = cleaned.Rows.Select(row => row.SiloAddress).ToHashSet();
            await _heartbeats.CleanupAsync([.. removed], rows, beforeDate, cancellationToken);
            LogCleaned(_logger, removed.Count, _clusterId, beforeDate);
            return;
        }

        LogCleanupGaveUp(_logger, _clusterId, MaxCleanupTries);
    }

    /// <inheritdoc/>
    public async Task<MembershipTableData> ReadRowAsync(SiloAddress key, CancellationToken cancellationToken = default)
    {
        var document = await ReadAsync(cancellationToken);
        return document.ToTableData(await _heartbeats.ReadAsync(cancellationToken), key);
    }

    /// <inheritdoc/>
    public async Task<MembershipTableData> ReadAllAsync(CancellationToken cancellationToken = default)
    {
        var document = await ReadAsync(cancellationToken);
        return document.ToTableData(await _heartbeats.ReadAsync(cancellationToken));
    }

    /// <inheritdoc/>
    public Task<bool> InsertRowAsync(MembershipEntry entry, TableVersion tableVersion, CancellationToken cancellationToken = default) =>
        ChangeAsync(tableVersion.VersionEtag, document => document.Insert(entry, tableVersion), cancellationToken);

    /// <inheritdoc/>
    public Task<bool> UpdateRowAsync(
        MembershipEntry entry, string etag, TableVersion tableVersion, CancellationToken cancellationToken = default) =>
        ChangeAsync(tableVersion.VersionEtag, document => document.Update(entry, etag, tableVersion), cancellationToken);

    /// <inheritdoc/>
    public async Task UpdateIAmAliveAsync(MembershipEntry entry, CancellationToken cancellationToken = default)
    {
        try
        {
            await _heartbeats.WriteAsync(entry.SiloAddress, entry.IAmAliveTime, _last?.Owner, cancellationToken);
            _health.OnSuccess();
        }
        catch (KubernetesApiException failure)
        {
            _health.OnFailure(failure.Message);
            throw;
        }
    }

    Task IMembershipTable.InitializeMembershipTable(bool tryInitTableVersion) => InitializeMembershipTableAsync(tryInitTableVersion);

    Task IMembershipTable.DeleteMembershipTableEntries(string clusterId) => DeleteMembershipTableEntriesAsync(clusterId);

    Task IMembershipTable.CleanupDefunctSiloEntries(DateTimeOffset beforeDate) => CleanupDefunctSiloEntriesAsync(beforeDate);

    Task<MembershipTableData> IMembershipTable.ReadRow(SiloAddress key) => ReadRowAsync(key);

    Task<MembershipTableData> IMembershipTable.ReadAll() => ReadAllAsync();

    Task<bool> IMembershipTable.InsertRow(MembershipEntry entry, TableVersion tableVersion) => InsertRowAsync(entry, tableVersion);

    Task<bool> IMembershipTable.UpdateRow(MembershipEntry entry, string etag, TableVersion tableVersion) =>
        UpdateRowAsync(entry, etag, tableVersion);

    Task IMembershipTable.UpdateIAmAlive(MembershipEntry entry) => UpdateIAmAliveAsync(entry);

    private async Task InitializeOnceAsync(bool mayCreate, CancellationToken cancellationToken)
    {
        try
        {
            await ReadAsync(cancellationToken);
        }
        catch (KubernetesApiException missing) when (missing.Failure == ApiFailure.NotFound && mayCreate)
        {
            await CreateAsync(cancellationToken);
            await ReadAsync(cancellationToken);
        }
        catch (KubernetesApiException missing) when (missing.Failure == ApiFailure.NotFound)
        {
            // Who may not create it waits for who may.
        }

        await _heartbeats.ReadAsync(cancellationToken);
    }

    private async Task CreateAsync(CancellationToken cancellationToken)
    {
        var create = new ApiCall("create", ApiResource.OrleansClusters, _api.Namespace, null)
        {
            Body = MembershipDocument.Empty(_clusterId).ToJson(NewWriteId()),
        };
        try
        {
            await _api.SendAsync(create, ClusteringJson.Compact.OrleansCluster, cancellationToken);
            LogCreated(_logger, _clusterId, _objectName, _api.Namespace);
        }
        catch (KubernetesApiException exists) when (exists.Failure == ApiFailure.AlreadyExists)
        {
            // Another silo was first, which is as good.
        }
    }

    // Always a consistent read: an answer from a watch cache that lags could hide a silo, and Orleans takes that silo for dead.
    private async Task<MembershipDocument> ReadAsync(CancellationToken cancellationToken)
    {
        try
        {
            var call = new ApiCall("get", ApiResource.OrleansClusters, _api.Namespace, _objectName);
            var source = await _api.SendAsync(call, ClusteringJson.Compact.OrleansCluster, cancellationToken);
            _health.OnSuccess();
            return Keep(source);
        }
        catch (KubernetesApiException failure)
        {
            _health.OnFailure(failure.Message);
            throw;
        }
    }

    private async Task<bool> ChangeAsync(
        string etag, Func<MembershipDocument, MembershipDocument?> change, CancellationToken cancellationToken)
    {
        // Orleans reads before it writes, so the table of that etag is nearly always here and a change costs one request. If it is
        // outdated the server says so (409).
        var current = _last is { } last && last.Etag == etag ? last : await ReadAsync(cancellationToken);
        return change(current) is { } next && await TryWriteAsync(next, cancellationToken);
    }

    private async Task<bool> TryWriteAsync(MembershipDocument next, CancellationToken cancellationToken)
    {
        var writeId = NewWriteId();
        var update = new ApiCall("update", ApiResource.OrleansClusters, _api.Namespace, _objectName) { Body = next.ToJson(writeId) };
        if (update.Body.Length > _options.MaxTableBytes)
        {
            throw new KubernetesApiException(
                ApiFailure.TooLarge,
                0,
                $"The membership of Orleans cluster \"{_clusterId}\" would have {next.Rows.Length} rows in {update.Body.Length} bytes, more than KubernetesClusteringOptions.MaxTableBytes ({_options.MaxTableBytes}). Remove dead silos sooner (ClusterMembershipOptions.DefunctSiloMinimumRetention) or raise the limit, to at most 1.5 MiB.");
        }

        try
        {
            Keep(await _api.SendAsync(update, ClusteringJson.Compact.OrleansCluster, cancellationToken));
            return true;
        }
        catch (KubernetesApiException conflict) when (conflict.Failure == ApiFailure.Conflict)
        {
            _last = null;
            LogConflict(_logger, _clusterId, next.Version);

            // A retry conflicts with our own first try if that one was stored and only its answer was lost.
            return conflict.Attempts > 1 && (await ReadAsync(cancellationToken)).WriteId == writeId;
        }
    }

    private MembershipDocument Keep(OrleansCluster source)
    {
        try
        {
            var document = MembershipDocument.Read(source, _clusterId);
            _last = document;
            return document;
        }
        catch (Exception error)
        {
            // Rows of another version, or fields that are null: whatever it is, who calls knows one kind of exception.
            throw new KubernetesApiException(
                ApiFailure.Invalid, 200,
                $"OrleansCluster \"{_objectName}\" in namespace \"{_api.Namespace}\" is not usable: {error.Message}", error);
        }
    }

    private string NewWriteId() => ((long)(_api.NextDouble() * long.MaxValue)).ToString("x", CultureInfo.InvariantCulture);
}
