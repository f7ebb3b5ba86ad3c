using System.Text.Json.Nodes;
using Orleans.WireGuard.LocalMesh.Topology;

namespace Orleans.WireGuard.Tests.EndToEnd.Cni;

/// <summary>The objects in which clusters keep what their nodes and pods are called, as their owners write them.</summary>
internal static class CniObjects
{
    /// <summary>Where Node objects are.</summary>
    public const string Nodes = "api/v1/nodes";

    /// <summary>Where Cilium's objects are.</summary>
    public const string CiliumNodes = "apis/cilium.io/v2/ciliumnodes";

    /// <summary>Where Azure's objects are.</summary>
    public const string NodeNetworkConfigs = "apis/acn.azure.com/v1alpha/namespaces/kube-system/nodenetworkconfigs";

    /// <summary>Of <see cref="CiliumNodes"/>.</summary>
    public static JsonObject CiliumNodeDefinition => Definition("cilium.io", "v2", "CiliumNode", "ciliumnodes", "Cluster");

    /// <summary>Of <see cref="NodeNetworkConfigs"/>.</summary>
    public static JsonObject NodeNetworkConfigDefinition =>
        Definition("acn.azure.com", "v1alpha", "NodeNetworkConfig", "nodenetworkconfigs", "Namespaced");

    /// <summary>A Node, as a kubelet registers it.</summary>
    /// <param name="node">The node.</param>
    /// <param name="podCIDR"><c>spec.podCIDR</c>; <see langword="null"/> where no controller gives one.</param>
    public static JsonObject Node(NodePlan node, string? podCIDR) => new()
    {
        ["metadata"] = Named(node),
        ["spec"] = podCIDR is null ? [] : new JsonObject { ["podCIDR"] = podCIDR, ["podCIDRs"] = new JsonArray(podCIDR) },
        ["status"] = new JsonObject { ["addresses"] = Addresses(node, "address") },
    };

    /// <summary>A CiliumNode with a prefix of its own.</summary>
    public static JsonObject CiliumNode(NodePlan node) => new()
    {
        ["apiVersion"] = "cilium.io/v2",
        ["kind"] = "CiliumNode",
        ["metadata"] = Named(node),
        ["spec"] = new JsonObject
        {
            ["addresses"] = Addresses(node, "ip"),
            ["ipam"] = new JsonObject { ["podCIDRs"] = new JsonArray(node.PodCIDR.ToString()) },
        },
    };

    /// <summary>A NodeNetworkConfig with single addresses, in batches.</summary>
    public static JsonObject NodeNetworkConfig(NodePlan node, string subnet, string primaryIP, IEnumerable<string> addresses)
    {
        var metadata = Named(node);
        metadata["namespace"] = "kube-system";
        return new JsonObject
        {
            ["apiVersion"] = "acn.azure.com/v1alpha",
            ["kind"] = "NodeNetworkConfig",
            ["metadata"] = metadata,
            ["spec"] = new JsonObject { ["requestedIPCount"] = 16 },
            ["status"] = NetworkContainers(node, subnet, primaryIP, addresses),
        };
    }

    /// <summary>The status of a NodeNetworkConfig.</summary>
    public static JsonObject NetworkContainers(NodePlan node, string subnet, string primaryIP, IEnumerable<string> addresses) => new()
    {
        ["networkContainers"] = new JsonArray(new JsonObject
        {
            ["id"] = FormattableString.Invariant($"00000000-0000-4000-8000-00000000000{node.Number}"),
            ["assignmentMode"] = "dynamic",
            ["type"] = "vnet",
            ["nodeIP"] = node.Address.ToString(),
            ["primaryIP"] = primaryIP,
            ["subnetName"] = "pods",
            ["subnetAddressSpace"] = subnet,
            ["version"] = 0,
            ["ipAssignments"] = new JsonArray(
                [.. addresses.Select(address => new JsonObject { ["name"] = $"ip-{address}", ["ip"] = address })]),
        }),
    };

    private static JsonObject Named(NodePlan node) => new() { ["name"] = node.Name };

    private static JsonArray Addresses(NodePlan node, string field) =>
        [new JsonObject { ["type"] = "InternalIP", [field] = node.Address.ToString() }];

    // Their schemas are not ours to keep: whatever is written is kept.
    private static JsonObject Definition(string group, string version, string kind, string plural, string scope) => new()
    {
        ["apiVersion"] = "apiextensions.k8s.io/v1",
        ["kind"] = "CustomResourceDefinition",
        ["metadata"] = new JsonObject { ["name"] = $"{plural}.{group}" },
        ["spec"] = new JsonObject
        {
            ["group"] = group,
            ["scope"] = scope,
            ["names"] = new JsonObject
            {
                ["kind"] = kind,
                ["listKind"] = kind + "List",
                ["plural"] = plural,
                ["singular"] = kind.ToLowerInvariant(),
            },
            ["versions"] = new JsonArray(new JsonObject
            {
                ["name"] = version,
                ["served"] = true,
                ["storage"] = true,
                ["schema"] = new JsonObject
                {
                    ["openAPIV3Schema"] = new JsonObject { ["type"] = "object", ["x-kubernetes-preserve-unknown-fields"] = true },
                },
            }),
        },
    };
}
