using System.Net;

namespace Orleans.WireGuard.LocalMesh.Topology;

/// <summary>Names and addresses of one node of a <see cref="MeshPlan"/> and of its only pod.</summary>
/// <param name="Number">1 for the first node.</param>
/// <param name="Name">Node name, which is also the silo's name: <c>node-1</c>.</param>
/// <param name="PodName"><c>pod-1</c>.</param>
/// <param name="Namespace">Network namespace of the node.</param>
/// <param name="PodNamespace">Network namespace of the pod.</param>
/// <param name="UnderlayLink">The node's port of the underlay bridge, in the host's namespace.</param>
/// <param name="Address">Address on the underlay.</param>
/// <param name="PodCIDR">Prefix of the node's pods.</param>
/// <param name="PodGateway">The node's address inside <paramref name="PodCIDR"/>.</param>
/// <param name="PodAddress">The pod's address.</param>
internal sealed record NodePlan(
    int Number,
    string Name,
    string PodName,
    string Namespace,
    string PodNamespace,
    string UnderlayLink,
    IPAddress Address,
    IPNetwork PodCIDR,
    IPAddress PodGateway,
    IPAddress PodAddress)
{
    /// <summary>The same in IPv6; <see langword="null"/> in a mesh of IPv4 alone.</summary>
    public NodePlanIPv6? IPv6 { get; init; }
}

/// <summary>The IPv6 addresses of a node of a dual-stack <see cref="MeshPlan"/>, beside its IPv4 ones.</summary>
/// <param name="Address">Address on the underlay.</param>
/// <param name="PodCIDR">Prefix of the node's pods.</param>
/// <param name="PodGateway">The node's address inside <paramref name="PodCIDR"/>.</param>
/// <param name="PodAddress">The pod's address.</param>
internal sealed record NodePlanIPv6(IPAddress Address, IPNetwork PodCIDR, IPAddress PodGateway, IPAddress PodAddress);
