namespace Orleans.WireGuard.LocalMesh.Topology;

/// <summary>The <c>ip</c> commands that make and unmake a topology, as text; nothing here touches the machine.</summary>
internal static class TopologyCommands
{
    /// <summary>Link of a node on the underlay, seen from inside the node.</summary>
    public const string NodeUnderlayLink = "eth0";

    /// <summary>Link of a node to its pod.</summary>
    public const string NodePodLink = "pod0";

    /// <summary>Link of a pod to its node.</summary>
    public const string PodLink = "eth0";

    /// <summary>Namespaces, the bridge and its ports, all still down: sysctls are set before the first packet.</summary>
    public static IEnumerable<string> CreateLinks(MeshPlan plan)
    {
        foreach (var node in plan.Nodes)
        {
            yield return $"netns add {node.Namespace}";
            yield return $"netns add {node.PodNamespace}";
        }

        // Without a forward delay the ports forward at once; a topology without loops needs no listening phase.
        yield return $"link add {plan.Bridge} type bridge forward_delay 0 mcast_snooping 0";
        foreach (var node in plan.Nodes)
        {
            yield return $"link add {node.UnderlayLink} type veth peer name {NodeUnderlayLink} netns {node.Namespace}";
            yield return $"link set {node.UnderlayLink} master {plan.Bridge}";
        }
    }

    /// <summary>Brings the host's side up.</summary>
    public static IEnumerable<string> RaiseHost(MeshPlan plan)
    {
        yield return $"address add {plan.HostAddress}/{plan.Underlay.PrefixLength} dev {plan.Bridge}";
        yield return $"link set {plan.Bridge} up";
        foreach (var node in plan.Nodes)
        {
            yield return $"link set {node.UnderlayLink} up";
        }
    }

    /// <summary>Addresses of a node, run in its namespace. It gets no route to any other node's pods.</summary>
    public static IEnumerable<string> RaiseNode(MeshPlan plan, NodePlan node) =>
    [
        "link set lo up",
        $"link add {NodePodLink} type veth peer name {PodLink} netns {node.PodNamespace}",
        $"address add {node.Address}/{plan.Underlay.PrefixLength} dev {NodeUnderlayLink}",
        $"address add {node.PodGateway}/{node.PodCIDR.PrefixLength} dev {NodePodLink}",
        $"link set {NodeUnderlayLink} up",
        $"link set {NodePodLink} up",
        .. node.IPv6 is { } v6
            ? (string[])[
                $"address add {v6.Address}/64 dev {NodeUnderlayLink} nodad", $"address add {v6.PodGateway}/64 dev {NodePodLink} nodad"]
            : [],
    ];

    /// <summary>Address and default route of a node's pod, run in the pod's namespace.</summary>
    public static IEnumerable<string> RaisePod(NodePlan node) =>
    [
        "link set lo up",
        $"address add {node.PodAddress}/{node.PodCIDR.PrefixLength} dev {PodLink}",
        $"link set {PodLink} up",
        $"route add default via {node.PodGateway}",
        .. node.IPv6 is { } v6
            ? (string[])[$"address add {v6.PodAddress}/64 dev {PodLink} nodad", $"route add default via {v6.PodGateway}"]
            : [],
    ];

    /// <summary>Routes of a control run: from a node to all other pods, in clear over the underlay.</summary>
    public static IEnumerable<string> AddPlainRoutes(MeshPlan plan, NodePlan node) =>
        PlainRoutes(plan, node).Select(route => "route add " + route);

    /// <summary>Takes <see cref="AddPlainRoutes"/> back.</summary>
    public static IEnumerable<string> RemovePlainRoutes(MeshPlan plan, NodePlan node) =>
        PlainRoutes(plan, node).Select(route => "route del " + route);

    private static IEnumerable<string> PlainRoutes(MeshPlan plan, NodePlan node)
    {
        foreach (var other in plan.Nodes.Where(other => other != node))
        {
            yield return $"{other.PodCIDR} via {other.Address}";
            if (other.IPv6 is { } v6)
            {
                yield return $"{v6.PodCIDR} via {v6.Address}";
            }
        }
    }
}
