namespace Orleans.WireGuard.Tests.Support.KubernetesApi;

/// <summary>Which objects a path means: <c>/api/v1/…</c> or <c>/apis/group/version/…</c>.</summary>
internal sealed record RequestTarget(string Group, string Version, string Plural, string? Namespace, string? Name, string? Subresource)
{
    /// <summary>Null if the path names no resource.</summary>
    public static RequestTarget? Parse(string path)
    {
        var parts = path.Split('/', StringSplitOptions.RemoveEmptyEntries).Select(Uri.UnescapeDataString).ToArray();
        int next;
        string group, version;
        switch (parts)
        {
            case ["api", var core, _, ..]:
                (group, version, next) = (string.Empty, core, 2);
                break;
            case ["apis", var named, var served, _, ..]:
                (group, version, next) = (named, served, 3);
                break;
            default:
                return null;
        }

        string? space = null;
        if (parts[next] == "namespaces" && parts.Length > next + 2 && !(group.Length == 0 && parts[next + 2] is "status" or "finalize"))
        {
            space = parts[next + 1];
            next += 2;
        }

        return parts.Length - next > 3
            ? null
            : new(group, version, parts[next], space, parts.ElementAtOrDefault(next + 1), parts.ElementAtOrDefault(next + 2));
    }
}
