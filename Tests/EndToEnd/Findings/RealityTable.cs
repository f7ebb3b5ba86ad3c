using System.Net;
using Orleans.WireGuard.Silo.Findings;

namespace Orleans.WireGuard.Tests.EndToEnd.Findings;

/// <summary>A node as a network plugin leaves it, and what has to be found there.</summary>
/// <param name="Name">Unique; words joined by underscores.</param>
/// <param name="Commands">Of <c>ip -batch</c>, one a line; POD is the namespace of the pods.</param>
/// <param name="Found">The codes that are to be found, in order; empty for a healthy node.</param>
internal sealed record RealityRow(string Name, string Commands, params FindingCode[] Found)
{
    /// <summary>
    /// This node is 192.168.7.1 with these pods; node-2 is 192.168.7.2 with 10.244.2.0/24, and fd00:244:2::/64 where IPv6 is used.
    /// </summary>
    public string OwnPrefixes { get; init; } = "10.244.1.0/24";

    /// <summary>The other nodes' pods.</summary>
    public string RemotePrefixes { get; init; } = "10.244.2.0/24";

    /// <summary><c>Encryption:ClusterCIDRs</c>.</summary>
    public string PodRanges { get; init; } = "";

    /// <summary>The node's addresses among the pods' that others are told of.</summary>
    public string ToldAddresses { get; init; } = "";

    /// <summary>Where packets leave past netfilter.</summary>
    public BlindSpot? BlindSpot { get; init; }

    /// <summary>Names of the links by which peers are reached.</summary>
    public string Underlay { get; init; } = "eth0";

    /// <inheritdoc/>
    public override string ToString() => Name;

    /// <summary>What the mesh believes of the node.</summary>
    public Expectation Expect(IEnumerable<int> underlay) => new(
        Parse(OwnPrefixes),
        Parse(RemotePrefixes).Select(prefix => (prefix, "node-2")).ToEquatableArray(),
        [IPAddress.Parse("192.168.7.1"), IPAddress.Parse("192.168.7.2")],
        Parse(PodRanges),
        ["cilium_wg0", "cilium_wg1"],
        underlay.ToEquatableArray())
    {
        ToldAddresses = Parse(ToldAddresses).Select(address => address.Address).ToEquatableArray(),
        BlindSpots = BlindSpot is null ? [] : [BlindSpot],
    };

    private static EquatableArray<IPPrefix> Parse(string list) =>
        list.Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(IPPrefix.Parse).ToEquatableArray();
}

/// <summary>The table of findings. The healthy rows are as important as the others: an alarm that is not deserved is a fault too.</summary>
internal static class RealityTable
{
    // A namespace begins without any of what a node has.
    private const string Node = """
        link add eth0 type veth peer name uplink netns POD
        addr add 192.168.7.1/24 dev eth0
        link set eth0 up
        route add default via 192.168.7.254 dev eth0
        link add cilium_wg0 mtu 1420 type veth peer name wg0peer
        link set cilium_wg0 up
        """;

    private const string Kindnet = Node + """

        link add veth1 type veth peer name c1 netns POD
        link set veth1 up
        route add 10.244.1.7/32 dev veth1
        """;

    private static readonly BlindSpot UnseenDevice = new("cilium_wg0", IsDevice: true, SentBytes: 140_000, SeenBytes: 300);

    private const string Bridge = Node + """

        link add cni0 type bridge
        addr add 10.244.1.1/24 dev cni0
        link set cni0 up
        link add veth1 master cni0 type veth peer name c1 netns POD
        link set veth1 up
        route add 10.244.2.0/24 via 192.168.7.2
        """;

    private const string Flannel = Bridge + "\n" + """
        link add flannel.1 type vxlan id 1 local 192.168.7.1 dstport 8472 nolearning
        addr add 10.244.1.0/32 dev flannel.1
        link set flannel.1 up
        route replace 10.244.2.0/24 via 10.244.2.0 dev flannel.1 onlink
        """;

