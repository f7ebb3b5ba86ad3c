using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http;

namespace Orleans.WireGuard.Tests.Support.KubernetesApi;

/// <summary>The three forms of an object: itself, its metadata only, or rows of a table (what <c>kubectl get</c> prints).</summary>
/// <remarks>
/// https://kubernetes.io/docs/reference/using-api/api-concepts/ (alternate representations, receiving resources as Tables).
/// </remarks>
internal static class Representation
{
    public static JsonNode Of(HttpContext context, ResourceType type, JsonObject item) => Form(context) switch
    {
        "PartialObjectMetadata" => Partial(item),
        "Table" => Table(type, [item], new JsonObject { ["resourceVersion"] = Metadata.Version(item) }, withColumns: true),
        _ => item,
    };

    public static JsonNode List(HttpContext context, ResourceType type, List<JsonObject> items, JsonObject metadata) => Form(context) switch
    {
        "PartialObjectMetadata" or "PartialObjectMetadataList" => new JsonObject
        {
            ["kind"] = "PartialObjectMetadataList",
            ["apiVersion"] = "meta.k8s.io/v1",
            ["metadata"] = metadata,
            ["items"] = new JsonArray([.. items.Select(Partial)]),
        },
        "Table" => Table(type, items, metadata, withColumns: true),
        _ => new JsonObject
        {
            ["kind"] = $"{type.Kind}List",
            ["apiVersion"] = type.ApiVersion,
            ["metadata"] = metadata,
            ["items"] = new JsonArray([.. items.Select(item => Item(type, item))]),
        },
    };

    // Items of a built-in list carry no kind of their own; those of a custom one do.
    private static JsonObject Item(ResourceType type, JsonObject item)
    {
        var copy = (JsonObject)item.DeepClone();
        if (!type.IsCustom)
        {
            copy.Remove("kind");
            copy.Remove("apiVersion");
        }

        return copy;
    }

    private static JsonObject Partial(JsonObject item) => new()
    {
        ["kind"] = "PartialObjectMetadata",
        ["apiVersion"] = "meta.k8s.io/v1",
        ["metadata"] = item["metadata"]!.DeepClone(),
    };

    private static JsonObject Table(ResourceType type, List<JsonObject> items, JsonObject metadata, bool withColumns)
    {
        List<JsonObject> columns =
            [new() { ["name"] = "Name", ["type"] = "string", ["format"] = "name", ["description"] = string.Empty, ["priority"] = 0 }];
        foreach (var column in type.PrinterColumns)
        {
            var copy = (JsonObject)column.DeepClone();
            copy.Remove("jsonPath");
            copy["priority"] ??= 0;
            copy["format"] ??= string.Empty;
            copy["description"] ??= string.Empty;
            columns.Add(copy);
        }

        return new JsonObject
        {
            ["kind"] = "Table",
            ["apiVersion"] = "meta.k8s.io/v1",
            ["metadata"] = metadata,
            ["columnDefinitions"] = withColumns ? new JsonArray([.. columns]) : [],
            ["rows"] = new JsonArray([.. items.Select(item => new JsonObject
            {
                ["cells"] = new JsonArray(
                    [JsonValue.Create(Metadata.Name(item)), .. type.PrinterColumns.Select(column => Cell(item, column))]),
                ["object"] = Partial(item),
            })]),
        };
    }

    // Only plain paths (.spec.version): that is what the definitions here use.
    private static JsonNode? Cell(JsonObject item, JsonObject column)
    {
        JsonNode? value = item;
        foreach (var step in ((string)column["jsonPath"]!).Split('.', StringSplitOptions.RemoveEmptyEntries))
        {
            value = value is JsonObject inner ? inner[step] : null;
        }

        if ((string?)column["type"] == "date" && DateTimeOffset.TryParse((string?)value, CultureInfo.InvariantCulture, out var since))
        {
            return JsonValue.Create(Age(TimeProvider.System.GetUtcNow() - since));
        }

        return value is not null && (string?)column["type"] == "string" && value.GetValueKind() != JsonValueKind.String
            ? JsonValue.Create(value.ToJsonString())
            : value?.DeepClone();
    }

    // The server writes ages as words (apimachinery/pkg/util/duration), kubectl prints them as they are.
    private static string Age(TimeSpan age) => age switch
    {
        { TotalMinutes: < 2 } => string.Create(CultureInfo.InvariantCulture, $"{(int)age.TotalSeconds}s"),
        { TotalHours: < 3 } => string.Create(CultureInfo.InvariantCulture, $"{(int)age.TotalMinutes}m"),
        { TotalDays: < 2 } => string.Create(CultureInfo.InvariantCulture, $"{(int)age.TotalHours}h"),
        _ => string.Create(CultureInfo.InvariantCulture, $"{(int)age.TotalDays}d"),
    };

    /// <summary>The <c>as=</c> of the first media type that this server knows.</summary>
    public static string Form(HttpContext context)
    {
        foreach (var media in context.Request.Headers.Accept.ToString().Split(','))
        {
            var parameters = media.Split(';', StringSplitOptions.TrimEntries);
            if (Array.Find(parameters, part => part.StartsWith("as=", StringComparison.Ordinal)) is { } form
                && parameters.Contains("v=v1") && parameters.Contains("g=meta.k8s.io"))
            {
                return form[3..];
            }

            if (parameters[0] == "application/json")
            {
                return string.Empty;
            }
        }

        return string.Empty;
    }

    public static string Bookmark(ResourceType type, long revision, bool partial) => new JsonObject
    {
        ["type"] = "BOOKMARK",
        ["object"] = new JsonObject
        {
            ["kind"] = partial ? "PartialObjectMetadata" : type.Kind,
            ["apiVersion"] = partial ? "meta.k8s.io/v1" : type.ApiVersion,
            ["metadata"] = new JsonObject
            {
                ["resourceVersion"] = revision.ToString(
                CultureInfo.InvariantCulture),
                ["creationTimestamp"] = null
            },
        },
    }.ToJsonString();
}
