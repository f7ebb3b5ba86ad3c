using Orleans.WireGuard.Tests.EndToEnd.Cni;
using Orleans.WireGuard.Tests.Support;
using YamlDotNet.RepresentationModel;

namespace Orleans.WireGuard.Tests.Unit.Deploy;

/// <summary>What an overlay sets is what its cluster of the zoo was shown to work with.</summary>
public sealed class CniOverlayTests
{
    public static TheoryData<string> Kinds => [.. CniKinds.All.Where(kind => kind.Overlay is not null).Select(kind => kind.Name)];

    [Theory]
    [MemberData(nameof(Kinds))]
    public async Task Overlay_Settings_AreThoseOfItsKind(string name)
    {
        await Kubectl.SkipUnlessItKnowsComponentsAsync();
        var kind = CniKinds.Get(name);
        var (code, output) = await Kubectl.RunAsync(null, ["kustomize", "deploy/overlays/" + kind.Overlay]);
        Assert.True(code == 0, output);
        var set = Manifests.Parse(output).Single(document => Manifests.Text(document, "kind") == "DaemonSet"
            && Manifests.Text(document, "metadata", "name") == "orleans-wireguard");
        var container = ((YamlSequenceNode)Manifests.At(set, "spec", "template", "spec", "containers"))[0];
        var variables = Variables(container);
        foreach (var variable in Variables(Manifests.Container).Keys)
        {
            variables.Remove(variable);
        }

        Assert.Equal(kind.Settings.Keys.Order(StringComparer.Ordinal), variables.Keys.Order(StringComparer.Ordinal));
        Assert.All(
            kind.Settings.Where(setting => !kind.OfEachCluster.Contains(setting.Key)),
            setting => Assert.Equal(setting.Value, variables[setting.Key]));
        Assert.All(kind.OfEachCluster, variable => Assert.True(IPPrefix.TryParse(variables[variable], out _), variables[variable]));
    }

    // An overlay that no cluster was run with is a promise.
    [Theory]
    [InlineData("aks")]
    [InlineData("eks")]
    [InlineData("k3s")]
    [InlineData("calico")]
    [InlineData("cilium")]
    public void Overlay_OfACloud_HasAKindInTheZoo(string overlay) =>
        Assert.Contains(overlay, CniKinds.All.Select(kind => kind.Overlay));

    private static Dictionary<string, string> Variables(YamlNode container) => ((YamlSequenceNode)container["env"])
        .ToDictionary(
            item => Manifests.Text(item, "name"),
            item => ((YamlMappingNode)item).Children.TryGetValue("value", out var value) ? ((YamlScalarNode)value).Value! : "");
}
