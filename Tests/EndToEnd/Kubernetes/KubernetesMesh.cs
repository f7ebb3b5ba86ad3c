using System.Net;
using System.Text.Json.Nodes;
using Orleans.WireGuard.LocalMesh.Silos;
using Orleans.WireGuard.LocalMesh.Topology;
using Orleans.WireGuard.Tests.Support;
using Orleans.WireGuard.Tests.Support.KubernetesApi;
using Orleans.WireGuard.Tests.Unit.Deploy;
using YamlDotNet.RepresentationModel;

namespace Orleans.WireGuard.Tests.EndToEnd;

/// <summary>
/// Three nodes in network namespaces whose silos have what the DaemonSet gives them: the ConfigMap's file, the variables, and a token with
/// exactly the rights of <c>deploy/base/rbac.yaml</c>. Membership and nodes are in the API server, which listens on the underlay.
/// </summary>
public sealed class KubernetesMesh : IAsyncLifetime
{
    /// <summary>Length of an epoch.</summary>
    public static readonly TimeSpan Period = TimeSpan.FromSeconds(10);

    private MeshHarness? _mesh;
    private ApiCluster? _cluster;

    /// <summary>Namespaces and processes.</summary>
    internal MeshHarness Mesh =>
        _mesh ?? throw new InvalidOperationException("The machine cannot carry a mesh; the test should have been skipped.");

    /// <summary>The API server.</summary>
    internal ApiCluster Cluster => _cluster!;

    /// <inheritdoc/>
    public async ValueTask InitializeAsync()
    {
        if (LocalMeshCollection.ReasonToSkip is not null || Environment.GetEnvironmentVariable("KUBECONFIG") is { Length: > 0 })
        {
            return;
        }

        // A plan of its own, so that it runs beside the other meshes of this machine.
        var (plan, token) = (new MeshPlan("owgk", 3, 106, 250), TestContext.Current.CancellationToken);
        _mesh = await MeshHarness.CreateAsync(
            plan, MeshState.For(plan), TimeProvider.System, TestContext.Current.SendDiagnosticMessage, token);
        _mesh.InstallBinary(LocalMeshCollection.Binary);
        _cluster = new ApiCluster { Address = plan.HostAddress };
        await _cluster.InitializeAsync();
        foreach (var node in plan.Nodes)
        {
            await CreateNodeAsync(node);
            await File.WriteAllTextAsync(_mesh.State.SiloConfiguration(node), (await ConfigurationAsync(node)).ToJsonString(), token);
            _mesh.StartSilo(node);
        }

        await WaitReadyAsync(plan.Nodes);
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        // The server's address goes away with the mesh.
        if (_cluster is not null)
        {
            await _cluster.DisposeAsync();
        }

        if (_mesh is not null)
        {
            await _mesh.DisposeAsync();
        }
    }

    /// <summary>Skips the calling test where the mesh cannot be.</summary>
    internal static void SkipUnlessPossible()
    {
        LocalMeshCollection.SkipUnlessPossible();
        Assert.SkipWhen(
            Environment.GetEnvironmentVariable("KUBECONFIG") is { Length: > 0 },
            "would make Node objects in a real cluster, which schedules pods on them");
    }

    /// <summary>Waits for silos.</summary>
    internal Task WaitReadyAsync(IReadOnlyList<NodePlan> nodes) =>
        new MeshStarter(Mesh, TimeProvider.System, TestContext.Current.SendDiagnosticMessage)
            .WaitReadyAsync(nodes, TestContext.Current.CancellationToken);

    /// <summary>Makes the node's object.</summary>
    internal Task CreateNodeAsync(NodePlan node) => CreateNodeAsync(node, node.Address.ToString(), node.PodCIDR.ToString());

    /// <summary>Makes the node's object with another address and pod CIDR, or with none.</summary>
    internal Task CreateNodeAsync(NodePlan node, string? address, string? prefix) => Cluster.PostAsync("api/v1/nodes", new JsonObject
    {
        ["metadata"] = new JsonObject { ["name"] = node.Name },
        ["spec"] = prefix is null ? [] : new JsonObject { ["podCIDR"] = prefix, ["podCIDRs"] = new JsonArray(prefix) },
        ["status"] = address is null
            ? []
            : new JsonObject { ["addresses"] = new JsonArray(new JsonObject { ["type"] = "InternalIP", ["address"] = address }) },
    });

