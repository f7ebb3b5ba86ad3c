using System.Globalization;
using System.Reflection;
using System.Text.RegularExpressions;
using Orleans.WireGuard.Api;
using Orleans.WireGuard.Silo.Agent;
using Orleans.WireGuard.Silo.Hosting;
using Orleans.WireGuard.Silo.Nodes;
using Orleans.WireGuard.Tests.Support;
using YamlDotNet.RepresentationModel;

namespace Orleans.WireGuard.Tests.Unit.Deploy;

/// <summary>What an operator applies is well-formed, safe and fits the code.</summary>
public sealed partial class ManifestTests
{
    private const string Prefixes = "orleans-wireguard-prefixes";

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public static TheoryData<string> Overlays() =>
        [.. Directory.GetDirectories(Path.Combine(TestData.Root, "deploy", "overlays"))
            .Select(path => Path.GetFileName(path)!).Order(StringComparer.Ordinal)];

    [Fact]
    public void Files_All_HaveKindAndVersion()
    {
        Assert.True(Manifests.Files.Count > 10, "the files were not found");
        Assert.All(Manifests.Files.SelectMany(file => Manifests.Parse(File.ReadAllText(file))), document =>
        {
            Assert.NotEmpty(Manifests.Text(document, "kind"));
            Assert.NotEmpty(Manifests.Text(document, "apiVersion"));
        });
    }

    // What the code asks for is what ApiResource names; the verbs are told by the folders' READMEs, and the end-to-end tests run with them.
    [Fact]
    public void Rbac_Rules_AreWhatTheCodeNeeds()
    {
        Assert.Equal(
            ["coordination.k8s.io leases: list create patch delete", "orleans.wireguard orleansclusters: get create update watch"],
            Rules("Role").Order(StringComparer.Ordinal));
        Assert.Equal(
            [" nodes: list watch patch", "cilium.io ciliumnodes: list watch patch"], Rules("ClusterRole").Order(StringComparer.Ordinal));
        Assert.Equal(["acn.azure.com nodenetworkconfigs: list watch"], Rules("Role", Prefixes));

        // What a Role allows it allows in one namespace, which is where the code looks; an overlay must not move it.
        Assert.Equal(ApiResource.NodeNetworkConfigs.Namespace, Manifests.Text(Manifests.Base("Role", Prefixes), "metadata", "namespace"));
        Assert.Equal(ApiResource.NodeNetworkConfigs.Namespace, Manifests.Text(Manifests.Base("RoleBinding", Prefixes), "metadata", "namespace"));
        var named = typeof(ApiResource).GetProperties(BindingFlags.Static | BindingFlags.Public)
            .Select(property => property.GetValue(null)).OfType<ApiResource>().Select(resource => resource.Plural);
        Assert.Equal(named.Order(StringComparer.Ordinal), Rules("Role").Concat(Rules("Role", Prefixes)).Concat(Rules("ClusterRole"))
            .Select(rule => rule.Split(' ')[1].TrimEnd(':')).Order(StringComparer.Ordinal));
        foreach (var (readme, rules) in (IEnumerable<(string, IEnumerable<string>)>)[
            ("Silo/Kubernetes/README.md", Rules("Role")), ("Silo/Nodes/README.md", Rules("ClusterRole").Concat(Rules("Role", Prefixes)))])
        {
            var text = File.ReadAllText(Path.Combine(TestData.Root, readme));
            Assert.All(rules, rule => Assert.Contains(
                $"`{rule.Split(' ')[1].TrimEnd(':')}` | {string.Join(", ", rule.Split(' ')[2..])} |", text, StringComparison.Ordinal));
        }
    }

    [Fact]
    public void DaemonSet_Container_HasNetAdminAndNothingElse()
    {
        var pod = Manifests.At(Manifests.Base("DaemonSet"), "spec", "template", "spec");
        Assert.Equal("true", Manifests.Text(pod, "hostNetwork"));
        Assert.Equal("system-node-critical", Manifests.Text(pod, "priorityClassName"));
        Assert.Equal("Exists", Manifests.Text(((YamlSequenceNode)pod["tolerations"])[0], "operator"));
        var context = Manifests.Container["securityContext"];
        Assert.Equal("true", Manifests.Text(context, "readOnlyRootFilesystem"));
        Assert.Equal("false", Manifests.Text(context, "allowPrivilegeEscalation"));
        Assert.Equal(["ALL"], Manifests.Texts(context["capabilities"], "drop"));
        Assert.Equal(["NET_ADMIN"], Manifests.Texts(context["capabilities"], "add"));
        var grace = int.Parse(Manifests.Text(pod, "terminationGracePeriodSeconds"), CultureInfo.InvariantCulture);
        Assert.True(TimeSpan.FromSeconds(grace) > SiloDefaults.ShutdownTimeout
            + TimeSpan.FromSeconds(1), "the kubelet would kill a silo that says goodbye");
    }

