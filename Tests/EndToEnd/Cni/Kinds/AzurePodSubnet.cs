using System.Net;
using System.Text.Json.Nodes;
using Orleans.WireGuard.LocalMesh.Topology;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.EndToEnd.Cni.Kinds;

/// <summary>AKS with a subnet for pods: single addresses in batches of 16, which a NodeNetworkConfig tells before pods use them.</summary>
internal sealed class AzurePodSubnet : CableKind
{
    /// <summary>Addresses that a node gets at a time.</summary>
    private const int Batch = 16;

    /// <inheritdoc/>
    public override string Name => "azure-pod-subnet";

    /// <inheritdoc/>
    public override string Addresses => "batches of 16 single addresses, NodeNetworkConfig";

    /// <inheritdoc/>
    public override string Way => "host routes; the network below delivers pods' packets; pod to node is not masqueraded";

    /// <inheritdoc/>
    public override string? Overlay => "aks";

    /// <inheritdoc/>
    public override IReadOnlyDictionary<string, string> Settings => CniSettings.CiliumDevices;

    /// <inheritdoc/>
    public override IReadOnlyList<string> Needs => [CniSettings.Prefixes, CniSettings.NodeAddresses];

    /// <inheritdoc/>
    public override IReadOnlyList<CniFix> Fixes { get; } =
    [
        new("prefixes", CniSettings.Only(CniSettings.Prefixes, "Node"), CniFault.NotReady, CniFault.InClear),
        new("node-addresses", CniSettings.WithoutNodeAddresses, CniFault.PodToNodePort)
        {
            Needs = [CniSettings.Prefixes],
        },
    ];

    /// <inheritdoc/>
    public override IEnumerable<JsonObject> Definitions => [CniObjects.NodeNetworkConfigDefinition];

    /// <inheritdoc/>
    protected override string LinkPrefix => "azv";

    /// <inheritdoc/>
    public override IEnumerable<(string Collection, JsonObject Body)> Objects(NodePlan node) =>
    [
        (CniObjects.Nodes, CniObjects.Node(node, podCIDR: null)),
        (CniObjects.NodeNetworkConfigs, CniObjects.NodeNetworkConfig(node, PodRange, PrimaryOf(node), Batches(node, 1))),
    ];

    /// <inheritdoc/>
    public override async Task AllocateAsync(ApiCluster api, NodePlan node, int slot)
    {
        if (slot >= Batch && slot % Batch == 0)
        {
            var status = CniObjects.NetworkContainers(node, PodRange, PrimaryOf(node), Batches(node, (slot / Batch) + 1));
            var (code, text) = await api.SendAsync(
                HttpMethod.Patch, $"{CniObjects.NodeNetworkConfigs}/{node.Name}", new JsonObject { ["status"] = status },
                contentType: "application/merge-patch+json");
            Expect.True(code == HttpStatusCode.OK, $"another batch for {node.Name}: {text}");
        }
    }

    /// <inheritdoc/>
    public override Task RaiseNodeAsync(CniMachine machine, NodePlan node, CancellationToken token)
    {
        CniMachine.AnswerForOthers(node.Namespace, TopologyCommands.NodeUnderlayLink);
        return CniMachine.IpAsync(node.Namespace, [$"route add {PodRange} dev {TopologyCommands.NodeUnderlayLink} scope link"], token);
    }

    /// <inheritdoc/>
    protected override IPAddress AddressOf(NodePlan node, int slot) => Address(slot / Batch, slot % Batch, node);

    private static IEnumerable<string> Batches(NodePlan node, int count) =>
        Enumerable.Range(0, count * Batch).Select(slot => Address(slot / Batch, slot % Batch, node).ToString());

    // Not for pods.
    private static string PrimaryOf(NodePlan node) => Address(255, 0, node).ToString();

    // The nodes' addresses alternate.
    private static IPAddress Address(int batch, int place, NodePlan node)
    {
        var bytes = CniPlan.Mesh.PodNetwork.BaseAddress.GetAddressBytes();
        (bytes[2], bytes[3]) = ((byte)batch, (byte)(1 + (place * CniPlan.Mesh.Nodes.Count) + node.Number));
        return new IPAddress(bytes);
    }
}
