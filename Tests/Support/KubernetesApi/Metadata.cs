using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace Orleans.WireGuard.Tests.Support.KubernetesApi;

/// <summary>Reads and checks object metadata (apimachinery/pkg/api/validation).</summary>
internal static partial class Metadata
{
    private const string SubdomainHint =
        "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";

    public static JsonObject Of(JsonObject item) => item["metadata"]!.AsObject();

    public static string Name(JsonObject item) => (string?)item["metadata"]?["name"] ?? string.Empty;

    public static string? Namespace(JsonObject item) => (string?)item["metadata"]?["namespace"];

    public static string Version(JsonObject item) => (string?)item["metadata"]?["resourceVersion"] ?? string.Empty;

    public static IEnumerable<FieldError> Validate(JsonObject item)
    {
        var name = Name(item);
        if (name.Length == 0)
        {
            yield return FieldError.Required("metadata.name", "name or generateName is required");
        }
        else if (name.Length > 253)
        {
            yield return FieldError.Invalid("metadata.name", $"\"{name}\"", "must be no more than 253 characters");
        }
        else if (!Subdomain().IsMatch(name))
        {
            yield return FieldError.Invalid("metadata.name", $"\"{name}\"", SubdomainHint);
        }

        foreach (var (key, value) in item["metadata"]?["labels"] as JsonObject ?? [])
        {
            if (!QualifiedName().IsMatch(key))
            {
                yield return FieldError.Invalid(
                    "metadata.labels", $"\"{key}\"", "name part must consist of alphanumeric characters, '-', '_' or '.'");
            }

            if ((string?)value is not { Length: <= 63 } text || !LabelValue().IsMatch(text))
            {
                yield return FieldError.Invalid(
                    "metadata.labels", value?.ToJsonString() ?? "null",
                    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and at most 63 of them");
            }
        }

        foreach (var (key, _) in item["metadata"]?["annotations"] as JsonObject ?? [])
        {
            if (!QualifiedName().IsMatch(key))
            {
                yield return FieldError.Invalid(
                    "metadata.annotations", $"\"{key}\"", "name part must consist of alphanumeric characters, '-', '_' or '.'");
            }
        }

        foreach (var owner in item["metadata"]?["ownerReferences"] as JsonArray ?? [])
        {
            foreach (var field in (string[])["apiVersion", "kind", "name", "uid"])
            {
                if (string.IsNullOrEmpty((string?)owner?[field]))
                {
                    yield return FieldError.Invalid($"metadata.ownerReferences.{field}", "\"\"", "must not be empty");
                }
            }
        }
    }

    [GeneratedRegex(@"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*\z")]
    private static partial Regex Subdomain();

    [GeneratedRegex(@"^([a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?\z")]
    private static partial Regex QualifiedName();

    [GeneratedRegex(@"^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?\z")]
    private static partial Regex LabelValue();
}