    private const string Calico = Node + """

        link add cali1 type veth peer name c1 netns POD
        link set cali1 up
        route add 10.244.1.7/32 dev cali1 scope link
        route add blackhole 10.244.1.0/26 proto 80
        route add 10.244.2.0/26 via 192.168.7.2 proto 80
        """;

    private const string Cilium = Node + """

        link add cilium_net type veth peer name cilium_host
        addr add 10.244.1.33/32 dev cilium_host
        link set cilium_host up
        link set cilium_net up
        link add lxc1 type veth peer name c1 netns POD
        link set lxc1 up
        route add 10.244.1.7/32 dev lxc1
        rule add pref 9 fwmark 0x200/0xf00 lookup 2004
        rule add pref 10 fwmark 0xa00/0xf00 lookup 2005
        rule add pref 100 lookup local
        """;

    private const string Eks = Node + """

        link add eni1 type veth peer name c1 netns POD
        link set eni1 up
        route add 10.9.4.7/32 dev eni1
        rule add pref 512 to 10.9.4.7 lookup main
        rule add pref 1536 from 10.9.4.7 lookup 2
        route add default via 192.168.7.254 dev eth0 table 2
        """;

    public static IReadOnlyList<RealityRow> Rows { get; } =
    [
        // Healthy: nothing to be found.
        new("bare_node_without_pods", Node),
        new("kindnet", Kindnet),
        new("bridge_with_host_gateway_routes", Bridge),
        new("calico_blocks", Calico),
        new("docker_beside_kubernetes", Bridge + "\n" + """
            link add docker0 type bridge
            addr add 172.17.0.1/16 dev docker0
            link set docker0 up
            link add vethd master docker0 type veth peer name d1 netns POD
            link set vethd up
            """),
        new("eks_secondary_addresses", Eks) { OwnPrefixes = "10.9.4.7/32 10.9.4.8/32", RemotePrefixes = "10.9.5.7/32" },
        new("pods_range_is_the_nodes_range", Node + "\n" + """
            link add azv1 type veth peer name c1 netns POD
            link set azv1 up
            route add 192.168.7.70/32 dev azv1
            """)
        { OwnPrefixes = "192.168.7.64/28", RemotePrefixes = "192.168.7.80/28" },
        new("ipv6_only", Node + "\n" + """
            link add veth1 type veth peer name c1 netns POD
            link set veth1 up
            route add fd00:244:1::7/128 dev veth1
            """)
        { OwnPrefixes = "fd00:244:1::/64", RemotePrefixes = "fd00:244:2::/64" },
        new("dual_stack", Kindnet + "\nroute add fd00:244:1::7/128 dev veth1")
        { OwnPrefixes = "10.244.1.0/24 fd00:244:1::/64", RemotePrefixes = "10.244.2.0/24 fd00:244:2::/64" },
        new("several_prefixes_of_which_one_is_empty", Kindnet) { OwnPrefixes = "10.244.1.0/24 10.244.9.0/24" },
        new("underlay_is_a_bridge", Node + "\n" + """
            link add br0 type bridge
            addr add 192.168.8.1/24 dev br0
            link set br0 up
            link add tap1 master br0 type veth peer name c1 netns POD
            link set tap1 up
            """)
        { Underlay = "br0" },
        new("prefixes_not_yet_known", Kindnet) { OwnPrefixes = "" },
        new("rules_that_do_not_concern_pods", Kindnet + "\n" + """
            rule add pref 50 from 172.16.0.0/12 lookup main
            rule add pref 51 to 172.16.0.0/12 lookup main
            rule add pref 52 iif eth0 lookup main
            rule add pref 53 lookup main suppress_prefixlength 0
            """),

        // Each of the others: one cause, one finding.
        new("pods_outside_prefixes_by_route", Kindnet, FindingCode.PodsOutsidePrefixes) { OwnPrefixes = "10.4.0.0/16", RemotePrefixes = "10.5.0.0/16" },
        new("pods_outside_prefixes_by_bridge", Bridge, FindingCode.PodsOutsidePrefixes) { OwnPrefixes = "10.4.0.0/16", RemotePrefixes = "10.5.0.0/16" },
        new("pods_outside_prefixes_behind_cilium_host", Node + "\n" + """
            link add cilium_net type veth peer name cilium_host
            addr add 10.244.1.33/32 dev cilium_host
            link set cilium_host up
            link set cilium_net up
            route add 10.244.1.0/24 via 10.244.1.33 dev cilium_host src 10.244.1.33
            """, FindingCode.PodsOutsidePrefixes, FindingCode.CiliumAgentDeletesDevice) { OwnPrefixes = "10.4.0.0/16", RemotePrefixes = "10.5.0.0/16" },
        new("one_of_200_addresses_of_a_pod_is_outside", Kindnet + "\n"
            + string.Join('\n', Enumerable.Range(8, 200).Select(i => FormattableString.Invariant($"route add 10.244.1.{i}/32 dev veth1")))
            + "\nroute add 10.250.0.7/32 dev veth1", FindingCode.PodsOutsidePrefixes),
        new("dual_stack_with_ipv6_wrong", Kindnet + "\nroute add fd00:99::7/128 dev veth1", FindingCode.PodsOutsidePrefixes)
        { OwnPrefixes = "10.244.1.0/24 fd00:244:1::/64", RemotePrefixes = "10.244.2.0/24 fd00:244:2::/64" },
        new("dual_stack_with_pods_of_one_family", Kindnet, FindingCode.PrefixWithoutPods)
        { OwnPrefixes = "10.244.1.0/24 fd00:244:1::/64", RemotePrefixes = "10.244.2.0/24 fd00:244:2::/64" },
        new("pod_in_the_prefix_of_another_node", Kindnet + "\nroute add 10.244.2.9/32 dev veth1", FindingCode.PrefixOfAnotherNode),
        new("vxlan_by_program", Kindnet
            + "\nlink add cilium_vxlan type vxlan external dstport 8472\nlink set cilium_vxlan up", FindingCode.EncapsulatedByOthers),
        new("geneve_by_program", Kindnet + "\nlink add gnv0 type geneve external\nlink set gnv0 up", FindingCode.EncapsulatedByOthers),
        new("rule_of_a_vpn_client", Calico + "\nrule add pref 105 lookup main suppress_prefixlength 0", FindingCode.RuleBeforeOurs),
        new("rule_with_priority_0", Bridge + "\nrule add pref 0 from 10.244.1.0/25 lookup main", FindingCode.RuleBeforeOurs),
        new("rule_to_the_other_nodes_pods", Bridge + "\nrule add pref 20 to 10.244.0.0/16 lookup main", FindingCode.RuleBeforeOurs),
        new("rule_for_the_link_of_a_pod", Calico
            + "\nrule add pref 10 iif cali1 lookup 101\nroute add default via 192.168.7.254 table 101", FindingCode.RuleBeforeOurs),
        new("rule_that_refuses", Kindnet + "\nrule add pref 30 to 10.244.2.0/24 unreachable", FindingCode.RuleBeforeOurs),
        new("cilium_with_native_routing", Cilium, FindingCode.CiliumAgentDeletesDevice),
        new("bpf_host_routing_with_pods_that_fit", Kindnet
            + "\nlink set veth1 mtu 1400", FindingCode.BpfHostRouting) { BlindSpot = UnseenDevice },
        new("bpf_host_routing_with_large_pods", Kindnet, FindingCode.PodMtuTooLarge) { BlindSpot = UnseenDevice },
        new("program_sends_past_netfilter", Kindnet, FindingCode.SentPastNetfilter) { BlindSpot = new(
            "eth0", IsDevice: false, SentBytes: 140_000, SeenBytes: 3_000) },
        new("range_is_the_network_of_the_nodes", Kindnet, FindingCode.RangeHoldsNodes) { PodRanges = "192.168.0.0/16" },
        new("flannel_vxlan", Flannel, FindingCode.NodeAddressInPodRange),
        new("flannel_vxlan_that_is_told_of", Flannel) { ToldAddresses = "10.244.1.0/32" },
    ];
}
