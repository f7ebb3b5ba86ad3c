using System.Globalization;
using System.Net;
using System.Text.RegularExpressions;

namespace Orleans.WireGuard.LocalMesh.Topology;

/// <summary>Every name, address and port of a mesh on one machine: a pure function of an instance and a node count.</summary>
/// <remarks>Two plans with other prefixes and octets share no name and no address, so a test runs beside a demo.</remarks>
internal sealed partial record MeshPlan
{
    /// <summary>Fewest nodes that make a mesh.</summary>
    public const int MinNodes = 2;

    /// <summary>Most nodes that one machine is asked to carry.</summary>
    public const int MaxNodes = 20;

    /// <summary>The WireGuard device of slot 0, which every node has.</summary>
    public const string DeviceName = "cilium_wg0";

    /// <summary>UDP port of <see cref="DeviceName"/>.</summary>
    public const int WireGuardPort = 51871;

    /// <summary>The devices of a node, by slot.</summary>
    public static IReadOnlyList<string> DeviceNames { get; } = [DeviceName, "cilium_wg1"];

    /// <summary>UDP ports of <see cref="DeviceNames"/>. A slot talks to the same slot of another node only.</summary>
    public static IReadOnlyList<int> WireGuardPorts { get; } = [WireGuardPort, 51872];

    /// <summary>TCP port between silos.</summary>
    public const int SiloPort = 11111;

    /// <summary>TCP port for Orleans clients, on loopback only.</summary>
    public const int GatewayPort = 30000;

    /// <summary>TCP port of health and dashboard.</summary>
    public const int WebPort = 8080;

    /// <summary>TCP port of the membership store.</summary>
    public const int RedisPort = 6379;

    /// <summary>TCP port of the API server, on the host's address of the underlay.</summary>
    public const int ApiServerPort = 6443;

    private const int HostNumber = 254;
    private const int PrefixLength = 24;
    private const int IPv6PrefixLength = 64;

    // A link name holds 15 characters, and "-underlay" takes 9 of them.
    private const int MaxPrefixLength = 6;

    /// <summary>Makes a plan.</summary>
    /// <param name="prefix">1 to 6 lower-case letters or digits, before every name.</param>
    /// <param name="nodeCount"><see cref="MinNodes"/> to <see cref="MaxNodes"/>.</param>
    /// <param name="underlayOctet">The underlay is 192.168.<paramref name="underlayOctet"/>.0/24.</param>
    /// <param name="podOctet">Node i has the pods 10.<paramref name="podOctet"/>.i.0/24.</param>
    /// <param name="isDualStack">
    /// Whether nodes and pods also have IPv6: the underlay fd00:192:168:<paramref name="underlayOctet"/>::/64, node i the pods
    /// fd00:10:<paramref name="podOctet"/>:i::/64, digits read as hexadecimal.
    /// </param>
    /// <exception cref="ArgumentException">The prefix is not usable in a link name.</exception>
    /// <exception cref="ArgumentOutOfRangeException">The node count is out of range.</exception>
    public MeshPlan(string prefix, int nodeCount, byte underlayOctet, byte podOctet, bool isDualStack = false)
    {
        if (prefix.Length > MaxPrefixLength || !PrefixPattern().IsMatch(prefix))
        {
            throw new ArgumentException($"'{prefix}' cannot name links: expected 1 to 6 lower-case letters or digits.", nameof(prefix));
        }

        ArgumentOutOfRangeException.ThrowIfLessThan(nodeCount, MinNodes);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(nodeCount, MaxNodes);
        Prefix = prefix;
        Bridge = prefix + "-underlay";
        Underlay = new IPNetwork(new IPAddress([192, 168, underlayOctet, 0]), PrefixLength);
        HostAddress = new IPAddress([192, 168, underlayOctet, HostNumber]);
        PodNetwork = new IPNetwork(new IPAddress([10, podOctet, 0, 0]), 16);
        Nodes = [.. Enumerable.Range(1, nodeCount).Select(i => new NodePlan(
            i,
            Name("node", i),
            Name("pod", i),
            prefix + "-" + Name("node", i),
            prefix + "-" + Name("pod", i),
            string.Create(CultureInfo.InvariantCulture, $"{prefix}-n{i}"),
            new IPAddress([192, 168, underlayOctet, (byte)i]),
            new IPNetwork(new IPAddress([10, podOctet, (byte)i, 0]), PrefixLength),
            new IPAddress([10, podOctet, (byte)i, 1]),
            new IPAddress([10, podOctet, (byte)i, 10]))
        {
            IPv6 = isDualStack ? CreateIPv6(underlayOctet, podOctet, i) : null,
        })];
    }

