using System.Net;
using System.Text.Json.Nodes;

namespace Orleans.WireGuard.Tests.Support;

/// <summary>NodeNetworkConfig objects as Azure writes them, and the definition that a cluster of AKS has of them.</summary>
internal static class AzureObjects
{
    /// <summary>The definition, with the fields that its schema has left open.</summary>
    public const string Definition = """
        {"apiVersion":"apiextensions.k8s.io/v1","kind":"CustomResourceDefinition","metadata":{"name":"nodenetworkconfigs.acn.azure.com"},
         "spec":{"group":"acn.azure.com","scope":"Namespaced",
          "names":{"kind":"NodeNetworkConfig","plural":"nodenetworkconfigs","singular":"nodenetworkconfig","shortNames":["nnc"]},
          "versions":[{"name":"v1alpha","served":true,"storage":true,"subresources":{"status":{}},
           "schema":{"openAPIV3Schema":{"type":"object","properties":{
            "spec":{"type":"object","x-kubernetes-preserve-unknown-fields":true},
            "status":{"type":"object","x-kubernetes-preserve-unknown-fields":true}}}}}]}}
        """;

    /// <summary>Where the objects are.</summary>
    public const string Path = "apis/acn.azure.com/v1alpha/namespaces/kube-system/nodenetworkconfigs";

    /// <summary>An object of overlay: one block.</summary>
    public static JsonObject Overlay(string nodeName, string primary = "192.168.1.0/24", string range = "192.168.0.0/16") => Of(
        nodeName, Container("static", "overlay", primary, range, []));

    /// <summary>An object of a pod subnet: single addresses, in batches of 16.</summary>
    public static JsonObject Batch(string nodeName, int count, int first = 22) => Of(
        nodeName,
        Container("dynamic", "vnet", "10.241.0.21", "10.241.0.0/16", Enumerable.Range(first, count).Select(last => $"10.241.0.{last}")));

    /// <summary>An object of containers.</summary>
    public static JsonObject Of(string nodeName, params JsonNode?[] containers) => new()
    {
        ["apiVersion"] = "acn.azure.com/v1alpha",
        ["kind"] = "NodeNetworkConfig",
        ["metadata"] = new JsonObject
        {
            ["name"] = nodeName,
            ["labels"] = new JsonObject { ["kubernetes.azure.com/podnetwork-type"] = "overlay", ["managed"] = "true", ["owner"] = nodeName },
            ["ownerReferences"] = new JsonArray(new JsonObject
            {
                ["apiVersion"] = "v1",
                ["blockOwnerDeletion"] = true,
                ["controller"] = true,
                ["kind"] = "Node",
                ["name"] = nodeName,
                ["uid"] = "d7b4ca7c-d628-4051-87b6-88d30126ec64",
            }),
        },
        ["spec"] = new JsonObject { ["requestedIPCount"] = 16 },
        ["status"] = new JsonObject
        {
            ["assignedIPCount"] = 16,
            ["networkContainers"] = new JsonArray(containers),
            ["scaler"] = new JsonObject { ["batchSize"] = 16, ["maxIPCount"] = 250 },
        },
    };

    /// <summary>A container.</summary>
    public static JsonObject Container(string? mode, string? type, string? primary, string? range, IEnumerable<string> assignments) => new()
    {
        ["id"] = "ad4514cb-59ed-4c0e-9aa9-bcd09a5052d9",
        ["nodeIP"] = "10.240.0.4",
        ["assignmentMode"] = mode,
        ["type"] = type,
        ["primaryIP"] = primary,
        ["subnetAddressSpace"] = range,
        ["subnetName"] = "pods",
        ["version"] = 26,
        ["ipAssignments"] = new JsonArray([.. assignments.Select((ip, index) => new JsonObject
        {
            ["ip"] = ip,
            ["name"] = $"d69a76e2-86c9-4abe-85ef-{index:d12}",
        })]),
    };

    /// <summary>Has a cluster serve the kind.</summary>
    public static async Task InstallAsync(ApiCluster cluster)
    {
        await cluster.PostAsync("apis/apiextensions.k8s.io/v1/customresourcedefinitions", JsonNode.Parse(Definition)!.AsObject());
        await cluster.SendAsync(
            HttpMethod.Post, "api/v1/namespaces", new JsonObject { ["metadata"] = new JsonObject { ["name"] = "kube-system" } });
    }

    /// <summary>Writes an object with its status: makes it, or replaces the status of the one that is there.</summary>
    public static async Task WriteAsync(ApiCluster cluster, JsonObject config)
    {
        var name = (string)config["metadata"]!["name"]!;
        var (code, text) = await cluster.SendAsync(HttpMethod.Post, Path, config.DeepClone());
        Assert.True(code is HttpStatusCode.Created or HttpStatusCode.Conflict, text);
        (code, text) = await cluster.SendAsync(
            HttpMethod.Patch, $"{Path}/{name}/status", new JsonObject { ["status"] = config["status"]!.DeepClone() },
            contentType: "application/merge-patch+json");
        Assert.True(code == HttpStatusCode.OK, text);
    }
}
