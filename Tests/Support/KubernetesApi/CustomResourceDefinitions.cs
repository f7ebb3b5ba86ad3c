using System.Globalization;
using System.Text.Json.Nodes;

namespace Orleans.WireGuard.Tests.Support.KubernetesApi;

/// <summary>Checks CustomResourceDefinitions (apiextensions.k8s.io/v1) and turns them into the types they define.</summary>
/// <remarks>
/// The checks are those of apiextensions-apiserver that a hand-written definition runs into: names, versions, structural schema.
/// </remarks>
internal static class CustomResourceDefinitions
{
    public static IEnumerable<FieldError> Validate(JsonObject definition)
    {
        var spec = definition["spec"] as JsonObject ?? [];
        var group = (string?)spec["group"] ?? string.Empty;
        var names = spec["names"] as JsonObject ?? [];
        var plural = (string?)names["plural"] ?? string.Empty;
        var name = (string?)definition["metadata"]?["name"] ?? string.Empty;
        if (name != $"{plural}.{group}")
        {
            yield return FieldError.Invalid("metadata.name", $"\"{name}\"", "must be spec.names.plural+\".\"+spec.group");
        }

        if (!group.Contains('.', StringComparison.Ordinal))
        {
            yield return FieldError.Invalid("spec.group", $"\"{group}\"", "should be a domain with at least one dot");
        }

        if (names["kind"] is null)
        {
            yield return FieldError.Required("spec.names.kind");
        }

        if ((string?)spec["scope"] is not ("Namespaced" or "Cluster"))
        {
            yield return FieldError.NotSupported("spec.scope", spec["scope"]?.ToJsonString() ?? "\"\"", "\"Cluster\", \"Namespaced\"");
        }

        var versions = spec["versions"] as JsonArray ?? [];
        if (versions.Count(version => (bool?)version?["storage"] == true) != 1)
        {
            yield return FieldError.Invalid("spec.versions", "[]", "must have exactly one version marked as storage version");
        }

        for (var index = 0; index < versions.Count; index++)
        {
            var path = string.Create(CultureInfo.InvariantCulture, $"spec.versions[{index}].schema.openAPIV3Schema");
            if (versions[index]?["schema"]?["openAPIV3Schema"] is not JsonObject schema)
            {
                yield return FieldError.Required(path, "schemas are required");
                continue;
            }

            if ((string?)schema["type"] != "object")
            {
                yield return FieldError.Invalid($"{path}.type", schema["type"]?.ToJsonString() ?? "\"\"", "must be object at the root");
            }

            foreach (var error in Structural(schema, path))
            {
                yield return error;
            }
        }
    }

    public static IEnumerable<ResourceType> ToTypes(JsonObject definition)
    {
        var spec = definition["spec"]!;
        var names = spec["names"]!;
        foreach (var version in spec["versions"]!.AsArray())
        {
            if ((bool?)version!["served"] != true)
            {
                continue;
            }

            yield return new((string)spec["group"]!, (string)version["name"]!, (string)names["plural"]!,
                (string)names["kind"]!, (string)spec["scope"]! == "Namespaced")
            {
                Schema = version["schema"]!["openAPIV3Schema"]!.AsObject(),
                HasStatus = version["subresources"]?["status"] is not null,
                HasGeneration = true,
                IsCustom = true,
                Singular = (string?)names["singular"] ?? ((string)names["kind"]!).ToLowerInvariant(),
                ShortNames = [.. (names["shortNames"] as JsonArray ?? []).Select(name => (string)name!)],
                PrinterColumns = [.. (version["additionalPrinterColumns"] as JsonArray ?? []).Select(column => column!.AsObject())],
            };
        }
    }

    // Structural: every value has a type, unless it is int-or-string or keeps unknown fields.
    // https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/#specifying-a-structural-schema
    private static IEnumerable<FieldError> Structural(JsonObject schema, string path)
    {
        if (schema["type"] is null
            && (bool?)schema["x-kubernetes-int-or-string"] != true
            && (bool?)schema["x-kubernetes-preserve-unknown-fields"] != true)
        {
            yield return FieldError.Required($"{path}.type", "must not be empty for specified object fields");
        }

        if (schema["properties"] is JsonObject properties)
        {
            if (schema["additionalProperties"] is not null)
            {
                yield return new FieldError($"{path}.additionalProperties", "FieldValueForbidden", "Forbidden: additionalProperties and properties are mutual exclusive");
            }

            foreach (var (name, child) in properties)
            {
                foreach (var error in Structural(child!.AsObject(), $"{path}.properties[{name}]"))
                {
                    yield return error;
                }
            }
        }

        if ((string?)schema["type"] == "array" && schema["items"] is null)
        {
            yield return FieldError.Required($"{path}.items", "must be specified");
        }

        foreach (var keyword in (string[])["items", "additionalProperties"])
        {
            if (schema[keyword] is JsonObject child)
            {
                foreach (var error in Structural(child, $"{path}.{keyword}"))
                {
                    yield return error;
                }
            }
        }
    }
}
