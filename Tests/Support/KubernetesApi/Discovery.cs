using System.Text.Json.Nodes;

namespace Orleans.WireGuard.Tests.Support.KubernetesApi;

/// <summary>The documents by which <c>kubectl</c> learns what a server has: versions, groups and resources.</summary>
internal static class Discovery
{
    /// <summary>Null if <paramref name="path"/> is no discovery document.</summary>
    public static JsonNode? TryAnswer(Registry registry, string path)
    {
        var parts = path.Split('/', StringSplitOptions.RemoveEmptyEntries);
        return parts switch
        {
            ["version"] => new JsonObject { ["major"] = "1", ["minor"] = "36", ["gitVersion"] = "v1.36.0-test" },
            ["healthz" or "livez" or "readyz"] => JsonValue.Create("ok"),
            ["api"] => new JsonObject { ["kind"] = "APIVersions", ["versions"] = new JsonArray("v1") },
            ["apis"] => Groups(registry),
            ["api", var version] => Resources(registry, string.Empty, version),
            ["apis", var group, var version] => Resources(registry, group, version),
            _ => null,
        };
    }

    private static JsonObject Groups(Registry registry)
    {
        var groups = registry.Types.Where(type => type.Group.Length > 0).GroupBy(type => type.Group).Select(group =>
        {
            var versions = group.Select(type => type.Version).Distinct()
                .Select(version => new JsonObject { ["groupVersion"] = $"{group.Key}/{version}", ["version"] = version }).ToArray();
            return new JsonObject
            {
                ["name"] = group.Key,
                ["versions"] = new JsonArray([.. versions]),
                ["preferredVersion"] = versions[0].DeepClone(),
            };
        });
        return new JsonObject { ["kind"] = "APIGroupList", ["apiVersion"] = "v1", ["groups"] = new JsonArray([.. groups]) };
    }

    private static JsonObject? Resources(Registry registry, string group, string version)
    {
        var types = registry.Types.Where(type => type.Group == group && type.Version == version).ToList();
        return types.Count == 0 ? null : new JsonObject
        {
            ["kind"] = "APIResourceList",
            ["apiVersion"] = "v1",
            ["groupVersion"] = types[0].ApiVersion,
            ["resources"] = new JsonArray([.. types.Select(type => new JsonObject
            {
                ["name"] = type.Plural,
                ["singularName"] = type.Singular,
                ["namespaced"] = type.Namespaced,
                ["kind"] = type.Kind,
                ["verbs"] = new JsonArray("create", "delete", "get", "list", "patch", "update", "watch"),
                ["shortNames"] = new JsonArray([.. type.ShortNames.Select(name => JsonValue.Create(name))]),
            })]),
        };
    }
}
