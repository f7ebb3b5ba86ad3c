using System.Net;
using Orleans.WireGuard.Linux.Routing;
using Orleans.WireGuard.Silo.Findings;

namespace Orleans.WireGuard.Silo.Nodes.Prefixes;

/// <summary>What the kernel shows of this node's pods, as prefixes that may be told to others. Pure.</summary>
internal static class KernelPrefixes
{
    /// <summary>Finds them: merged.</summary>
    /// <param name="dump">What the kernel shows.</param>
    /// <param name="pods">Which pods that are.</param>
    /// <param name="ranges">Where pods have their addresses, merged; outside of them nothing is one, whatever a route looks like.</param>
    /// <param name="nodeAddresses">Where this node itself is reached, as far as the links do not say.</param>
    public static EquatableArray<IPPrefix> Find(
        NetworkDump dump, IEnumerable<LocalPod> pods, EquatableArray<IPPrefix> ranges, IReadOnlyCollection<IPAddress> nodeAddresses)
    {
        var own = dump.Addresses.Select(address => IPPrefix.Host(address.Address)).ToHashSet();
        return PrefixSet.Merge(pods.Select(pod => pod.Prefix).Concat(LocalPods.FindBlocks(dump))
            .Where(prefix => PrefixSet.Covers(ranges, prefix) && !own.Contains(prefix) && !nodeAddresses.Any(prefix.Contains)));
    }

    /// <summary>
    /// The links by which other nodes are reached: those that have an address of this node, and those of default routes. What is behind
    /// them is no pod of ours.
    /// </summary>
    public static HashSet<int> FindUnderlay(NetworkDump dump, IReadOnlyCollection<IPAddress> nodeAddresses) =>
    [
        .. dump.Addresses.Where(address => nodeAddresses.Contains(address.Address)).Select(address => address.LinkIndex),
        .. dump.Routes.Where(route => route.Destination.Length == 0 && route.LinkIndex != 0).Select(route => route.LinkIndex),
    ];
}
