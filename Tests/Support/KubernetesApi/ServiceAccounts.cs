using System.Text.Json.Nodes;

namespace Orleans.WireGuard.Tests.Support.KubernetesApi;

/// <summary>Service accounts, roles and bindings, as far as a test needs them to get a token with few rights as on a real cluster.</summary>
internal static class ServiceAccounts
{
    public static ResourceType Accounts { get; } = new(string.Empty, "v1", "serviceaccounts", "ServiceAccount", true) { Singular = "serviceaccount", ShortNames = ["sa"] };

    public static ResourceType Roles { get; } = new("rbac.authorization.k8s.io", "v1", "roles", "Role", true) { Singular = "role" };

    public static ResourceType RoleBindings { get; } = new("rbac.authorization.k8s.io", "v1", "rolebindings", "RoleBinding", true) { Singular = "rolebinding" };

    public static ResourceType ClusterRoles { get; } = new("rbac.authorization.k8s.io", "v1", "clusterroles", "ClusterRole", false) { Singular = "clusterrole" };

    public static ResourceType ClusterRoleBindings { get; } =
        new("rbac.authorization.k8s.io", "v1", "clusterrolebindings", "ClusterRoleBinding", false) { Singular = "clusterrolebinding" };

    /// <summary>What the roles bound to an account allow. Read once, when the token is made: later changes do not reach it.</summary>
    public static AccessRule[] RulesOf(Registry registry, string space, string account)
    {
        registry.Get(Accounts, space, account);
        return
        [
            .. Bound(RoleBindings, space).SelectMany(binding => Rules((string?)binding["roleRef"]!["kind"] == "ClusterRole" ? ClusterRoles : Roles, binding, space)),
            .. Bound(ClusterRoleBindings, null).SelectMany(binding => Rules(ClusterRoles, binding, null)),
        ];

        IEnumerable<JsonObject> Bound(ResourceType bindings, string? scope) => registry.Store.List(bindings, scope).Items.Where(binding =>
            binding["subjects"]!.AsArray().Any(subject =>
                (string?)subject!["name"] == account && ((string?)subject["namespace"] ?? scope) == space));

        IEnumerable<AccessRule> Rules(ResourceType roles, JsonObject binding, string? scope) =>
            registry.Get(roles, roles.Namespaced ? scope : null, (string)binding["roleRef"]!["name"]!)["rules"]!.AsArray().SelectMany(rule => Cross(rule!, scope));
    }

    private static IEnumerable<AccessRule> Cross(JsonNode rule, string? space) =>
        from @group in Texts(rule["apiGroups"])
        from resource in Texts(rule["resources"])
        select new AccessRule(@group, resource, [.. Texts(rule["verbs"])], space);

    private static IEnumerable<string> Texts(JsonNode? list) => list!.AsArray().Select(item => (string)item!);
}
