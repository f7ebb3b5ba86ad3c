using System.Text.Json;

namespace Orleans.WireGuard.Silo.Nodes;

/// <summary>
/// Reads JSON that others wrote, of which any field may be missing or of another form than expected: that is nothing, never an error. Pure.
/// </summary>
internal static class LenientJson
{
    /// <summary>A field of an object; null if there is no such field, or no object.</summary>
    public static JsonElement? Field(JsonElement? parent, string name) =>
        parent is { ValueKind: JsonValueKind.Object } found && found.TryGetProperty(name, out var field)
            && field.ValueKind is not (JsonValueKind.Null or JsonValueKind.Undefined) ? field : null;

    /// <summary>The elements of an array; none if it is no array.</summary>
    public static IEnumerable<JsonElement?> Elements(JsonElement? array) =>
        array is { ValueKind: JsonValueKind.Array } found ? found.EnumerateArray().Select(element => (JsonElement?)element) : [];

    /// <summary>The names of an object's fields; none if it is no object.</summary>
    public static IEnumerable<string> Names(JsonElement? parent) =>
        parent is { ValueKind: JsonValueKind.Object } found ? found.EnumerateObject().Select(field => field.Name) : [];

    /// <summary>A text as it is; anything else as it stands there, so that a message can show it. Empty if there is nothing.</summary>
    public static string Text(JsonElement? value) => value switch
    {
        null => "",
        { ValueKind: JsonValueKind.String } text => text.GetString() ?? "",
        { } other => other.GetRawText(),
    };
}
