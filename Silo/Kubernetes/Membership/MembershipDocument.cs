using System.Collections.Immutable;
using System.Globalization;
using System.Text;
using System.Text.Json;
using Orleans.WireGuard.Api;

namespace Orleans.WireGuard.Membership;

/// <summary>The membership table as a value: read from the custom resource, changed by the contract's rules, written back. Pure.</summary>
/// <remarks>
/// Contract: <see cref="IMembershipTable"/> of Orleans 10.4.2. A change that the contract refuses yields null, never an exception.
/// </remarks>
internal sealed class MembershipDocument
{
    private const int MaxMembersText = 200;

    private readonly OrleansCluster _source;

    private MembershipDocument(OrleansCluster source, int version, ImmutableArray<MembershipEntry> rows)
    {
        _source = source;
        Version = version;
        Rows = rows;
    }

    /// <summary>Orleans' table version.</summary>
    public int Version { get; }

    /// <summary>Rows in the order of the table; read only, as entries are mutable.</summary>
    public ImmutableArray<MembershipEntry> Rows { get; }

    /// <summary>Etag of the table and of every row.</summary>
    public string Etag => _source.Metadata.ResourceVersion ?? string.Empty;

    /// <summary>Id of the last write.</summary>
    public string? WriteId => _source.Spec.WriteId;

    /// <summary>The object's own identity, for owner references.</summary>
    public OwnerReference Owner => new(_source.ApiVersion, _source.Kind, _source.Metadata.Name!, _source.Metadata.Uid!);

    /// <summary>An empty table that does not exist yet.</summary>
    public static MembershipDocument Empty(string clusterId) => new(
        new OrleansCluster { Metadata = { Name = ObjectNames.Cluster(clusterId) }, Spec = { ClusterId = clusterId } }, 0, []);

    /// <summary>Reads the custom resource.</summary>
    /// <exception cref="FormatException">
    /// A row is not understood, or the object belongs to another cluster. No row is ever skipped: Orleans takes a missing row for a dead
    /// silo.
    /// </exception>
    public static MembershipDocument Read(OrleansCluster source, string clusterId)
    {
        if (source.Spec.ClusterId != clusterId)
        {
            throw new FormatException(
                $"OrleansCluster \"{source.Metadata.Name}\" belongs to Orleans cluster \"{source.Spec.ClusterId}\", not to \"{clusterId}\": choose another ClusterId or namespace, or delete it.");
        }

        return new(source, source.Spec.Version, [.. source.Spec.Silos.Select(MembershipRowCodec.Decode)]);
    }

    /// <summary>The table with <paramref name="entry"/> added; null if it is there already or the etag is not the table's.</summary>
    public MembershipDocument? Insert(MembershipEntry entry, TableVersion version) =>
        version.VersionEtag != Etag || IndexOf(entry.SiloAddress) >= 0
            ? null
            : new(_source, version.Version, Rows.Add(entry));

    /// <summary>The table with the row of <paramref name="entry"/> replaced; null if there is none or an etag is not the table's.</summary>
    public MembershipDocument? Update(MembershipEntry entry, string rowEtag, TableVersion version)
    {
        var index = IndexOf(entry.SiloAddress);
        return version.VersionEtag != Etag || rowEtag != Etag || index < 0
            ? null
            : new(_source, version.Version, Rows.SetItem(index, entry));
    }

    /// <summary>
    /// The table without dead silos whose last sign of life is before <paramref name="beforeDate"/>, at the same version.
    /// </summary>
    /// <param name="beforeDate">Exclusive.</param>
    /// <param name="heartbeats">Times from the leases, by silo.</param>
    /// <param name="removed">Who went.</param>
    public MembershipDocument Cleanup(
        DateTimeOffset beforeDate, IReadOnlyDictionary<SiloAddress, DateTime> heartbeats, out IReadOnlyList<SiloAddress> removed)
    {
        var defunct = Rows.Where(row => row.Status == SiloStatus.Dead && LastUpdate(row, heartbeats) < beforeDate.UtcDateTime)
            .Select(row => row.SiloAddress).ToHashSet();
        removed = [.. defunct];
        return defunct.Count == 0 ? this : new(_source, Version, Rows.RemoveAll(row => defunct.Contains(row.SiloAddress)));
    }

