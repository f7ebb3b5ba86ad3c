using System.Net;
using Orleans.WireGuard.Silo.Nodes;
using Orleans.WireGuard.Supervision;

namespace Orleans.WireGuard.Silo.Hosting;

/// <summary>
/// The address by which other silos reach this one: always one of the underlay, never through the tunnels whose keys it carries.
/// </summary>
internal static class LocalAddress
{
    /// <summary><see cref="NodeOptions.Address"/> if it is set, else the first address of this node in the static list.</summary>
    /// <exception cref="StartupException">Neither is there.</exception>
    public static IPAddress Of(NodeOptions node, NodesOptions nodes) =>
        IPAddress.TryParse(node.Address, out var address) ? address
        : StaticRoster.TryParse(nodes, node.Name, out var failures)?.Find(node.Name)?.Addresses[0] ?? throw new StartupException(failures);
}
