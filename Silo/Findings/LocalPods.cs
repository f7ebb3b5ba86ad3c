using Orleans.WireGuard.Linux.Routing;

namespace Orleans.WireGuard.Silo.Findings;

/// <summary>Finds the pods of this node in what the kernel shows. Pure.</summary>
/// <remarks>
/// Network plugins tell the kernel where a pod is before the pod starts, in one of three ways:
/// <code>
/// 10.244.1.7 dev veth8f3a            a host route to a cable whose other end is in another namespace: kindnet, Calico, EKS, Azure,
///                                    Cilium's endpoint routes
/// 10.244.1.0/24 dev cni0             a bridge with such cables as ports: flannel, kubenet
/// 10.244.1.0/24 via … dev cilium_host  the network that holds the link's own address: Cilium without endpoint routes
/// </code>
/// What it cannot see: pods behind Open vSwitch, and pods bridged into the network of the nodes.
/// </remarks>
internal static class LocalPods
{
    private const string CiliumHostLink = "cilium_host";

    // Who writes the routes of Calico's blocks: Felix (DeviceRouteProtocol, by default), and BIRD where blocks are told by BGP.
    private const byte FelixProtocol = 80;
    private const byte BirdProtocol = 12;

    // Bridges of container engines that have nothing to do with Kubernetes: Docker, Podman, containerd's nerdctl, LXC, LXD and Incus,
    // libvirt.
    private static readonly string[] OtherBridges =
        ["docker", "br-", "podman", "cni-podman", "nerdctl", "lxcbr", "lxdbr", "incusbr", "virbr"];

    /// <summary>Finds them, sorted.</summary>
    /// <param name="dump">What the kernel shows.</param>
    /// <param name="underlayLinks">Numbers of the links by which other nodes are reached: what is behind them is no pod of ours.</param>
    public static IReadOnlyList<LocalPod> Find(NetworkDump dump, IReadOnlySet<int> underlayLinks)
    {
        var links = dump.Links.ToDictionary(link => link.Index);
        var pods = new HashSet<LocalPod>();
        foreach (var route in dump.Routes)
        {
            if (route.Action == RouteAction.Forward && !route.HasGateway && IsHost(route.Destination) && !IsLinkLocal(route.Destination)
                && links.TryGetValue(route.LinkIndex, out var link) && link.IsPeerElsewhere && link.Kind is "veth" or "netkit"
                && !underlayLinks.Contains(link.Index))
            {
                pods.Add(new LocalPod(route.Destination, link.Name));
            }
        }

        var bridges = dump.Links.Where(link => link.IsPeerElsewhere && link.MasterIndex != 0).Select(link => link.MasterIndex).ToHashSet();
        foreach (var address in dump.Addresses)
        {
            if (links.TryGetValue(address.LinkIndex, out var link) && !underlayLinks.Contains(link.Index)
                && !IsHost(address.Network) && !IsLinkLocal(address.Network) && link.Kind == "bridge" && bridges.Contains(link.Index)
                && !OtherBridges.Any(name => link.Name.StartsWith(name, StringComparison.Ordinal)))
            {
                pods.Add(new LocalPod(address.Network, link.Name));
            }
        }

        pods.UnionWith(BehindCiliumHost(dump));
        return [.. pods.OrderBy(pod => pod.Prefix).ThenBy(pod => pod.LinkName, StringComparer.Ordinal)];
    }

    /// <summary>
    /// Finds the blocks that Calico has given this node, whether or not a pod has an address of them: for what no pod of the node has,
    /// there is a route that drops it, such as <c>blackhole 10.244.1.64/26 proto 80</c>. Sorted.
    /// </summary>
    public static IReadOnlyList<IPPrefix> FindBlocks(NetworkDump dump) =>
        [.. dump.Routes
            .Where(route => route is { Action: RouteAction.Refuse, Protocol: FelixProtocol or BirdProtocol }
                && !IsLinkLocal(route.Destination))
            .Select(route => route.Destination).Distinct().Order()];

    private static IEnumerable<LocalPod> BehindCiliumHost(NetworkDump dump)
    {
        if (dump.Links.FirstOrDefault(link => link.Name == CiliumHostLink) is not { } host)
        {
            return [];
        }

        var own = dump.Addresses.Where(address => address.LinkIndex == host.Index).Select(address => address.Address).ToList();
        return dump.Routes.Where(route => route.LinkIndex == host.Index && !IsHost(route.Destination) && !IsLinkLocal(route.Destination)
                && own.Any(route.Destination.Contains))
            .Select(route => new LocalPod(route.Destination, host.Name));
    }

    private static bool IsHost(IPPrefix prefix) => prefix.Length == (prefix.IsIPv6 ? 128 : 32);

    // Everybody's link has such addresses; 169.254.1.1 is also the gateway that Calico and others show their pods.
    private static bool IsLinkLocal(IPPrefix prefix) => prefix.Address is { IsIPv6LinkLocal: true } or { IsIPv6Multicast: true }
        || IPPrefix.Parse("169.254.0.0/16").Contains(prefix);
}
