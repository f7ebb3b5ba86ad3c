using System.Text.Json;
using System.Text.Json.Serialization;
using Orleans.WireGuard.Api;

namespace Orleans.WireGuard.Silo.Nodes;

/// <summary>The fields of Node (v1) and CiliumNode (cilium.io/v2) that matter here; one type, as they do not overlap in meaning.</summary>
internal sealed class NodeObject : IApiObject
{
    /// <summary>Metadata.</summary>
    public ObjectMetadata Metadata { get; set; } = new();

    /// <summary>Desired state.</summary>
    public NodeObjectSpec? Spec { get; set; }

    /// <summary>Observed state.</summary>
    public NodeObjectStatus? Status { get; set; }
}

/// <summary>Spec of a Node or a CiliumNode.</summary>
internal sealed class NodeObjectSpec
{
    /// <summary>Node: the first pod CIDR, on clusters without dual stack the only field.</summary>
    public string? PodCIDR { get; set; }

    /// <summary>Node: pod CIDRs, at most one per family.</summary>
    public List<string>? PodCIDRs { get; set; }

    /// <summary>CiliumNode: addresses with type and ip.</summary>
    public List<NodeAddress>? Addresses { get; set; }

    /// <summary>CiliumNode: address management.</summary>
    public CiliumIpam? Ipam { get; set; }
}

/// <summary>Status of a Node.</summary>
internal sealed class NodeObjectStatus
{
    /// <summary>Node: addresses with type and address.</summary>
    public List<NodeAddress>? Addresses { get; set; }
}

/// <summary>An address of either kind.</summary>
internal sealed record NodeAddress(string? Type, string? Address, [property: JsonPropertyName("ip")] string? IP);

/// <summary>Cilium's allocation for one node.</summary>
internal sealed class CiliumIpam
{
    /// <summary>Pod CIDRs of the node.</summary>
    public List<string>? PodCIDRs { get; set; }

    /// <summary>
    /// Pod CIDRs by pool (multi-pool). As it stands there: a field of another form than expected must not spoil the list of all nodes.
    /// </summary>
    public JsonElement? Pools { get; set; }

    /// <summary>Single addresses, each the name of a field (ENI, Azure).</summary>
    public JsonElement? Pool { get; set; }
}

/// <summary>How node objects are read.</summary>
[JsonSourceGenerationOptions(JsonSerializerDefaults.Web, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(NodeObject))]
[JsonSerializable(typeof(ResourceList<NodeObject>))]
[JsonSerializable(typeof(WatchEvent<NodeObject>))]
[JsonSerializable(typeof(AnnotationPatch))]
[JsonSerializable(typeof(Acknowledgement))]
internal sealed partial class NodesJson : JsonSerializerContext;

/// <summary>A merge patch of annotations: a null value removes one.</summary>
internal sealed class AnnotationPatch
{
    /// <summary>The metadata to merge.</summary>
    public AnnotationPatchMetadata Metadata { get; set; } = new();
}

/// <summary>Metadata of an <see cref="AnnotationPatch"/>.</summary>
internal sealed class AnnotationPatchMetadata
{
    /// <summary>Values by annotation; null removes.</summary>
    public Dictionary<string, string?> Annotations { get; set; } = [];
}