    /// <summary>What Orleans reads: every row with the newest heartbeat, and the version, under one etag.</summary>
    /// <param name="heartbeats">Times from the leases, by silo.</param>
    /// <param name="only">One silo, or null for all.</param>
    public MembershipTableData ToTableData(IReadOnlyDictionary<SiloAddress, DateTime> heartbeats, SiloAddress? only = null)
    {
        List<Tuple<MembershipEntry, string>> rows = [];
        foreach (var row in Rows)
        {
            if (only is null || row.SiloAddress.Equals(only))
            {
                rows.Add(Tuple.Create(Copy(row, heartbeats), Etag));
            }
        }

        return new(rows, new TableVersion(Version, Etag));
    }

    /// <summary>The object to send.</summary>
    /// <param name="writeId">Marks this write.</param>
    public byte[] ToJson(string writeId)
    {
        var metadata = _source.Metadata;

        // The server keeps managed fields that an update leaves out; with thousands of rows they are worth leaving out.
        metadata.Others?.Remove("managedFields");
        return JsonSerializer.SerializeToUtf8Bytes(
            new OrleansCluster
            {
                ApiVersion = _source.ApiVersion,
                Kind = _source.Kind,
                Metadata = new ObjectMetadata
                {
                    Name = metadata.Name,
                    Namespace = metadata.Namespace,
                    Uid = metadata.Uid,
                    ResourceVersion = metadata.ResourceVersion,
                    Labels = metadata.Labels,
                    Annotations = new(metadata.Annotations ?? [])
                    {
                        [ObjectNames.VersionAnnotation] = Version.ToString(CultureInfo.InvariantCulture),
                    },
                    OwnerReferences = metadata.OwnerReferences,
                    Others = metadata.Others,
                },
                Spec = new OrleansClusterSpec
                {
                    ClusterId = _source.Spec.ClusterId,
                    Version = Version,
                    WriteId = writeId,
                    Silos = [.. Rows.Select(MembershipRowCodec.Encode)],
                },
                Status = Summarize(),
            },
            ClusteringJson.Compact.OrleansCluster);
    }

    private static DateTime LastUpdate(MembershipEntry row, IReadOnlyDictionary<SiloAddress, DateTime> heartbeats)
    {
        // MembershipEntry.EffectiveUpdateTime of 10.4.2, which is internal: the latest of start, heartbeat and votes.
        var latest = row.StartTime > row.IAmAliveTime ? row.StartTime : row.IAmAliveTime;
        if (heartbeats.TryGetValue(row.SiloAddress, out var beat) && beat > latest)
        {
            latest = beat;
        }

        foreach (var (_, time) in row.SuspectTimes ?? [])
        {
            latest = time > latest ? time : latest;
        }

        return latest;
    }

    private static MembershipEntry Copy(MembershipEntry row, IReadOnlyDictionary<SiloAddress, DateTime> heartbeats) => new()
    {
        SiloAddress = row.SiloAddress,
        Status = row.Status,
        SuspectTimes = row.SuspectTimes is null ? null : [.. row.SuspectTimes],
        ProxyPort = row.ProxyPort,
        HostName = row.HostName,
        SiloName = row.SiloName,
        RoleName = row.RoleName,
        UpdateZone = row.UpdateZone,
        FaultZone = row.FaultZone,
        StartTime = row.StartTime,
        IAmAliveTime = heartbeats.TryGetValue(row.SiloAddress, out var beat) && beat > row.IAmAliveTime ? beat : row.IAmAliveTime,
    };

    private OrleansClusterStatus Summarize()
    {
        var members = new StringBuilder();
        var left = 0;
        var living = Rows.Where(row => row.Status != SiloStatus.Dead).OrderBy(row => row.SiloName, StringComparer.Ordinal).ToList();
        foreach (var row in living)
        {
            if (members.Length > MaxMembersText)
            {
                left++;
                continue;
            }

            members.Append(members.Length == 0 ? string.Empty : " ").Append(row.SiloName).Append('=').Append(row.Status);
        }

        return new OrleansClusterStatus
        {
            Silos = living.Count,
            Active = living.Count(row => row.Status == SiloStatus.Active),
            Dead = Rows.Length - living.Count,
            Members = members.Length == 0 ? null : left == 0
                ? members.ToString()
                : string.Create(CultureInfo.InvariantCulture, $"{members} and {left} more"),
        };
    }

    private int IndexOf(SiloAddress silo)
    {
        for (var index = 0; index < Rows.Length; index++)
        {
            if (Rows[index].SiloAddress.Equals(silo))
            {
                return index;
            }
        }

        return -1;
    }
}
