using System.Net;
using System.Text.Json.Nodes;
using k8s;
using k8s.Models;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.EndToEnd;

/// <summary>
/// A cluster with the policy of <c>deploy/components/own-node</c>, two nodes of each kind, and tokens of silos that may do anything with
/// nodes as far as RBAC goes.
/// </summary>
public sealed class OwnNodePolicyFixture : IAsyncLifetime
{
    private const string Policies = "apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies";
    private const string Definitions = "apis/apiextensions.k8s.io/v1/customresourcedefinitions";
    private const string Rbac = "apis/rbac.authorization.k8s.io/v1";

    private readonly string _name = $"owg-policy-{Guid.NewGuid():N}"[..24];
    private bool _ownsDefinition;

    internal ApiCluster Cluster { get; } = new();

    /// <summary>Why the cases cannot run on this server; null if they can.</summary>
    internal string? Obstacle { get; private set; }

    /// <summary>A token of the silo on <see cref="OwnNode"/>, bound to its pod as the kubelet's are.</summary>
    internal string Silo { get; private set; } = "";

    /// <summary>Of a pod that no node runs.</summary>
    internal string Unscheduled { get; private set; } = "";

    /// <summary>Bound to nothing.</summary>
    internal string Unbound { get; private set; } = "";

    /// <summary>Of a pod that is gone.</summary>
    internal string Dead { get; private set; } = "";

    /// <summary>Of another account with the same rights.</summary>
    internal string Stranger { get; private set; } = "";

    internal string OwnNode => _name + "-own";

    internal string OtherNode => _name + "-other";

    /// <inheritdoc/>
    public async ValueTask InitializeAsync()
    {
        await Cluster.InitializeAsync();
        if (!Cluster.IsReal)
        {
            Cluster.Server.Registry.Admit = new AdmissionPolicies(Cluster.Server.Registry).Admit;
        }
        else if ((Obstacle = await FindObstacleAsync()) is not null)
        {
            return;
        }

        _ownsDefinition =
            (await Cluster.SendAsync(HttpMethod.Post, Definitions, JsonNode.Parse(CiliumNodeDefinition))).Code == HttpStatusCode.Created;
        while ((await Cluster.SendAsync(HttpMethod.Get, "apis/cilium.io/v2/ciliumnodes")).Code == HttpStatusCode.NotFound)
        {
            await PauseAsync();
        }

        foreach (var account in (string[])["orleans-wireguard", "other"])
        {
            await CreateAsync($"api/v1/namespaces/{Cluster.Namespace}/serviceaccounts", account);
            await GrantAsync(account);
        }

        foreach (var node in (string[])[OwnNode, OtherNode])
        {
            await CreateNodeAsync("api/v1/nodes", node, """{"podCIDR":"10.9.0.0/24","podCIDRs":["10.9.0.0/24"]}""");
            await CreateNodeAsync("apis/cilium.io/v2/ciliumnodes", node, """{"ipam":{"podCIDRs":["10.9.0.0/24"]}}""");
        }

        Silo = await BindAsync("silo", OwnNode);
        Unscheduled = await BindAsync("unscheduled", null);
        Dead = await BindAsync("dead", OwnNode);
        await Cluster.SendAsync(HttpMethod.Delete, PodPath("dead"), new JsonObject { ["gracePeriodSeconds"] = 0 });
        Unbound = await TokenAsync("orleans-wireguard", null);
        Stranger = await BindAsync("stranger", OwnNode, "other");
        await InstallAsync();
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        if (Obstacle is null && Cluster.Server is not null)
        {
            await DeleteAsync($"{Policies}/{_name}");
            await DeleteAsync($"apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings/{_name}");
            foreach (var path in ((string[])[OwnNode, OtherNode])
                .SelectMany(node => (string[])[$"api/v1/nodes/{node}", $"apis/cilium.io/v2/ciliumnodes/{node}"]))
            {
                await PatchAsync(path, """{"metadata":{"finalizers":null}}""");
                await DeleteAsync(path);
            }

            foreach (var account in (string[])["orleans-wireguard", "other"])
            {
                await DeleteAsync($"{Rbac}/clusterroles/{_name}-{account}");
                await DeleteAsync($"{Rbac}/clusterrolebindings/{_name}-{account}");
            }

            if (_ownsDefinition)
            {
                await DeleteAsync($"{Definitions}/ciliumnodes.cilium.io");
            }
        }

        await Cluster.DisposeAsync();
    }

