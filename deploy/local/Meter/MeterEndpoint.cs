using System.Net;
using Orleans.WireGuard.LocalMesh.Topology;

namespace Orleans.WireGuard.LocalMesh.Meter;

/// <summary>One end of the meter's directions.</summary>
/// <param name="Name">Name in reports.</param>
/// <param name="Namespace">Network namespace in which its socket lives.</param>
/// <param name="Address">Address there.</param>
internal sealed record MeterEndpoint(string Name, string Namespace, IPAddress Address)
{
    /// <summary>The pod of a node, under the node's name.</summary>
    public static MeterEndpoint OfPod(NodePlan node) => new(node.Name, node.PodNamespace, node.PodAddress);
}