    [Theory]
    [InlineData("startupProbe", "/healthz")]
    [InlineData("livenessProbe", "/healthz")]
    [InlineData("readinessProbe", "/readyz")]
    public void DaemonSet_Probes_GoWhereTheSiloListens(string probe, string path)
    {
        var get = Manifests.Container[probe]["httpGet"];
        Assert.Equal((string?)Manifests.Configuration["Web"]!["Address"], Manifests.Text(get, "host"));
        Assert.Equal(((int)Manifests.Configuration["Web"]!["Port"]!).ToString(CultureInfo.InvariantCulture), Manifests.Text(get, "port"));
        Assert.Equal(path, Manifests.Text(get, "path"));
    }

    [Fact]
    public void DaemonSet_Variables_AreThoseTheSiloReads()
    {
        var variables = ((YamlSequenceNode)Manifests.Container["env"]).Select(item => Manifests.Text(item, "name"));
        Assert.Equal(["OWG_CONFIG", NodeOptions.NameVariable, NodeOptions.AddressVariable, "DOTNET_EnableDiagnostics"], variables);
    }

    [Theory]
    [MemberData(nameof(Overlays))]
    public async Task Overlay_Kustomize_IsValid(string overlay)
    {
        await Kubectl.SkipUnlessItKnowsComponentsAsync();
        var (code, output) = await Kubectl.RunAsync(null, ["kustomize", "deploy/overlays/" + overlay]);
        Assert.True(code == 0, output);
        var kinds = Manifests.Parse(output).Select(document => Manifests.Text(document, "kind")).ToHashSet();
        Assert.Superset(
            new HashSet<string> { "Namespace", "CustomResourceDefinition", "ServiceAccount", "Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding", "ConfigMap", "DaemonSet" },
            kinds);

        // Wherever the rest is: what Azure assigns is in kube-system.
        var spaces = Manifests.Parse(output).Where(document => Manifests.Text(document, "kind") is "Role" or "RoleBinding")
            .Select(document => $"{Manifests.Text(document, "metadata", "name")} in {Manifests.Text(document, "metadata", "namespace")}");
        Assert.Equal(["orleans-wireguard in orleans-wireguard", $"{Prefixes} in kube-system"], spaces.Distinct().Order(StringComparer.Ordinal));
        Assert.NotEqual(0, (await Kubectl.RunAsync(null, ["kustomize", "deploy/overlays"])).Code);
    }

    // A roll-out of silos must not end a device, nor may anything but its own pod be needed for it.
    [Fact]
    public async Task Userspace_Devices_AreADaemonSetOfTheirOwn()
    {
        await Kubectl.SkipUnlessItKnowsComponentsAsync();
        var (code, output) = await Kubectl.RunAsync(null, ["kustomize", "deploy/overlays/userspace"]);
        Assert.True(code == 0, output);
        var sets = Manifests.Parse(output).Where(document => Manifests.Text(document, "kind") == "DaemonSet")
            .ToDictionary(document => Manifests.Text(document, "metadata", "name"));
        var devices = sets["orleans-wireguard-device"];
        Assert.Equal("OnDelete", Manifests.Text(devices, "spec", "updateStrategy", "type"));
        var pod = Manifests.At(devices, "spec", "template", "spec");
        Assert.Equal("false", Manifests.Text(pod, "automountServiceAccountToken"));
        Assert.Equal(
            SlotDevices.Slots(Slot.Count).Select(DeviceNames.Default.Of),
            ((YamlSequenceNode)pod["containers"]).Select(container => Manifests.Texts(container, "args").Last()));
        var silo = Assert.Single((YamlSequenceNode)Manifests.At(sets["orleans-wireguard"], "spec", "template", "spec", "containers"));
        Assert.All((YamlSequenceNode)pod["containers"], container =>
        {
            Assert.Equal(silo["securityContext"], container["securityContext"]);
            Assert.Equal(Manifests.Text(silo, "image"), Manifests.Text(container, "image"));
        });
        Assert.Equal(["/etc/orleans-wireguard", "/var/run/wireguard"], ((YamlSequenceNode)silo["volumeMounts"])
            .Select(mount => Manifests.Text(mount, "mountPath")));
        Assert.Equal(
            Manifests.Text(Manifests.At(Manifests.Base("DaemonSet"), "spec", "updateStrategy", "rollingUpdate"), "maxUnavailable"),
            Manifests.Text(Manifests.At(sets["orleans-wireguard"], "spec", "updateStrategy", "rollingUpdate"), "maxUnavailable"));
    }

