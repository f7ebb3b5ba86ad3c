using Orleans.WireGuard.LocalMesh.Topology;

namespace Orleans.WireGuard.Tests.EndToEnd.Cni.Kinds;

/// <summary>kind: kindnet gives each pod a cable of its own, and routes to the other nodes.</summary>
internal sealed class Ptp : PluginKind
{
    /// <inheritdoc/>
    public override string Name => "ptp";

    /// <inheritdoc/>
    public override string Way => "host routes, node CIDRs via the nodes; pod to node is masqueraded";

    /// <inheritdoc/>
    protected override string Plugin => "ptp";

    /// <inheritdoc/>
    public override async Task RaiseNodeAsync(CniMachine machine, NodePlan node, CancellationToken token)
    {
        await CniMachine.IpAsync(node.Namespace, TopologyCommands.AddPlainRoutes(CniPlan.Mesh, node), token);
        await CniMachine.FilterAsync(node.Namespace, PodMasquerade.TowardsAllButPods(PodRange), token);
    }
}