    /// <summary>Before every name of the machine that belongs to this mesh.</summary>
    public string Prefix { get; }

    /// <summary>The bridge that all nodes are connected to, in the host's namespace.</summary>
    public string Bridge { get; }

    /// <summary>The network of the nodes' own addresses.</summary>
    public IPNetwork Underlay { get; }

    /// <summary>The host's address on the underlay; Redis listens there.</summary>
    public IPAddress HostAddress { get; }

    /// <summary>Holds the pod CIDRs of all nodes.</summary>
    public IPNetwork PodNetwork { get; }

    /// <summary>Whether nodes and pods have IPv6 too.</summary>
    public bool IsDualStack => Nodes[0].IPv6 is not null;

    /// <summary>By number.</summary>
    public IReadOnlyList<NodePlan> Nodes { get; }

    /// <summary>Where the host finds the Orleans Dashboard, which only the first node serves to others.</summary>
    public Uri DashboardUri => new($"http://{Nodes[0].Address}:{WebPort}/dashboard/");

    /// <summary>All ordered pairs of different nodes.</summary>
    public IEnumerable<(NodePlan From, NodePlan To)> OrderedPairs =>
        from a in Nodes from b in Nodes where a != b select (a, b);

    /// <summary>The plan of <c>make demo</c>.</summary>
    public static MeshPlan Demo(int nodeCount) => new("owg", nodeCount, 100, 244);

    /// <summary>The plan of the end-to-end tests.</summary>
    /// <param name="nodeCount"><see cref="MinNodes"/> to <see cref="MaxNodes"/>.</param>
    /// <param name="isDualStack">Whether nodes and pods have IPv6 too.</param>
    public static MeshPlan Test(int nodeCount, bool isDualStack = false) => new("owgt", nodeCount, 101, 245, isDualStack);

    /// <summary>The plan of the tests that measure for long: others may run beside them.</summary>
    public static MeshPlan Steady(int nodeCount) => new("owgs", nodeCount, 102, 246);

    /// <summary>The plan of <c>make bench-rotation</c>, which takes long enough to have a demo beside it.</summary>
    public static MeshPlan Bench(int nodeCount) => new("owgb", nodeCount, 105, 249);

    /// <summary>Address at which the silo of <paramref name="node"/> serves health and pages.</summary>
    /// <remarks>Only the first node's page is for the host; the others stay on loopback.</remarks>
    public IPAddress WebAddress(NodePlan node) => node == Nodes[0] ? node.Address : IPAddress.Loopback;

    /// <summary>Whether <paramref name="name"/> is a namespace of this prefix, whatever the node count was.</summary>
    public bool OwnsNamespace(string name) => IsNumbered(name, Prefix + "-node-") || IsNumbered(name, Prefix + "-pod-");

    /// <summary>Whether <paramref name="name"/> is a link of this prefix in the host's namespace.</summary>
    public bool OwnsLink(string name) => name == Bridge || IsNumbered(name, Prefix + "-n");

    /// <summary>Whether <paramref name="name"/> is a node namespace of any mesh that this harness could have made.</summary>
    public static bool IsNodeNamespace(string name) => NodeNamespacePattern().IsMatch(name);

    private static bool IsNumbered(string name, string stem) =>
        name.StartsWith(stem, StringComparison.Ordinal)
        && int.TryParse(name.AsSpan(stem.Length), NumberStyles.None, CultureInfo.InvariantCulture, out _);

    private static NodePlanIPv6 CreateIPv6(byte underlayOctet, byte podOctet, int number)
    {
        IPAddress Parse(string text, params object[] values) => IPAddress.Parse(string.Format(CultureInfo.InvariantCulture, text, values));
        return new NodePlanIPv6(
            Parse("fd00:192:168:{0}::{1}", underlayOctet, number),
            new IPNetwork(Parse("fd00:10:{0}:{1}::", podOctet, number), IPv6PrefixLength),
            Parse("fd00:10:{0}:{1}::1", podOctet, number),
            Parse("fd00:10:{0}:{1}::10", podOctet, number));
    }

    private static string Name(string kind, int number) => string.Create(CultureInfo.InvariantCulture, $"{kind}-{number}");

    [GeneratedRegex("^[a-z0-9]+$")]
    private static partial Regex PrefixPattern();

    [GeneratedRegex("^[a-z0-9]{1,6}-node-[0-9]+$")]
    private static partial Regex NodeNamespacePattern();
}