    [Fact]
    public async Task Cleanup_Kustomize_IsOneDaemonSetWithASilosRights()
    {
        var folder = Path.Combine(TestData.Root, "deploy", "cleanup");
        var set = Assert.Single(Manifests.Parse(await File.ReadAllTextAsync(Path.Combine(folder, "daemonset.yaml"), Token)));
        var pod = Manifests.At(set, "spec", "template", "spec");
        Assert.Equal(Manifests.Text(Manifests.At(
            Manifests.Base("DaemonSet"), "spec", "template", "spec"), "serviceAccountName"), Manifests.Text(pod, "serviceAccountName"));
        foreach (var (part, arguments) in (IEnumerable<(string, string[])>)[("initContainers", ["cleanup"]), ("containers", [
            "cleanup", "--stay"])])
        {
            var container = Assert.Single((YamlSequenceNode)pod[part]);
            Assert.Equal(arguments, Manifests.Texts(container, "args"));
            Assert.Equal(["OWG_CONFIG", NodeOptions.NameVariable, "DOTNET_EnableDiagnostics"], ((YamlSequenceNode)container["env"])
                .Select(item => Manifests.Text(item, "name")));
            Assert.Equal(Manifests.Container["securityContext"], container["securityContext"]);
        }

        await Kubectl.SkipUnlessItKnowsComponentsAsync();
        var (code, output) = await Kubectl.RunAsync(null, ["kustomize", "deploy/cleanup"]);
        Assert.True(code == 0, output);
    }

    // The name of the settings is a hash of them. So a change restarts the pods, and `kubectl rollout undo`, which brings the former
    // template back, brings the settings back that it names.
    [Fact]
    public async Task Settings_Changed_AreAnotherConfigMapOfAnotherTemplate()
    {
        await Kubectl.SkipUnlessItKnowsComponentsAsync();
        using var copy = new DeployCopy();
        var (first, again) = (await SettingsOfAsync(copy, "overlays/aks"), await SettingsOfAsync(copy, "overlays/aks"));
        Assert.Equal(first, again);
        Assert.Matches("^orleans-wireguard-[a-z0-9]{10}$", first.Name);
        Assert.Equal(Manifests.ConfigurationText, first.Content);
        var changed = Manifests.ConfigurationText.Replace("\"Strict\"", "\"Permissive\"", StringComparison.Ordinal);
        Assert.NotEqual(Manifests.ConfigurationText, changed);
        copy.Write("base/settings/owg.json", changed);
        var second = await SettingsOfAsync(copy, "overlays/aks");
        Assert.Equal(changed, second.Content);
        Assert.NotEqual(first.Name, second.Name);

        // Of the clean-up too, which has to find routing table, nodes and API server where the silos had them.
        Assert.Equal(second, await SettingsOfAsync(copy, "cleanup"));
    }

    // As deploy/README.md shows it, word for word.
    [Theory]
    [InlineData("overlays/aks")]
    [InlineData("cleanup")]
    public async Task Settings_OfAnOverlay_TakeThePlaceOfTheBases(string below)
    {
        await Kubectl.SkipUnlessItKnowsComponentsAsync();
        using var copy = new DeployCopy();
        var shown = OverlayBlock().Match(await File.ReadAllTextAsync(RepositoryFiles.Find("deploy/README.md"), Token)).Groups[1].Value;
        Assert.Contains("- ../aks\n", shown, StringComparison.Ordinal);
        copy.Write("overlays/mine/kustomization.yaml", shown.Replace("- ../aks\n", $"- ../../{below}\n", StringComparison.Ordinal));
        copy.Write("overlays/mine/owg.json", """{ "$version": "0.1", "Rotation": { "Period": "00:10:00" } }""");
        var settings = await SettingsOfAsync(copy, "overlays/mine");
        Assert.Contains("00:10:00", settings.Content, StringComparison.Ordinal);
        Assert.NotEqual((await SettingsOfAsync(copy, below)).Name, settings.Name);
    }

    // The settings of an overlay: the one ConfigMap, which the one DaemonSet has to name.
    private static async Task<(string Name, string Content)> SettingsOfAsync(DeployCopy copy, string overlay)
    {
        var (code, output) = await Kubectl.RunAsync(null, ["kustomize", Path.Combine(copy.Root, overlay)]);
        Assert.True(code == 0, output);
        var documents = Manifests.Parse(output).ToLookup(document => Manifests.Text(document, "kind"));
        var map = Assert.Single(documents["ConfigMap"]);
        Assert.Equal("orleans-wireguard", Manifests.Text(map, "metadata", "namespace"));
        var volume = ((YamlSequenceNode)Manifests.At(Assert.Single(documents["DaemonSet"]), "spec", "template", "spec", "volumes"))
            .Single(item => Manifests.Text(item, "name") == "configuration");
        var name = Manifests.Text(map, "metadata", "name");
        Assert.Equal(name, Manifests.Text(volume, "configMap", "name"));
        return (name, Manifests.Text(map, "data", "owg.json"));
    }

    [GeneratedRegex("```yaml\n(# deploy/overlays/mine/kustomization.yaml\n.*?)```", RegexOptions.Singleline)]
    private static partial Regex OverlayBlock();

    private static IEnumerable<string> Rules(string kind, string name = "orleans-wireguard") =>
        ((YamlSequenceNode)Manifests.Base(kind, name)["rules"]).SelectMany(rule =>
        from texts in Manifests.Texts(rule, "apiGroups")
        from resource in Manifests.Texts(
            rule, "resources")
        select $"{texts} {resource}: {string.Join(' ', Manifests.Texts(rule, "verbs"))}");
}
