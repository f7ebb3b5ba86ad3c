using System.Text.Json;
using System.Text.Json.Serialization;
using Orleans.WireGuard.Api;

namespace Orleans.WireGuard.Membership;

/// <summary>The custom resource that holds the membership of one Orleans cluster (deploy/crds/orleansclusters.yaml).</summary>
internal sealed class OrleansCluster
{
    /// <summary>Group and version.</summary>
    public string ApiVersion { get; set; } = ApiResource.OrleansClusters.ApiVersion;

    /// <summary>Kind.</summary>
    public string Kind { get; set; } = "OrleansCluster";

    /// <summary>Its resource version is the etag of the table and of every row.</summary>
    public ObjectMetadata Metadata { get; set; } = new();

    /// <summary>The table.</summary>
    public OrleansClusterSpec Spec { get; set; } = new();

    /// <summary>A digest for <c>kubectl get</c>; nobody decides by it.</summary>
    public OrleansClusterStatus? Status { get; set; }
}

/// <summary>Version and rows, which therefore change together.</summary>
internal sealed class OrleansClusterSpec
{
    /// <summary>The Orleans cluster id, in full: the object's name may be a shortened form of it.</summary>
    public string ClusterId { get; set; } = string.Empty;

    /// <summary>Orleans' table version, 0 in an empty table.</summary>
    public int Version { get; set; }

    /// <summary>Random text of the last writer, by which it knows its own write again if the answer got lost.</summary>
    public string? WriteId { get; set; }

    /// <summary>One line per silo: <see cref="MembershipRowCodec"/>.</summary>
    public List<string> Silos { get; set; } = [];
}

/// <summary>What <c>kubectl get orleansclusters</c> prints.</summary>
internal sealed class OrleansClusterStatus
{
    /// <summary>Silos that are not dead.</summary>
    public int Silos { get; set; }

    /// <summary>Silos that take part.</summary>
    public int Active { get; set; }

    /// <summary>Dead silos that are still remembered.</summary>
    public int Dead { get; set; }

    /// <summary>
    /// Names with status, as many as fit a line. Null for none: some builds of Kubernetes 1.20 take an empty string for null, and refuse
    /// it.
    /// </summary>
    public string? Members { get; set; }
}

/// <summary>A lease, used as the heartbeat of one silo (coordination.k8s.io/v1).</summary>
internal sealed class Lease : IApiObject
{
    /// <summary>Group and version.</summary>
    public string ApiVersion { get; set; } = ApiResource.Leases.ApiVersion;

    /// <summary>Kind.</summary>
    public string Kind { get; set; } = "Lease";

    /// <summary>Metadata.</summary>
    public ObjectMetadata Metadata { get; set; } = new();

    /// <summary>Content.</summary>
    public LeaseSpec Spec { get; set; } = new();
}

/// <summary>Content of a lease.</summary>
internal sealed class LeaseSpec
{
    /// <summary>The silo's address in Orleans' parsable form.</summary>
    public string? HolderIdentity { get; set; }

    /// <summary>For readers; we never wait for it. 1 or more.</summary>
    public int? LeaseDurationSeconds { get; set; }

    /// <summary>IAmAliveTime, with six decimals as the kind requires.</summary>
    public string? RenewTime { get; set; }
}

/// <summary>Body of a delete.</summary>
internal sealed record DeleteOptions(Preconditions Preconditions);

/// <summary>Which state of an object is meant; the server answers 409 if it is another.</summary>
internal sealed record Preconditions(string? Uid, string? ResourceVersion);

/// <summary>How our objects are read and written.</summary>
[JsonSourceGenerationOptions(JsonSerializerDefaults.Web, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(OrleansCluster))]
[JsonSerializable(typeof(Lease))]
[JsonSerializable(typeof(ResourceList<Lease>))]
[JsonSerializable(typeof(PartialObject))]
[JsonSerializable(typeof(WatchEvent<PartialObject>))]
[JsonSerializable(typeof(Acknowledgement))]
[JsonSerializable(typeof(DeleteOptions))]
internal sealed partial class ClusteringJson : JsonSerializerContext
{
    /// <summary>With an encoder that leaves '+' and other harmless characters alone: escaped, 5,000 rows would be 25 KB larger.</summary>
    public static ClusteringJson Compact { get; } = new(new JsonSerializerOptions(JsonSerializerDefaults.Web)
    {
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
        Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    });
}
