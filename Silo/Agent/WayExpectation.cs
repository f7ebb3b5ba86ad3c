using System.Net;
using Orleans.WireGuard.Linux.Routing;

namespace Orleans.WireGuard.Silo.Agent;

/// <summary>What should become of a packet from a pod of ours to a pod of another node.</summary>
/// <param name="Pods">Where it comes from.</param>
/// <param name="Destination">Where it goes to.</param>
/// <param name="NodeName">Whose pods these are.</param>
/// <param name="IsTunnel">Whether it should leave through a device of ours; else it should be refused.</param>
internal sealed record WayExpectation(IPPrefix Pods, IPPrefix Destination, string NodeName, bool IsTunnel)
{
    /// <summary>The address that stands for the destination.</summary>
    public IPAddress Address => PodAddress.Remote(Destination);
}
