using System.Collections.Immutable;
using System.Globalization;
using System.Text.Json;
using Microsoft.Extensions.Options;
using Orleans.Configuration;
using Orleans.WireGuard.Api;

namespace Orleans.WireGuard.Membership;

/// <summary>Heartbeats of silos, one lease each, so that they contend neither with each other nor with membership changes.</summary>
internal sealed class HeartbeatStore : IDisposable
{
    private const string TimeFormat = "yyyy-MM-dd'T'HH:mm:ss.ffffff'Z'";

    /// <summary>Three heartbeats of Orleans' default period; only people read it.</summary>
    private const int LeaseSeconds = 90;

    private readonly KubernetesApi _api;
    private readonly TimeProvider _timeProvider;
    private readonly TimeSpan _staleness;
    private readonly string _clusterId;
    private readonly SemaphoreSlim _listing = new(1, 1);
    private ImmutableDictionary<SiloAddress, DateTime> _own = ImmutableDictionary<SiloAddress, DateTime>.Empty;
    private volatile Snapshot? _last;

    /// <summary>Makes a store.</summary>
    public HeartbeatStore(
        KubernetesApi api, TimeProvider timeProvider, IOptions<KubernetesClusteringOptions> options, IOptions<ClusterOptions> cluster)
    {
        _api = api;
        _timeProvider = timeProvider;
        _staleness = options.Value.HeartbeatStaleness;
        _clusterId = cluster.Value.ClusterId;
    }

    /// <summary>Times by silo, at most as old as the options allow; own writes are always in it.</summary>
    /// <exception cref="KubernetesApiException">The leases could not be listed.</exception>
    public async Task<IReadOnlyDictionary<SiloAddress, DateTime>> ReadAsync(CancellationToken cancellationToken)
    {
        if (Fresh() is { } fresh)
        {
            return WithOwn(fresh.Times);
        }

        // One list serves all who wait for it.
        await _listing.WaitAsync(cancellationToken);
        try
        {
            if (Fresh() is { } listed)
            {
                return WithOwn(listed.Times);
            }

            var asOf = _timeProvider.GetTimestamp();
            var times = ImmutableDictionary.CreateBuilder<SiloAddress, DateTime>();
            foreach (var lease in await ListAsync(_clusterId, cancellationToken))
            {
                if (Parse(lease) is var (silo, time))
                {
                    times[silo] = time;
                }
            }

            var snapshot = new Snapshot(times.ToImmutable(), asOf);
            _last = snapshot;
            return WithOwn(snapshot.Times);
        }
        finally
        {
            _listing.Release();
        }
    }

    /// <summary>Writes the heartbeat of <paramref name="silo"/>: one request, without a read and without an etag.</summary>
    /// <exception cref="KubernetesApiException">The lease could not be written.</exception>
    public async Task WriteAsync(SiloAddress silo, DateTime time, OwnerReference? owner, CancellationToken cancellationToken)
    {
        var utc = time.Kind == DateTimeKind.Local ? time.ToUniversalTime() : DateTime.SpecifyKind(time, DateTimeKind.Utc);
        var name = ObjectNames.Lease(_clusterId, silo);
        var spec = new LeaseSpec
        {
            HolderIdentity = silo.ToParsableString(),
            LeaseDurationSeconds = LeaseSeconds,
            RenewTime = utc.ToString(TimeFormat, CultureInfo.InvariantCulture),
        };
        var patch = new ApiCall("patch", ApiResource.Leases, _api.Namespace, name)
        {
            Body = JsonSerializer.SerializeToUtf8Bytes(new Lease { Metadata = new(), Spec = spec }, ClusteringJson.Compact.Lease),
        };
        if (!await TryAsync(patch, ApiFailure.NotFound, cancellationToken))
        {
            var lease = new Lease
            {
                Metadata = new ObjectMetadata
                {
                    Name = name,
                    Labels = new() { [ObjectNames.ClusterLabel] = ObjectNames.Cluster(_clusterId) },
                    OwnerReferences = owner is null ? null : [owner],
                },
                Spec = spec,
            };
            var create = new ApiCall("create", ApiResource.Leases, _api.Namespace, null)
            {
                Body = JsonSerializer.SerializeToUtf8Bytes(lease, ClusteringJson.Compact.Lease),
            };

            // It may exist by now: a retry of our own whose first answer got lost.
            if (!await TryAsync(create, ApiFailure.AlreadyExists, cancellationToken))
            {
                await _api.SendAsync(patch, ClusteringJson.Compact.Acknowledgement, cancellationToken);
            }
        }

        ImmutableInterlocked.AddOrUpdate(ref _own, silo, utc, (_, known) => known > utc ? known : utc);
    }

