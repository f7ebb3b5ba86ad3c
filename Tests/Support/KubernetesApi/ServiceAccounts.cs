using System.Text.Json.Nodes;

namespace Orleans.WireGuard.Tests.Support.KubernetesApi;

/// <summary>
/// Service accounts, roles and bindings, as far as a test needs them to get a token with few rights as on a real cluster.
/// </summary>
internal static class ServiceAccounts
{
    public static ResourceType Accounts { get; } =
        new(string.Empty, "v1", "serviceaccounts", "ServiceAccount", true) { Singular = "serviceaccount", ShortNames = ["sa"] };

    public static ResourceType Roles { get; } = new("rbac.authorization.k8s.io", "v1", "roles", "Role", true) { Singular = "role" };

    public static ResourceType RoleBindings { get; } =
        new("rbac.authorization.k8s.io", "v1", "rolebindings", "RoleBinding", true) { Singular = "rolebinding" };

    public static ResourceType ClusterRoles { get; } =
        new("rbac.authorization.k8s.io", "v1", "clusterroles", "ClusterRole", false) { Singular = "clusterrole" };

    public static ResourceType ClusterRoleBindings { get; } =
        new("rbac.authorization.k8s.io", "v1", "clusterrolebindings", "ClusterRoleBinding", false) { Singular = "clusterrolebinding" };

    /// <summary>What the roles bound to an account allow. Read once, when the token is made: later changes do not reach it.</summary>
    public static AccessRule[] RulesOf(Registry registry, string space, string account)
    {
        registry.Get(Accounts, space, account);
        return
        [
            .. Bound(RoleBindings, space)
                .SelectMany(binding => Rules((string?)binding["roleRef"]!["kind"] == "ClusterRole" ? ClusterRoles : Roles, binding, space)),
            .. Bound(ClusterRoleBindings, null).SelectMany(binding => Rules(ClusterRoles, binding, null)),
        ];

        IEnumerable<JsonObject> Bound(ResourceType bindings, string? scope) => registry.Store.List(bindings, scope).Items.Where(binding =>
            binding["subjects"]!.AsArray().Any(subject =>
                (string?)subject!["name"] == account && ((string?)subject["namespace"] ?? scope) == space));

        IEnumerable<AccessRule> Rules(ResourceType roles, JsonObject binding, string? scope) =>
            registry.Get(roles, roles.Namespaced ? scope : null, (string)binding["roleRef"]!["name"]!)["rules"]!.AsArray()
                .SelectMany(rule => Cross(rule!, scope));
    }

    /// <summary>Binds a token to a pod: it names the pod and its node, and lives as long as just that pod.</summary>
    public static void Bind(ApiUser user, Registry registry, string space, JsonObject reference)
    {
        var (name, uid) = ((string)reference["name"]!, (string?)reference["uid"]);
        var pod = registry.Get(BuiltInTypes.Pods, space, name);
        if (uid is not null && uid != (string?)pod["metadata"]!["uid"])
        {
            throw ApiException.Conflict(BuiltInTypes.Pods, name, "the UID in the bound object reference does not match the UID in record");
        }

        uid = (string)pod["metadata"]!["uid"]!;
        const string Prefix = "authentication.kubernetes.io/";
        Dictionary<string, string> extra = new() { [Prefix + "pod-name"] = name, [Prefix + "pod-uid"] = uid };
        if ((string?)pod["spec"]?["nodeName"] is { } node)
        {
            extra[Prefix + "node-name"] = node;
        }

        user.Extra = extra;
        user.IsAlive = () => (string?)registry.Store.Find(BuiltInTypes.Pods, space, name)?["metadata"]!["uid"] == uid;
    }

    private static IEnumerable<AccessRule> Cross(JsonNode rule, string? space) =>
        from @group in Texts(rule["apiGroups"])
        from resource in Texts(rule["resources"])
        select new AccessRule(@group, resource, [.. Texts(rule["verbs"])], space);

    private static IEnumerable<string> Texts(JsonNode? list) => list!.AsArray().Select(item => (string)item!);
}
