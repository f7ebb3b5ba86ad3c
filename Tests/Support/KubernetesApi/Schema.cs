using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace Orleans.WireGuard.Tests.Support.KubernetesApi;

/// <summary>Prunes and validates an object by the structural schema of its type.</summary>
internal static class Schema
{
    /// <summary>Removes fields the schema does not name, as apiextensions.k8s.io/v1 always does.</summary>
    public static void Prune(JsonObject value, JsonObject schema, bool isRoot = true)
    {
        if ((bool?)schema["x-kubernetes-preserve-unknown-fields"] == true)
        {
            return;
        }

        if (schema["additionalProperties"] is JsonObject each)
        {
            foreach (var (_, child) in value)
            {
                PruneChild(child, each);
            }

            return;
        }

        var properties = schema["properties"] as JsonObject ?? [];
        foreach (var (name, child) in value.ToList())
        {
            if (isRoot && name is "apiVersion" or "kind" or "metadata")
            {
                continue;
            }

            if (properties[name] is not JsonObject known)
            {
                value.Remove(name);
                continue;
            }

            PruneChild(child, known);
        }
    }

    public static IEnumerable<FieldError> Validate(JsonNode? value, JsonObject schema, string path = "")
    {
        if (value is null)
        {
            if ((bool?)schema["nullable"] != true)
            {
                yield return FieldError.TypeInvalid(path, "null", (string?)schema["type"] ?? "object", "null");
            }

            yield break;
        }

        var expected = (string?)schema["type"];
        var actual = TypeOf(value);
        if ((bool?)schema["x-kubernetes-int-or-string"] == true ? actual is not ("integer" or "string") : !Fits(expected, actual))
        {
            yield return FieldError.TypeInvalid(path, actual, expected ?? "integer,string", actual);
            yield break;
        }

        foreach (var error in value switch
        {
            JsonObject item => ValidateObject(item, schema, path),
            JsonArray items => ValidateArray(items, schema, path),
            _ => ValidateScalar(value.AsValue(), actual, schema, path),
        })
        {
            yield return error;
        }
    }

    private static void PruneChild(JsonNode? child, JsonObject schema)
    {
        if (child is JsonObject item)
        {
            Prune(item, schema, isRoot: false);
        }
        else if (child is JsonArray items && schema["items"] is JsonObject itemSchema)
        {
            foreach (var element in items)
            {
                PruneChild(element, itemSchema);
            }
        }
    }

    private static IEnumerable<FieldError> ValidateObject(JsonObject value, JsonObject schema, string path)
    {
        var properties = schema["properties"] as JsonObject ?? [];
        foreach (var required in schema["required"] as JsonArray ?? [])
        {
            if (!value.ContainsKey((string)required!))
            {
                yield return FieldError.Required(Join(path, (string)required!));
            }
        }

        foreach (var (name, child) in value)
        {
            var known = properties[name] as JsonObject ?? schema["additionalProperties"] as JsonObject;
            foreach (var error in known is null ? [] : Validate(child, known, Join(path, name)))
            {
                yield return error;
            }
        }
    }

    private static IEnumerable<FieldError> ValidateArray(JsonArray value, JsonObject schema, string path)
    {
        if (schema["maxItems"] is { } most && value.Count > (long)most)
        {
            yield return FieldError.TooMany(path, value.Count, (long)most);
        }

        if (schema["items"] is not JsonObject itemSchema)
        {
            yield break;
        }

        for (var index = 0; index < value.Count; index++)
        {
            foreach (var error in Validate(value[index], itemSchema, string.Create(CultureInfo.InvariantCulture, $"{path}[{index}]")))
            {
                yield return error;
            }
        }
    }

    private static IEnumerable<FieldError> ValidateScalar(JsonValue value, string actual, JsonObject schema, string path)
    {
        var text = actual == "string" ? (string)value! : null;
        if (text is not null)
        {
            if (schema["maxLength"] is { } longest && text.Length > (long)longest)
            {
                yield return FieldError.TooLong(path, (long)longest);
            }

            if (schema["minLength"] is { } shortest && text.Length < (long)shortest)
            {
                yield return FieldError.Invalid(path, value.ToJsonString(), $"{path} in body should be at least {shortest} chars long");
            }

            if ((string?)schema["pattern"] is { } pattern && !Regex.IsMatch(text, pattern))
            {
                yield return FieldError.Invalid(path, value.ToJsonString(), $"{path} in body should match '{pattern}'");
            }
        }

        if (schema["minimum"] is { } least && (double)value < (double)least)
        {
            yield return FieldError.Invalid(path, value.ToJsonString(), $"{path} in body should be greater than or equal to {least}");
        }

        if (schema["maximum"] is { } greatest && (double)value > (double)greatest)
        {
            yield return FieldError.Invalid(path, value.ToJsonString(), $"{path} in body should be less than or equal to {greatest}");
        }

        if (schema["enum"] is JsonArray allowed && !allowed.Any(item => JsonNode.DeepEquals(item, value)))
        {
            yield return FieldError.NotSupported(
                path, value.ToJsonString(), string.Join(", ", allowed.Select(item => item?.ToJsonString())));
        }
    }

    private static bool Fits(string? expected, string actual) =>
        expected is null || expected == actual || (expected == "number" && actual == "integer");

    private static string TypeOf(JsonNode value) => value.GetValueKind() switch
    {
        JsonValueKind.Object => "object",
        JsonValueKind.Array => "array",
        JsonValueKind.String => "string",
        JsonValueKind.True or JsonValueKind.False => "boolean",
        JsonValueKind.Number => value.ToJsonString().AsSpan().ContainsAny(".eE") ? "number" : "integer",
        var kind => kind.ToString(),
    };

    private static string Join(string path, string name) => path.Length == 0 ? name : $"{path}.{name}";
}
