using System.Text.Json;
using System.Text.Json.Serialization;
using Orleans.WireGuard.Api;

namespace Orleans.WireGuard.Silo.Nodes.Prefixes;

/// <summary>
/// NodeNetworkConfig (acn.azure.com/v1alpha): what Azure gives a machine for its pods. The status as it stands there: whoever reads it
/// finds what is missing or of another form.
/// </summary>
internal sealed class NodeNetworkConfig : IApiObject
{
    /// <summary>Metadata.</summary>
    public ObjectMetadata Metadata { get; set; } = new();

    /// <summary>What was assigned.</summary>
    public JsonElement? Status { get; set; }
}

/// <summary>How these objects are read.</summary>
[JsonSourceGenerationOptions(JsonSerializerDefaults.Web, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(NodeNetworkConfig))]
[JsonSerializable(typeof(ResourceList<NodeNetworkConfig>))]
[JsonSerializable(typeof(WatchEvent<NodeNetworkConfig>))]
internal sealed partial class PrefixesJson : JsonSerializerContext;
