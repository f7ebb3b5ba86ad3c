using System.Globalization;
using Orleans.WireGuard.Tests.Unit.Deploy;
using YamlDotNet.RepresentationModel;

namespace Orleans.WireGuard.Tests.EndToEnd.Image;

/// <summary>What a DaemonSet says of its pods, as far as a kubelet acts on it.</summary>
/// <remarks>A key that is not read here is an error, so that nothing of a manifest is passed over in silence.</remarks>
/// <param name="Name">The DaemonSet's.</param>
/// <param name="GracePeriod">From SIGTERM to SIGKILL.</param>
/// <param name="Containers">In order.</param>
/// <param name="Volumes">By name.</param>
/// <param name="HasToken">Whether the kubelet mounts a token of the service account.</param>
internal sealed record PodManifest(
    string Name,
    TimeSpan GracePeriod,
    IReadOnlyList<ContainerManifest> Containers,
    IReadOnlyDictionary<string, YamlMappingNode> Volumes,
    bool HasToken)
{
    // What decides where pods are, and not what they may do.
    private static readonly string[] ForTheScheduler = ["priorityClassName", "nodeSelector", "tolerations", "dnsPolicy", "serviceAccountName"];

    /// <summary>Reads a DaemonSet.</summary>
    public static PodManifest Read(YamlMappingNode daemonSet)
    {
        var pod = (YamlMappingNode)Manifests.At(daemonSet, "spec", "template", "spec");
        Strictly(
            pod, ["hostNetwork", "terminationGracePeriodSeconds", "securityContext", "containers", "volumes", "automountServiceAccountToken", .. ForTheScheduler]);
        Assert.Equal("true", Manifests.Text(pod, "hostNetwork"));
        var security = (YamlMappingNode)pod["securityContext"];
        Strictly(security, ["seccompProfile"]);
        Assert.Equal("RuntimeDefault", Manifests.Text(security, "seccompProfile", "type"));
        return new PodManifest(
            Manifests.Text(daemonSet, "metadata", "name"),
            Seconds(pod, "terminationGracePeriodSeconds"),
            [.. ((YamlSequenceNode)pod["containers"]).Select(container => ContainerManifest.Read((YamlMappingNode)container))],
            ((YamlSequenceNode)pod["volumes"]).Cast<YamlMappingNode>().ToDictionary(volume => Manifests.Text(volume, "name")),
            !pod.Children.ContainsKey("automountServiceAccountToken") || Manifests.Text(pod, "automountServiceAccountToken") == "true");
    }

    /// <summary>A number of seconds.</summary>
    public static TimeSpan Seconds(YamlNode node, string key) =>
        TimeSpan.FromSeconds(int.Parse(Manifests.Text(node, key), CultureInfo.InvariantCulture));

    /// <summary>Fails if there is any other key.</summary>
    public static void Strictly(YamlMappingNode node, params string[] known) => Assert.All(
        node.Children.Keys.Select(key => ((YamlScalarNode)key).Value!),
        key => Assert.True(known.Contains(key), $"The manifest has '{key}', which this test does not act on: teach it."));
}