    /// <summary>A merge patch; by the administrator without a token.</summary>
    internal Task<(HttpStatusCode Code, string Text)> PatchAsync(string path, string patch, string? token = null) =>
        Cluster.SendAsync(HttpMethod.Patch, path, JsonNode.Parse(patch), token, "application/merge-patch+json");

    private static async Task PauseAsync() =>
        await Task.Delay(TimeSpan.FromMilliseconds(100), TimeProvider.System, TestContext.Current.CancellationToken);

    private async Task<string?> FindObstacleAsync()
    {
        if ((await Cluster.SendAsync(HttpMethod.Get, Policies)).Code != HttpStatusCode.OK)
        {
            return "this server has no ValidatingAdmissionPolicy v1, which came with 1.30";
        }

        var version = JsonNode.Parse((await Cluster.SendAsync(HttpMethod.Get, "version")).Text)!;
        return int.Parse(((string)version["minor"]!).TrimEnd('+'), System.Globalization.CultureInfo.InvariantCulture) < 30
            ? "tokens of this server do not name their pod's node, as they do since 1.30" : null;
    }

    // A copy of its own name, so that a cluster where it is installed keeps its own.
    private async Task InstallAsync()
    {
        var text = await File.ReadAllTextAsync(
            RepositoryFiles.Find("deploy/components/own-node/policy.yaml"), TestContext.Current.CancellationToken);
        foreach (var document in KubernetesYaml.LoadAllFromString(text))
        {
            var item = JsonNode.Parse(KubernetesJson.Serialize(document))!.AsObject();
            item["metadata"]!["name"] = _name;
            if (document is V1ValidatingAdmissionPolicyBinding)
            {
                item["spec"]!["policyName"] = _name;
            }

            await Cluster.PostAsync(document is V1ValidatingAdmissionPolicy
                ? Policies
                : "apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings", item);
        }

        // A real server follows its policies by a watch.
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(30), TimeProvider.System);
        while ((await PatchAsync($"api/v1/nodes/{OtherNode}", """{"metadata":{"labels":{"probe":"x"}}}""", Silo)).Code == HttpStatusCode.OK)
        {
            Assert.False(patience.IsCancellationRequested, "the policy is not in force after 30 s");
            await PatchAsync($"api/v1/nodes/{OtherNode}", """{"metadata":{"labels":{"probe":null}}}""");
            await PauseAsync();
        }
    }

    private async Task GrantAsync(string account)
    {
        JsonArray verbs = ["get", "create", "update", "patch", "delete"];
        await CreateAsync($"{Rbac}/clusterroles", $"{_name}-{account}", new JsonObject
        {
            ["rules"] = new JsonArray(
                new JsonObject
                {
                    ["apiGroups"] = new JsonArray(""),
                    ["resources"] = new JsonArray("nodes", "nodes/status"),
                    ["verbs"] = verbs.DeepClone()
                },
                new JsonObject
                {
                    ["apiGroups"] = new JsonArray("cilium.io"),
                    ["resources"] = new JsonArray(
                    "ciliumnodes", "ciliumnodes/status"),
                    ["verbs"] = verbs
                }),
        });
        await CreateAsync($"{Rbac}/clusterrolebindings", $"{_name}-{account}", new JsonObject
        {
            ["roleRef"] = new JsonObject
            {
                ["apiGroup"] = "rbac.authorization.k8s.io",
                ["kind"] = "ClusterRole",
                ["name"] = $"{_name}-{account}"
            },
            ["subjects"] = new JsonArray(
                new JsonObject { ["kind"] = "ServiceAccount", ["name"] = account, ["namespace"] = Cluster.Namespace }),
        });
    }

    // With something of everything that a client could change. The owner is there, or a garbage collector would take the node away.
    private async Task CreateNodeAsync(string path, string name, string spec)
    {
        var owner =
            JsonNode.Parse((await Cluster.SendAsync(HttpMethod.Get, $"api/v1/namespaces/{Cluster.Namespace}")).Text)!["metadata"]!["uid"]!;
        await Cluster.PostAsync(path, new JsonObject
        {
            ["apiVersion"] = path.StartsWith("apis", StringComparison.Ordinal) ? "cilium.io/v2" : "v1",
            ["kind"] = path.StartsWith("apis", StringComparison.Ordinal) ? "CiliumNode" : "Node",
            ["metadata"] = new JsonObject
            {
                ["name"] = name,
                ["labels"] = new JsonObject { ["kept"] = "x" },
                ["annotations"] = new JsonObject { ["kept"] = "x" },
                ["finalizers"] = new JsonArray("example.com/kept"),
                ["ownerReferences"] = new JsonArray(
                    new JsonObject
                    {
                        ["apiVersion"] = "v1",
                        ["kind"] = "Namespace",
                        ["name"] = Cluster.Namespace,
                        ["uid"] = owner.DeepClone()
                    }),
            },
            ["spec"] = JsonNode.Parse(spec),
        });
    }

    private string PodPath(string? name = null) => $"api/v1/namespaces/{Cluster.Namespace}/pods{(name is null ? "" : "/" + name)}";

    private async Task<string> BindAsync(string pod, string? node, string account = "orleans-wireguard")
    {
        var spec = new JsonObject
        {
            ["serviceAccountName"] = account,
            ["containers"] = new JsonArray(new JsonObject { ["name"] = "none", ["image"] = "none.invalid/none" }),
            ["tolerations"] = new JsonArray(new JsonObject { ["operator"] = "Exists" }),
            ["nodeSelector"] = new JsonObject { ["no-such-label"] = _name },
        };
        if (node is not null)
        {
            spec.Remove("nodeSelector");
            spec["nodeName"] = node;
        }

        var created = await CreateAsync(PodPath(), pod, new JsonObject { ["spec"] = spec });
        return await TokenAsync(account, new JsonObject
        {
            ["kind"] = "Pod",
            ["apiVersion"] = "v1",
            ["name"] = pod,
            ["uid"] = created["metadata"]!["uid"]!.DeepClone()
        });
    }

    private async Task<string> TokenAsync(string account, JsonObject? boundTo)
    {
        var request = new JsonObject
        {
            ["apiVersion"] = "authentication.k8s.io/v1",
            ["kind"] = "TokenRequest",
            ["spec"] = new JsonObject { ["boundObjectRef"] = boundTo }
        };
        var answer = await Cluster.PostAsync($"api/v1/namespaces/{Cluster.Namespace}/serviceaccounts/{account}/token", request);
        return (string)answer["status"]!["token"]!;
    }

    private async Task<JsonNode> CreateAsync(string path, string name, JsonObject? item = null)
    {
        item ??= [];
        item["metadata"] = new JsonObject { ["name"] = name };
        return await Cluster.PostAsync(path, item);
    }

    private async Task DeleteAsync(string path) => await Cluster.SendAsync(HttpMethod.Delete, path);

    // After Cilium's own, as far as the policy sees it.
    private const string CiliumNodeDefinition = """
        {"apiVersion":"apiextensions.k8s.io/v1","kind":"CustomResourceDefinition","metadata":{"name":"ciliumnodes.cilium.io"},
         "spec":{"group":"cilium.io","scope":"Cluster","names":{"kind":"CiliumNode","listKind":"CiliumNodeList","plural":"ciliumnodes","singular":"ciliumnode"},
          "versions":[{"name":"v2","served":true,"storage":true,"subresources":{"status":{}},
           "schema":{"openAPIV3Schema":{"type":"object","properties":{"spec":{"type":"object","x-kubernetes-preserve-unknown-fields":true},
                                                                      "status":{"type":"object","x-kubernetes-preserve-unknown-fields":true}}}}}]}}
        """;
}
