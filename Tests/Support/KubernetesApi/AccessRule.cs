namespace Orleans.WireGuard.Tests.Support.KubernetesApi;

/// <summary>One line of an allow-list, with the meaning of a rule of a Role or ClusterRole.</summary>
/// <param name="Group">API group; empty for the core one; <c>*</c> for all.</param>
/// <param name="Resource">Plural, with <c>/status</c> for the subresource; <c>*</c> for all.</param>
/// <param name="Verbs">Such as <c>get</c>; <c>*</c> for all.</param>
/// <param name="Namespace">Null for all namespaces and for cluster-scoped kinds.</param>
internal sealed record AccessRule(string Group, string Resource, IReadOnlyList<string> Verbs, string? Namespace = null)
{
    public static AccessRule Everything { get; } = new("*", "*", ["*"]);

    public bool Allows(string group, string resource, string verb, string? space) =>
        (Group == "*" || Group == group)
        && (Resource == "*" || Resource == resource)
        && (Verbs.Contains("*") || Verbs.Contains(verb))
        && (Namespace is null || Namespace == space);
}

/// <summary>A bearer token: who it is and what that user may do.</summary>
internal sealed class ApiUser(string name, IReadOnlyList<AccessRule> rules)
{
    public string Name { get; } = name;

    /// <summary>What the authenticator says of the token besides the name, such as the node of its pod; null if nothing.</summary>
    public IReadOnlyDictionary<string, string>? Extra { get; set; }

    /// <summary>Whether what the token is bound to is still there.</summary>
    public Func<bool> IsAlive { get; set; } = () => true;

    /// <summary>An expired token gets 401, whatever it was allowed.</summary>
    public bool IsExpired { get; set; }

    public bool May(string verb, ResourceType type, string? subresource, string? space)
    {
        var resource = subresource is null ? type.Plural : $"{type.Plural}/{subresource}";
        return rules.Any(rule => rule.Allows(type.Group, resource, verb, space));
    }
}
