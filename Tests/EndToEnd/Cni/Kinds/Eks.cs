using System.Net;
using System.Text.Json.Nodes;
using Orleans.WireGuard.LocalMesh.Topology;

namespace Orleans.WireGuard.Tests.EndToEnd.Cni.Kinds;

/// <summary>
/// EKS with the VPC's plugin: single addresses out of the nodes' own subnet, in no order, and every second pod leaves by a second interface
/// with a routing table of its own.
/// </summary>
internal sealed class Eks : CableKind
{
    private const string SecondLink = "eth1";
    private const int FirstAddress = 20;
    private const int Table = 2;

    // The subnet of nodes and pods is the first half of what the nodes reach; the host has its address in the other, as a load balancer
    // does.
    private static readonly string Range = $"{CniPlan.Mesh.Underlay.BaseAddress}/25";

    /// <inheritdoc/>
    public override string Name => "eks";

    /// <inheritdoc/>
    public override string Addresses => "single addresses of the nodes' subnet, in no object";

    /// <inheritdoc/>
    public override string Way => "host routes, rules 512 and 1536, a table of the second interface; nothing is masqueraded";

    /// <inheritdoc/>
    public override string? Overlay => "eks";

    /// <inheritdoc/>
    public override IReadOnlyDictionary<string, string> Settings { get; } =
        new Dictionary<string, string> { [CniSettings.Prefixes] = "Kernel", [CniSettings.PodRange] = Range };

    /// <inheritdoc/>
    public override IReadOnlyList<string> OfEachCluster => [CniSettings.PodRange];

    /// <inheritdoc/>
    public override IReadOnlyList<CniFix> Fixes { get; } =
    [
        new("prefixes", CniSettings.Only(CniSettings.Prefixes, "Node"), CniFault.NotReady, CniFault.InClear),
        new("node-addresses", CniSettings.WithoutNodeAddresses, CniFault.PodToNodePort)
        {
            Needs = [CniSettings.Prefixes],
        },
    ];

    /// <inheritdoc/>
    public override string PodRange => Range;

    /// <inheritdoc/>
    public override ServiceMasquerade Services => ServiceMasquerade.None;

    /// <inheritdoc/>
    protected override string LinkPrefix => "eni";

    /// <inheritdoc/>
    public override IEnumerable<(string Collection, JsonObject Body)> Objects(NodePlan node) =>
        [(CniObjects.Nodes, CniObjects.Node(node, podCIDR: null))];

    /// <inheritdoc/>
    public override async Task RaiseNodeAsync(CniMachine machine, NodePlan node, CancellationToken token)
    {
        var port = FormattableString.Invariant($"{CniPlan.Mesh.Prefix}-n{10 + node.Number}");
        await CniMachine.IpAsync(null, [$"link add {port} type veth peer name {SecondLink} netns {node.Namespace}"], token);
        CniMachine.Set(null, $"ipv6/conf/{port}/disable_ipv6", 1);
        await CniMachine.IpAsync(null, [$"link set {port} master {CniPlan.Mesh.Bridge}", $"link set {port} up"], token);
        CniMachine.Set(node.Namespace, $"ipv4/conf/{SecondLink}/arp_ignore", 1);
        CniMachine.Set(node.Namespace, $"ipv4/neigh/{TopologyCommands.NodeUnderlayLink}/proxy_delay", 0);
        await CniMachine.IpAsync(
            node.Namespace,
            [
                $"address add {Address(10 + node.Number)}/{CniPlan.Mesh.Underlay.PrefixLength} dev {SecondLink} noprefixroute",
                $"link set {SecondLink} up",
                $"route add {CniPlan.NodeRange} dev {SecondLink} scope link table {Table}",
                $"route add default via {CniPlan.Mesh.HostAddress} dev {SecondLink} table {Table}",
            ],
            token);
    }

    /// <inheritdoc/>
    protected override IPAddress AddressOf(NodePlan node, int slot) =>
        Address(FirstAddress + (CniPlan.Mesh.Nodes.Count * slot) + node.Number);

    /// <inheritdoc/>
    protected override IEnumerable<string> Attached(CniPod pod) =>
        Rules(pod).Select(rule => "rule add " + rule).Prepend($"neighbour add {Proxy(pod)}");

    /// <inheritdoc/>
    protected override IEnumerable<string> Detached(CniPod pod) =>
        Rules(pod).Select(rule => "rule delete " + rule).Append($"neighbour delete {Proxy(pod)}");

    // The network below delivers a pod's packets to its node; proxy_arp would answer for all that the node reaches by another link, and
    // through a tunnel that is every pod.
    private static string Proxy(CniPod pod) => $"proxy {pod.Address} dev {TopologyCommands.NodeUnderlayLink}";

    private static IEnumerable<string> Rules(CniPod pod) =>
    [
        $"pref 512 to {pod.Address} lookup main",
        .. pod.Slot % 2 == 0 ? (string[])[] : [$"pref 1536 from {pod.Address} lookup {Table}"],
    ];

    private static IPAddress Address(int last)
    {
        var bytes = CniPlan.Mesh.Underlay.BaseAddress.GetAddressBytes();
        bytes[3] = (byte)last;
        return new IPAddress(bytes);
    }
}
