using System.Text.Json;
using System.Text.Json.Serialization;

namespace Orleans.WireGuard.Api;

/// <summary>What lists and watches carry: an object with metadata.</summary>
internal interface IApiObject
{
    /// <summary>The metadata.</summary>
    ObjectMetadata Metadata { get; }
}

/// <summary>Metadata of an object, with the fields we do not know carried along, so that an update keeps them.</summary>
internal sealed class ObjectMetadata
{
    /// <summary>Object name.</summary>
    public string? Name { get; set; }

    /// <summary>Namespace, for namespaced kinds.</summary>
    public string? Namespace { get; set; }

    /// <summary>Changes when an object of the same name is created anew.</summary>
    public string? Uid { get; set; }

    /// <summary>Changes with every write; opaque.</summary>
    public string? ResourceVersion { get; set; }

    /// <summary>For selectors.</summary>
    public Dictionary<string, string>? Labels { get; set; }

    /// <summary>For people and tools.</summary>
    public Dictionary<string, string>? Annotations { get; set; }

    /// <summary>What must exist for this object to stay.</summary>
    public List<OwnerReference>? OwnerReferences { get; set; }

    /// <summary>Everything else.</summary>
    [JsonExtensionData]
    public Dictionary<string, JsonElement>? Others { get; set; }
}

/// <summary>An object with whose deletion the garbage collector deletes this one.</summary>
internal sealed record OwnerReference(string ApiVersion, string Kind, string Name, string Uid);

/// <summary>One page of a list.</summary>
internal sealed class ResourceList<T>
{
    /// <summary>Where to go on.</summary>
    public ListMetadata Metadata { get; set; } = new();

    /// <summary>The objects; null where a server writes an empty list so.</summary>
    public List<T>? Items { get; set; }
}

/// <summary>Metadata of a list.</summary>
internal sealed class ListMetadata
{
    /// <summary>State of the store that the list shows.</summary>
    public string? ResourceVersion { get; set; }

    /// <summary>Token of the next page; null or empty on the last one.</summary>
    public string? Continue { get; set; }
}

/// <summary>What an event of a watch says; ERROR is an exception here.</summary>
internal static class WatchEventType
{
    /// <summary>An object came to be, or was there when the watch began.</summary>
    public const string Added = "ADDED";

    /// <summary>An object changed.</summary>
    public const string Modified = "MODIFIED";

    /// <summary>An object is gone.</summary>
    public const string Deleted = "DELETED";

    /// <summary>Nothing happened until the resource version that it carries.</summary>
    public const string Bookmark = "BOOKMARK";
}

/// <summary>One event of a watch.</summary>
internal sealed class WatchEvent<T>
    where T : class, IApiObject
{
    /// <summary>One of <see cref="WatchEventType"/>.</summary>
    public string Type { get; set; } = string.Empty;

    /// <summary>The object after it happened; a bookmark carries only the resource version.</summary>
    public T? Object { get; set; }
}

/// <summary>An object reduced to its metadata.</summary>
internal sealed class PartialObject : IApiObject
{
    /// <summary>The metadata.</summary>
    public ObjectMetadata Metadata { get; set; } = new();
}

/// <summary>An answer whose content does not matter, such as that of a delete.</summary>
internal sealed class Acknowledgement;