    /// <summary>
    /// Deletes leases of silos that are <paramref name="removed"/>, and those of no row whose last heartbeat is before
    /// <paramref name="beforeDate"/>.
    /// </summary>
    public async Task CleanupAsync(
        IReadOnlyCollection<SiloAddress> removed, IReadOnlyCollection<SiloAddress> rows,
        DateTimeOffset beforeDate, CancellationToken cancellationToken)
    {
        foreach (var lease in await ListAsync(_clusterId, cancellationToken))
        {
            var isOrphan = Parse(lease) is not var (silo, time)
                || (!rows.Contains(silo) && time < beforeDate.UtcDateTime) || removed.Contains(silo);
            if (isOrphan)
            {
                await DeleteAsync(lease, cancellationToken);
            }
        }

        _last = null;
    }

    /// <summary>Deletes all leases of <paramref name="clusterId"/>.</summary>
    public async Task DeleteAllAsync(string clusterId, CancellationToken cancellationToken)
    {
        foreach (var lease in await ListAsync(clusterId, cancellationToken))
        {
            await DeleteAsync(lease, cancellationToken);
        }

        _last = null;
    }

    /// <inheritdoc/>
    public void Dispose() => _listing.Dispose();

    private static (SiloAddress Silo, DateTime Time)? Parse(Lease lease) =>
        lease.Spec is { } spec && SiloAddress.TryParse(spec.HolderIdentity, out var silo)
        && DateTime.TryParse(
            spec.RenewTime, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal | DateTimeStyles.AdjustToUniversal, out var time)
            ? (silo, time)
            : null;

    private async Task<List<Lease>> ListAsync(string clusterId, CancellationToken cancellationToken)
    {
        var selector = "labelSelector=" + Uri.EscapeDataString($"{ObjectNames.ClusterLabel}={ObjectNames.Cluster(clusterId)}");
        var (leases, _) = await _api.ListAsync(ApiResource.Leases, selector, ClusteringJson.Compact.ResourceListLease, cancellationToken);
        return leases;
    }

    // Gone already is what we want; changed since we read it means that its silo lives after all.
    private async Task DeleteAsync(Lease lease, CancellationToken cancellationToken)
    {
        var call = new ApiCall("delete", ApiResource.Leases, _api.Namespace, lease.Metadata.Name)
        {
            Body = JsonSerializer.SerializeToUtf8Bytes(
                new DeleteOptions(new Preconditions(lease.Metadata.Uid, lease.Metadata.ResourceVersion)),
                ClusteringJson.Compact.DeleteOptions),
        };
        try
        {
            await _api.SendAsync(call, ClusteringJson.Compact.Acknowledgement, cancellationToken);
        }
        catch (KubernetesApiException moot) when (moot.Failure is ApiFailure.NotFound or ApiFailure.Conflict)
        {
        }
    }

    private async Task<bool> TryAsync(ApiCall call, ApiFailure expected, CancellationToken cancellationToken)
    {
        try
        {
            await _api.SendAsync(call, ClusteringJson.Compact.Acknowledgement, cancellationToken);
            return true;
        }
        catch (KubernetesApiException failure) when (failure.Failure == expected)
        {
            return false;
        }
    }

    private Snapshot? Fresh() => _last is { } last && _timeProvider.GetElapsedTime(last.AsOf) < _staleness ? last : null;

    // A list that was under way while we wrote shows the time before.
    private ImmutableDictionary<SiloAddress, DateTime> WithOwn(ImmutableDictionary<SiloAddress, DateTime> times)
    {
        foreach (var (silo, time) in _own)
        {
            if (!times.TryGetValue(silo, out var listed) || time > listed)
            {
                times = times.SetItem(silo, time);
            }
        }

        return times;
    }

    private sealed record Snapshot(ImmutableDictionary<SiloAddress, DateTime> Times, long AsOf);
}
