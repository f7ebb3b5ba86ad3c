using System.Text.Json.Nodes;
using Orleans.WireGuard.LocalMesh.Topology;

namespace Orleans.WireGuard.Tests.EndToEnd.Cni.Kinds;

/// <summary>kubenet, or flannel with host-gw: a bridge on each node, and routes between them.</summary>
internal sealed class HostGateway : PluginKind
{
    /// <inheritdoc/>
    public override string Name => "bridge";

    /// <inheritdoc/>
    public override string Way => "a bridge, node CIDRs via the nodes; pod to node is masqueraded";

    /// <inheritdoc/>
    protected override string Plugin => "bridge";

    /// <inheritdoc/>
    protected override JsonObject Options => BridgeOptions;

    /// <summary>As flannel and kubenet delegate to the plugin.</summary>
    internal static JsonObject BridgeOptions => new()
    {
        ["bridge"] = "cni0",
        ["isGateway"] = true,
        ["hairpinMode"] = true,
    };

    /// <inheritdoc/>
    public override async Task RaiseNodeAsync(CniMachine machine, NodePlan node, CancellationToken token)
    {
        await CniMachine.IpAsync(node.Namespace, TopologyCommands.AddPlainRoutes(CniPlan.Mesh, node), token);
        await CniMachine.FilterAsync(node.Namespace, PodMasquerade.TowardsAllButPods(PodRange), token);
    }
}