    /// <summary>Makes the node's object with other addresses.</summary>
    internal Task CreateNodeAsync(NodePlan node, IEnumerable<string> addresses) => Cluster.PostAsync("api/v1/nodes", new JsonObject
    {
        ["metadata"] = new JsonObject { ["name"] = node.Name },
        ["spec"] = new JsonObject { ["podCIDR"] = node.PodCIDR.ToString(), ["podCIDRs"] = new JsonArray(node.PodCIDR.ToString()) },
        ["status"] = new JsonObject
        {
            ["addresses"] = new JsonArray(
                [.. addresses.Select(address => new JsonObject { ["type"] = "InternalIP", ["address"] = address })]),
        },
    });

    /// <summary>The node's annotation; null if there is none.</summary>
    internal async Task<string?> AnnotationAsync(NodePlan node)
    {
        var (code, text) = await Cluster.SendAsync(HttpMethod.Get, $"api/v1/nodes/{node.Name}");
        Assert.True(code == HttpStatusCode.OK, text);
        return (string?)JsonNode.Parse(text)!["metadata"]!["annotations"]?["network.cilium.io/wg-pub-key"];
    }

    /// <summary>For how many other nodes a node has a peer: on either device, because one that is idle has none.</summary>
    internal static async Task<int> PeersAsync(MeshHarness mesh, NodePlan node) =>
        (await ShowAsync(mesh, node, "allowed-ips")).Split('\n', StringSplitOptions.RemoveEmptyEntries)
            .Select(line => line.Split('\t')[^1]).Distinct().Count();

    /// <summary>
    /// What <c>wg show</c> says of the peers of both devices of a node: lines of a device, a key and the value, such as the peer's prefix.
    /// </summary>
    internal static async Task<string> ShowAsync(MeshHarness mesh, NodePlan node, string what) =>
        (await mesh.RunAsync(node, TestContext.Current.CancellationToken, "wg", "show", "all", what)).EnsureSuccess().Output;

    /// <summary>What <c>owg status</c> says on a node.</summary>
    internal async Task<MeshStatus> StatusAsync(NodePlan node)
    {
        var (status, problem) = await MeshStatusReader.ReadAsync(Mesh, node, TestContext.Current.CancellationToken);
        Assert.True(status is not null, problem);
        return status;
    }

    /// <summary>The ConfigMap's file, with what differs between a cluster and this machine.</summary>
    internal Task<JsonObject> ConfigurationAsync(NodePlan node) => ConfigurationAsync(Mesh, Cluster, node, Period);

    /// <inheritdoc cref="ConfigurationAsync(NodePlan)"/>
    internal static async Task<JsonObject> ConfigurationAsync(MeshHarness mesh, ApiCluster cluster, NodePlan node, TimeSpan period)
    {
        var token = await cluster.CreateUserAsync([
            .. Rules("Role", cluster.Namespace), .. Rules("Role", "kube-system", "orleans-wireguard-prefixes"), .. Rules("ClusterRole", null)]);
        var configuration = Manifests.Configuration;

        // The harness starts silos without HOST_IP; Run_SecondSiloOfAName_GivesWay has it.
        configuration["Node"]!["Address"] = node.Address.ToString();
        configuration["Kubernetes"]!["Address"] = cluster.Server.Address.ToString();
        configuration["Kubernetes"]!["TokenFile"] = cluster.WriteToken(token);
        configuration["Kubernetes"]!["CertificateAuthorityFile"] = cluster.AuthorityFile;
        configuration["Kubernetes"]!["Namespace"] = cluster.Namespace;
        configuration["Rotation"]!["Period"] = period.ToString("c");
        configuration["Device"]!["StartUserspace"] = true;
        configuration["Web"]!["Address"] = mesh.Plan.WebAddress(node).ToString();
        configuration["Web"]!["Port"] = MeshPlan.WebPort;
        return configuration;
    }

    private static IEnumerable<AccessRule> Rules(string kind, string? space, string name = "orleans-wireguard") =>
        ((YamlSequenceNode)Manifests.Base(kind, name)["rules"]).SelectMany(rule =>
        from texts in Manifests.Texts(rule, "apiGroups")
        from resource in Manifests.Texts(rule, "resources")
        select new AccessRule(texts, resource, [.. Manifests.Texts(rule, "verbs")], space));
}
