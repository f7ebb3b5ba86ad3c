using System.Net;
using Orleans.WireGuard.Linux.Routing;

namespace Orleans.WireGuard.Silo.Findings;

/// <summary>Finds this node's own addresses among those of pods. Pure.</summary>
/// <remarks>
/// A bridge has one, and so has the end of a VXLAN or IPIP tunnel: flannel's 10.244.1.0, Calico's tunl0. What the node itself sends to pods
/// of others may bear it, and is no pod's packet.
/// </remarks>
internal static class NodeAddresses
{
    /// <summary>Finds them, sorted by their text.</summary>
    /// <param name="dump">What the kernel shows.</param>
    /// <param name="prefixes">What this node has for its pods, and where pods of the cluster can be.</param>
    /// <param name="deviceNames">Our own devices, which send in nobody's name.</param>
    public static EquatableArray<IPAddress> Find(
        NetworkDump dump, IEnumerable<IPPrefix> prefixes, IReadOnlyCollection<string> deviceNames)
    {
        var pods = PrefixSet.Merge(prefixes);
        var ours = dump.Links.Where(link => deviceNames.Contains(link.Name)).Select(link => link.Index).ToHashSet();
        return dump.Addresses
            .Where(address => !ours.Contains(address.LinkIndex) && PrefixSet.Covers(pods, IPPrefix.Host(address.Address)))
            .Select(address => address.Address).Distinct()
            .OrderBy(address => address.ToString(), StringComparer.Ordinal).ToEquatableArray();
    }
}
