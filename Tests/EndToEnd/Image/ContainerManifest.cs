using System.Globalization;
using Orleans.WireGuard.Tests.Unit.Deploy;
using YamlDotNet.RepresentationModel;

namespace Orleans.WireGuard.Tests.EndToEnd.Image;

/// <summary>A container of a <see cref="PodManifest"/>.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Arguments">Program and arguments.</param>
/// <param name="Variables">Values, and those that come from the pod's fields as <c>$spec.nodeName</c>.</param>
/// <param name="Mounts">Volume, path, and whether it is read-only.</param>
/// <param name="Capabilities">All that there are, such as <c>CAP_NET_ADMIN</c>.</param>
/// <param name="User">User and group.</param>
/// <param name="IsRootReadOnly">Whether its root file system is.</param>
/// <param name="MayGainPrivileges">Whether no_new_privs is off.</param>
/// <param name="MemoryLimit">In bytes.</param>
/// <param name="CpuShares">As the kubelet makes them of the request.</param>
/// <param name="Probes">By name; none of a container that has none.</param>
internal sealed record ContainerManifest(
    string Name,
    IReadOnlyList<string> Arguments,
    IReadOnlyDictionary<string, string> Variables,
    IReadOnlyList<(string Volume, string Path, bool IsReadOnly)> Mounts,
    IReadOnlyList<string> Capabilities,
    (int User, int Group) User,
    bool IsRootReadOnly,
    bool MayGainPrivileges,
    long MemoryLimit,
    long CpuShares,
    IReadOnlyDictionary<string, HttpProbe> Probes)
{
    private static readonly string[] ProbeNames = ["startupProbe", "readinessProbe", "livenessProbe"];

    /// <summary>Reads a container.</summary>
    public static ContainerManifest Read(YamlMappingNode node)
    {
        PodManifest.Strictly(
            node, ["name", "image", "imagePullPolicy", "command", "args", "env", "securityContext", "resources", "volumeMounts", .. ProbeNames]);
        var security = (YamlMappingNode)node["securityContext"];
        PodManifest.Strictly(security, "runAsUser", "runAsGroup", "allowPrivilegeEscalation", "readOnlyRootFilesystem", "capabilities");

        // Of what a runtime gives by default nothing is left, so what is added is all.
        Assert.Equal(["ALL"], Manifests.Texts(security["capabilities"], "drop"));
        return new ContainerManifest(
            Manifests.Text(node, "name"),
            [.. Manifests.Texts(node, "command"), .. Manifests.Texts(node, "args")],
            ((YamlSequenceNode)node["env"]).Cast<YamlMappingNode>().ToDictionary(item => Manifests.Text(item, "name"), Value),
            [.. ((YamlSequenceNode)node["volumeMounts"]).Cast<YamlMappingNode>().Select(Mount)],
            [.. Manifests.Texts(security["capabilities"], "add").Select(name => "CAP_" + name)],
            (Number(security, "runAsUser"), Number(security, "runAsGroup")),
            IsTrue(security, "readOnlyRootFilesystem"),
            IsTrue(security, "allowPrivilegeEscalation"),
            Bytes(Manifests.Text(node["resources"], "limits", "memory")),
            Shares(Manifests.Text(node["resources"], "requests", "cpu")),
            ProbeNames.Where(name => node.Children.ContainsKey(name))
                .ToDictionary(name => name, name => HttpProbe.Read((YamlMappingNode)node[name])));
    }

    private static string Value(YamlMappingNode item) => item.Children.ContainsKey("value")
        ? Manifests.Text(item, "value")
        : "$" + Manifests.Text(item, "valueFrom", "fieldRef", "fieldPath");

    private static (string Volume, string Path, bool IsReadOnly) Mount(YamlMappingNode mount)
    {
        PodManifest.Strictly(mount, "name", "mountPath", "readOnly");
        return (Manifests.Text(mount, "name"), Manifests.Text(mount, "mountPath"), mount.Children.ContainsKey("readOnly") && IsTrue(mount, "readOnly"));
    }

    private static bool IsTrue(YamlNode node, string key) => bool.Parse(Manifests.Text(node, key));

    private static int Number(YamlNode node, string key) => int.Parse(Manifests.Text(node, key), CultureInfo.InvariantCulture);

    private static long Bytes(string quantity) => quantity.EndsWith("Mi", StringComparison.Ordinal)
        ? long.Parse(quantity[..^2], CultureInfo.InvariantCulture) << 20
        : throw new FormatException($"A memory limit in Mi was expected, not {quantity}.");

    // kubelet, MilliCPUToShares.
    private static long Shares(string quantity) => quantity.EndsWith('m')
        ? Math.Max(2, long.Parse(quantity[..^1], CultureInfo.InvariantCulture) * 1024 / 1000)
        : throw new FormatException($"A request of processor time in m was expected, not {quantity}.");
}

/// <summary>A probe over HTTP.</summary>
internal sealed record HttpProbe(Uri Address, TimeSpan Period, TimeSpan Timeout, int FailureThreshold)
{
    /// <summary>Reads a probe; Kubernetes' default timeout is one second.</summary>
    public static HttpProbe Read(YamlMappingNode node)
    {
        PodManifest.Strictly(node, "httpGet", "periodSeconds", "timeoutSeconds", "failureThreshold");
        var get = node["httpGet"];
        return new HttpProbe(
            new Uri($"http://{Manifests.Text(get, "host")}:{Manifests.Text(get, "port")}{Manifests.Text(get, "path")}"),
            PodManifest.Seconds(node, "periodSeconds"),
            node.Children.ContainsKey("timeoutSeconds") ? PodManifest.Seconds(node, "timeoutSeconds") : TimeSpan.FromSeconds(1),
            int.Parse(Manifests.Text(node, "failureThreshold"), CultureInfo.InvariantCulture));
    }
}
