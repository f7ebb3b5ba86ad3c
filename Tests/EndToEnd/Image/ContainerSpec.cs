using System.Text.Json.Nodes;

namespace Orleans.WireGuard.Tests.EndToEnd.Image;

/// <summary>What a kubelet and its container runtime make of a manifest for runc. Pure.</summary>
internal static class ContainerSpec
{
    /// <summary>Changes what containerd makes by itself, with its filter of system calls, into what the manifest asks for.</summary>
    /// <param name="template">As <c>ctr containers info</c> has it, for this image.</param>
    /// <param name="container">The manifest's.</param>
    /// <param name="variables">Those of the service account and of the pod's fields, such as <c>$spec.nodeName</c>.</param>
    /// <param name="sources">What is mounted, by volume.</param>
    /// <param name="rootDirectory">The image's file system.</param>
    /// <param name="networkNamespace">The node's.</param>
    /// <param name="group">Name of its control group.</param>
    public static JsonObject Build(
        JsonNode template,
        ContainerManifest container,
        IReadOnlyDictionary<string, string> variables,
        IReadOnlyDictionary<string, string> sources,
        string rootDirectory,
        string networkNamespace,
        string group)
    {
        var spec = template.DeepClone().AsObject();
        var process = spec["process"]!.AsObject();
        process["args"] = Array(container.Arguments);
        process["env"] = Array([
            .. process["env"]!.AsArray().Select(item => (string)item!),
            .. variables.Where(variable => !variable.Key.StartsWith('$')).Select(variable => $"{variable.Key}={variable.Value}"),
            .. container.Variables.Select(variable =>
                $"{variable.Key}={(variable.Value.StartsWith('$') ? variables[variable.Value] : variable.Value)}"),
        ]);
        process["user"] = new JsonObject { ["uid"] = container.User.User, ["gid"] = container.User.Group };
        process["noNewPrivileges"] = !container.MayGainPrivileges;
        process["capabilities"] = new JsonObject(((string[])["bounding", "effective", "permitted"])
            .Select(set => KeyValuePair.Create(set, (JsonNode?)Array(container.Capabilities))));
        spec["root"] = new JsonObject { ["path"] = rootDirectory, ["readonly"] = container.IsRootReadOnly };

        // Unlike ctr, Kubernetes' part of containerd gives no /run of its own.
        spec["mounts"] = new JsonArray([
            .. spec["mounts"]!.AsArray().Where(mount => (string?)mount!["destination"] != "/run").Select(mount => mount!.DeepClone()),
            .. container.Mounts.Select(mount => Bind(sources[mount.Volume], mount.Path, mount.IsReadOnly)),
            .. sources.TryGetValue(TokenVolume, out var token) ? (JsonObject[])[Bind(token, TokenDirectory, isReadOnly: true)] : [],
        ]);
        var linux = spec["linux"]!.AsObject();
        linux["cgroupsPath"] = "/" + group;

        // What a device may be used is for runc to say, as on a node: ctr adds rules of its own.
        linux["resources"]!["devices"] = new JsonArray(new JsonObject { ["allow"] = false, ["access"] = "rwm" });
        linux["resources"]!["memory"] = new JsonObject { ["limit"] = container.MemoryLimit };
        linux["resources"]!["cpu"] = new JsonObject { ["shares"] = container.CpuShares };
        linux["namespaces"] = new JsonArray([
            .. linux["namespaces"]!.AsArray().Where(item => (string?)item!["type"] != "network").Select(item => item!.DeepClone()),
            new JsonObject { ["type"] = "network", ["path"] = networkNamespace },
        ]);
        return spec;
    }

    /// <summary>The key of the token in the sources, which the kubelet adds to a pod's volumes.</summary>
    public const string TokenVolume = "kube-api-access";

    private const string TokenDirectory = "/var/run/secrets/kubernetes.io/serviceaccount";

    private static JsonArray Array(IEnumerable<string> items) => [.. items.Select(item => (JsonNode)item)];

    private static JsonObject Bind(string source, string destination, bool isReadOnly) => new()
    {
        ["destination"] = destination,
        ["type"] = "bind",
        ["source"] = source,
        ["options"] = Array(["rbind", "rprivate", isReadOnly ? "ro" : "rw"]),
    };
}
