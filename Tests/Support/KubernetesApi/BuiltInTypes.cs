using System.Globalization;
using System.Text.Json.Nodes;

namespace Orleans.WireGuard.Tests.Support.KubernetesApi;

/// <summary>The kinds that a cluster has without any definition, as far as the silo touches them.</summary>
internal static class BuiltInTypes
{
    public static ResourceType Namespaces { get; } = new(string.Empty, "v1", "namespaces", "Namespace", false)
    {
        Singular = "namespace",
        ShortNames = ["ns"],
        HasStatus = true,
        KeepsStatusOnCreate = true,
        AllowsUnconditionalUpdate = true,
    };

    public static ResourceType Nodes { get; } = new(string.Empty, "v1", "nodes", "Node", false)
    {
        Singular = "node",
        ShortNames = ["no"],
        HasStatus = true,
        KeepsStatusOnCreate = true,
        AllowsUnconditionalUpdate = true,
        Convert = ConvertNode,
        Validate = ValidateNode,
        ValidateUpdate = ValidateNodeUpdate,
    };

    /// <summary>Rules of pkg/apis/coordination/validation and pkg/registry/coordination/lease/strategy.go.</summary>
    public static ResourceType Leases { get; } = new("coordination.k8s.io", "v1", "leases", "Lease", true)
    {
        Singular = "lease",
        AllowsCreateOnUpdate = true,
        Validate = ValidateLease,
    };

    public static ResourceType Definitions { get; } =
        new("apiextensions.k8s.io", "v1", "customresourcedefinitions", "CustomResourceDefinition", false)
        {
            Singular = "customresourcedefinition",
            ShortNames = ["crd"],
            HasStatus = true,
            HasGeneration = true,
            Validate = CustomResourceDefinitions.Validate,
        };

    /// <summary>What a token can be bound to; nobody runs them.</summary>
    public static ResourceType Pods { get; } =
        new(string.Empty, "v1", "pods", "Pod", true) { Singular = "pod", ShortNames = ["po"], HasStatus = true };

    public static ResourceType ConfigMaps { get; } =
        new(string.Empty, "v1", "configmaps", "ConfigMap", true) { Singular = "configmap", ShortNames = ["cm"] };

    public static ResourceType DaemonSets { get; } =
        new("apps", "v1", "daemonsets", "DaemonSet", true)
        {
            Singular = "daemonset",
            ShortNames = [
            "ds"],
            HasStatus = true,
            HasGeneration = true
        };

    public static ResourceType Policies { get; } =
        new("admissionregistration.k8s.io", "v1", "validatingadmissionpolicies", "ValidatingAdmissionPolicy", false)
        {
            Singular = "validatingadmissionpolicy",
            HasStatus = true,
            HasGeneration = true,
            Convert = DefaultPolicy,
        };

    public static ResourceType PolicyBindings { get; } =
        new("admissionregistration.k8s.io", "v1", "validatingadmissionpolicybindings", "ValidatingAdmissionPolicyBinding", false)
        {
            Singular = "validatingadmissionpolicybinding",
        };

    public static IReadOnlyList<ResourceType> All { get; } =
    [
        Namespaces, Nodes, Leases, Definitions, ServiceAccounts.Accounts, ServiceAccounts.Roles, ServiceAccounts.RoleBindings,
        ServiceAccounts.ClusterRoles, ServiceAccounts.ClusterRoleBindings, Pods, ConfigMaps, DaemonSets, Policies, PolicyBindings,
    ];

    // pkg/apis/admissionregistration/v1/defaults.go.
    private static void DefaultPolicy(JsonObject policy)
    {
        if (policy["spec"]?["matchConstraints"] is JsonObject constraints)
        {
            constraints["matchPolicy"] ??= "Equivalent";
            constraints["namespaceSelector"] ??= new JsonObject();
            constraints["objectSelector"] ??= new JsonObject();
            foreach (var rule in constraints["resourceRules"] as JsonArray ?? [])
            {
                rule!["scope"] ??= "*";
            }
        }
    }

    // pkg/apis/core/v1/conversion.go: a client that knows the single field only must be able to write it.
    private static void ConvertNode(JsonObject node)
    {
        if (node["spec"] is JsonObject spec && (string?)spec["podCIDR"] is { Length: > 0 } single
            && PodCIDRs(node).FirstOrDefault() != single)
        {
            spec["podCIDRs"] = new JsonArray(single);
        }
    }

    private static IEnumerable<FieldError> ValidateNode(JsonObject node)
    {
        var list = PodCIDRs(node);
        if (list.Count > 2 || (list.Count == 2 && list[0].Contains(':') == list[1].Contains(':')))
        {
            yield return FieldError.Invalid(
                "spec.podCIDRs", $"[{string.Join(", ", list)}]", "may specify no more than one CIDR for each IP family");
        }
    }

    private static IEnumerable<FieldError> ValidateNodeUpdate(JsonObject before, JsonObject after)
    {
        if (PodCIDRs(before) is { Count: > 0 } was && !was.SequenceEqual(PodCIDRs(after)))
        {
            yield return new FieldError(
                "spec.podCIDRs", "FieldValueForbidden", "Forbidden: node updates may not change podCIDR except from \"\" to valid");
        }
    }

    private static List<string> PodCIDRs(JsonObject node) =>
        [.. (node["spec"]?["podCIDRs"] as JsonArray ?? []).Select(prefix => (string)prefix!)];

    private static IEnumerable<FieldError> ValidateLease(JsonObject lease)
    {
        if (lease["spec"] is not JsonObject spec)
        {
            yield break;
        }

        foreach (var field in (string[])["renewTime", "acquireTime"])
        {
            // MicroTime decodes only this form; a plain "…Z" without the fraction is refused by the decoder, before validation.
            if (spec[field] is JsonValue time && !DateTimeOffset.TryParseExact(
                    (string?)time, "yyyy-MM-dd'T'HH:mm:ss.ffffffK", CultureInfo.InvariantCulture, DateTimeStyles.None, out _))
            {
                throw ApiException.BadRequest(
                    $"Lease in version \"v1\" cannot be handled as a Lease: parsing time {time.ToJsonString()} as \"2006-01-02T15:04:05.000000Z07:00\": cannot parse");
            }
        }

        if (spec["leaseDurationSeconds"] is JsonValue duration && (long)duration <= 0)
        {
            yield return FieldError.Invalid("spec.leaseDurationSeconds", duration.ToJsonString(), "must be greater than 0");
        }

        if (spec["leaseTransitions"] is JsonValue transitions && (long)transitions < 0)
        {
            yield return FieldError.Invalid("spec.leaseTransitions", transitions.ToJsonString(), "must be greater than or equal to 0");
        }

        if (spec["holderIdentity"] is JsonValue holder && (string?)holder is { Length: 0 })
        {
            yield return FieldError.Invalid("spec.holderIdentity", "\"\"", "must not be empty");
        }
    }
}
