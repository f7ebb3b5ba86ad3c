using System.Net;
using Orleans.WireGuard.LocalMesh.Topology;

namespace Orleans.WireGuard.Tests.EndToEnd.Cni;

/// <summary>A pod of the zoo: a namespace with an address.</summary>
/// <param name="Node">Where it runs.</param>
/// <param name="Slot">Its place on that node; a new pod never has the place of one before.</param>
/// <param name="Address">Its address.</param>
internal sealed record CniPod(NodePlan Node, int Slot, IPAddress Address)
{
    /// <summary>Its network namespace.</summary>
    public string Namespace => CniPlan.NamespaceOf(Node, Slot);
}
