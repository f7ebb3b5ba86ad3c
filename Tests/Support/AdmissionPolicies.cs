using System.Text.Json.Nodes;
using Cel;
using Orleans.WireGuard.Tests.Support.KubernetesApi;

namespace Orleans.WireGuard.Tests.Support;

/// <summary>Holds the writes of a test server to its ValidatingAdmissionPolicies, whose expressions are evaluated as they stand.</summary>
/// <remarks>
/// After k8s.io/apiserver/pkg/admission/plugin/policy/validating. Left out: parameters, selectors, variables, cost, type checking, and
/// other actions than Deny. Where an operand of || fails and the other is true, this evaluator fails and a real server does not.
/// </remarks>
internal sealed class AdmissionPolicies(Registry registry)
{
    private readonly CelEnvironment _cel = new(null, string.Empty);

    /// <summary>Throws what the server answers if a bound policy denies the request.</summary>
    public void Admit(AdmissionRequest request)
    {
        foreach (var binding in registry.Store.List(BuiltInTypes.PolicyBindings, null).Items)
        {
            var policy = registry.Store.Find(BuiltInTypes.Policies, null, (string)binding["spec"]!["policyName"]!);
            if (policy?["spec"] is JsonObject spec && FindDenial(spec, request) is var (reason, message))
            {
                throw ApiException.Denied(request.Type, request.Name, (string)policy["metadata"]!["name"]!,
                    (string)binding["metadata"]!["name"]!, reason, message);
            }
        }
    }

    private (string? Reason, string Message)? FindDenial(JsonObject spec, AdmissionRequest request)
    {
        if (!spec["matchConstraints"]!["resourceRules"]!.AsArray().Any(rule => IsMatch(rule!, request)))
        {
            return null;
        }

        var variables = new Dictionary<string, object?>
        {
            ["request"] = Describe(request),
            ["object"] = Plain(request.After),
            ["oldObject"] = Plain(request.Before),
        };
        if (!(spec["matchConditions"] as JsonArray ?? []).All(condition => Evaluate(condition!, variables) is null))
        {
            return null;
        }

        foreach (var validation in spec["validations"]!.AsArray())
        {
            if (Evaluate(validation!, variables) is { } why)
            {
                return ((string?)validation!["reason"], why.Length > 0 ? why : (string?)validation["message"] ?? "failed expression");
            }
        }

        return null;
    }

    // Null if it is true, nothing if it is false, and what went wrong if it is neither.
    private string? Evaluate(JsonNode rule, Dictionary<string, object?> variables)
    {
        var expression = (string)rule["expression"]!;
        try
        {
            return _cel.Compile(expression)(variables) is true ? null : string.Empty;
        }
        catch (Exception error) when (error.GetType().Namespace?.StartsWith(nameof(Cel), StringComparison.Ordinal) == true)
        {
            return $"expression '{expression}' resulted in error: {error.Message}";
        }
    }

    private static bool IsMatch(JsonNode rule, AdmissionRequest request)
    {
        var resource = request.Subresource is null ? request.Type.Plural : $"{request.Type.Plural}/{request.Subresource}";
        return Has("apiGroups", request.Type.Group) && Has("apiVersions", request.Type.Version)
            && Has("operations", request.Operation) && Has("resources", resource);

        bool Has(string list, string item) => rule[list]!.AsArray().Any(each => (string?)each == "*" || (string?)each == item);
    }

    private static Dictionary<string, object?> Describe(AdmissionRequest request)
    {
        Dictionary<string, object?> user = new() { ["username"] = request.User.Name };
        if (request.User.Extra is { } extra)
        {
            user["extra"] = extra.ToDictionary(pair => pair.Key, pair => (object?)new List<object?> { pair.Value });
        }

        return new()
        {
            ["operation"] = request.Operation,
            ["name"] = request.Name,
            ["subResource"] = request.Subresource ?? string.Empty,
            ["userInfo"] = user,
        };
    }

    private static object? Plain(JsonNode? node) => node switch
    {
        null => null,
        JsonObject map => map.ToDictionary(pair => pair.Key, pair => Plain(pair.Value)),
        JsonArray list => list.Select(Plain).ToList(),
        JsonValue value => value.GetValueKind() switch
        {
            System.Text.Json.JsonValueKind.String => (string?)value,
            System.Text.Json.JsonValueKind.Number => value.TryGetValue<long>(out var whole) ? whole : (double)value,
            var kind => kind == System.Text.Json.JsonValueKind.True,
        },
        _ => throw new System.Diagnostics.UnreachableException(),
    };
}
