using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace Orleans.WireGuard.Api;

/// <summary>Reads one line of a watch. Pure: an event, or the exception that says why it is none.</summary>
internal static class WatchEventReader
{
    /// <summary>The event that a line of a watch says, with an object that has metadata and a resource version.</summary>
    /// <exception cref="KubernetesApiException">It is an ERROR event, or nothing that a watch says.</exception>
    public static WatchEvent<T> Read<T>(ApiCall call, ReadOnlyMemory<byte> line, JsonTypeInfo<WatchEvent<T>> type)
        where T : class, IApiObject
    {
        try
        {
            using var document = JsonDocument.Parse(line);
            if (document.RootElement.GetProperty("type").GetString() == "ERROR")
            {
                throw ApiFailures.FromEvent(call, document.RootElement.GetProperty("object").GetRawText());
            }

            return document.RootElement.Deserialize(type) is { Object.Metadata.ResourceVersion.Length: > 0 } change && IsComplete(change)
                ? change
                : throw new JsonException("no event of a watch");
        }
        catch (Exception error) when (error is not KubernetesApiException)
        {
            // Whatever a reader of JSON throws at bytes that are none, or at other types than those expected.
            throw ApiFailures.NotUnderstood(call, error);
        }
    }

    private static bool IsComplete<T>(WatchEvent<T> change)
        where T : class, IApiObject => change.Type switch
        {
            WatchEventType.Bookmark => true,
            WatchEventType.Added or WatchEventType.Modified or WatchEventType.Deleted => change.Object!.Metadata.Name is { Length: > 0 },
            _ => false,
        };
}
