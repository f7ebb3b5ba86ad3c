using System.Net;
using Orleans.WireGuard.Linux.Routing;
using Orleans.WireGuard.Silo.Findings;
using Orleans.WireGuard.Silo.Nodes.Prefixes;
using static Orleans.WireGuard.Silo.Nodes.Prefixes.KernelPace;

namespace Orleans.WireGuard.Tests.Unit.Nodes.Prefixes;

/// <summary>What of a node's kernel is told to others, and when the kernel is read.</summary>
public sealed class KernelPrefixesTests
{
    private const int Underlay = 2;
    private const int Cable = 5;
    private const int Bridge = 6;

    private static readonly IPAddress Node = IPAddress.Parse("10.240.0.4");

    [Fact]
    public void Find_HostRoutesBridgesAndBlocks_AreFoundInTheRangesOnly()
    {
        var dump = Dump(
            [Route("10.250.0.7/32", Cable), Route("10.99.0.7/32", Cable), Route("10.250.9.7/32", Underlay)],
            Block("10.250.4.64/26", 80), Block("10.250.5.64/26", 12), Block("10.250.6.64/26", 4), Block("10.99.4.64/26", 80));
        Assert.Equal(["10.250.0.7/32", "10.250.1.0/24", "10.250.4.64/26", "10.250.5.64/26"], Find(dump, "10.250.0.0/16"));
        Assert.Equal(["10.99.0.7/32", "10.99.4.64/26"], Find(dump, "10.99.0.0/16"));
    }

    // An address of the node itself, whoever routes it, and whatever would hold where the node is reached.
    [Fact]
    public void Find_AddressOfThisNode_IsNotTold()
    {
        var dump = Dump(
            [Route("10.250.3.1/32", Cable), Route("10.240.0.4/32", Cable), Route("10.240.0.9/32", Cable)], Block("10.240.0.0/26", 80));
        Assert.Equal(["10.240.0.9/32", "10.250.1.0/24"], Find(dump, "10.240.0.0/12"));
    }

    [Fact]
    public void FindUnderlay_LinksOfTheNodeAndOfDefaultRoutes()
    {
        var dump = Dump([new RouteEntry(254, IPPrefix.Parse("0.0.0.0/0"), 9, RouteAction.Forward) { HasGateway = true }]);
        Assert.Equal([Underlay, 9], KernelPrefixes.FindUnderlay(dump, [Node]).Order());
    }

    [Fact]
    public void DueIn_FirstPodAfterASilence_IsAtOnce()
    {
        Assert.Equal(Debounce, DueIn(PodNews.RouteCame, Zero, Seconds(20), Milliseconds(2)));
        Assert.True(DueIn(PodNews.RouteCame, Debounce, Seconds(20), Milliseconds(2)) <= Zero);
        Assert.Equal(SlowDebounce, DueIn(PodNews.Other, Zero, Seconds(20), Milliseconds(2)));
    }

    // A tenth of a core at most while pods start, however many do, and half a percent at rest.
    [Theory]
    [InlineData(2)]
    [InlineData(20)]
    [InlineData(40)]
    public void DueIn_AnyCost_StaysWithinItsShare(int cost)
    {
        var busy = DueIn(PodNews.RouteCame, Seconds(1), Zero, Milliseconds(cost));
        Assert.InRange(cost / (busy.TotalMilliseconds + cost), 0, 0.1);
        Assert.InRange(cost / (DueIn(PodNews.None, Zero, Zero, Milliseconds(cost)).TotalMilliseconds + cost), 0, 0.005);
        var check = KernelPace.DueIn(PodNews.Other, Seconds(1), Zero, Milliseconds(cost), isSource: false);
        Assert.InRange(cost / (check.TotalMilliseconds + cost), 0, 0.005);
        Assert.InRange(1000 / busy.TotalMilliseconds, 0, 50);
    }

    private static TimeSpan Zero => TimeSpan.Zero;

    private static TimeSpan DueIn(PodNews news, TimeSpan sinceNews, TimeSpan sinceRead, TimeSpan cost) =>
        KernelPace.DueIn(news, sinceNews, sinceRead, cost, isSource: true);

    private static TimeSpan Seconds(int value) => TimeSpan.FromSeconds(value);

    private static TimeSpan Milliseconds(int value) => TimeSpan.FromMilliseconds(value);

    private static IEnumerable<string> Find(NetworkDump dump, string range) => KernelPrefixes.Find(
        dump, LocalPods.Find(dump, KernelPrefixes.FindUnderlay(dump, [Node])), [IPPrefix.Parse(range)], [Node])
        .Select(prefix => prefix.ToString());

    private static RouteEntry Route(string destination, int link) => new(254, IPPrefix.Parse(destination), link, RouteAction.Forward);

    private static RouteEntry Block(string destination, byte protocol) =>
        new(254, IPPrefix.Parse(destination), 0, RouteAction.Refuse) { Protocol = protocol };

    private static NetworkDump Dump(RouteEntry[] routes, params RouteEntry[] blocks) => new(
        [
            new LinkEntry("eth0", Underlay, "veth", 1500, true) { IsPeerElsewhere = true },
            new LinkEntry("veth0", Cable, "veth", 1500, true) { IsPeerElsewhere = true },
            new LinkEntry("cni0", Bridge, "bridge", 1500, true),
            new LinkEntry("veth1", 7, "veth", 1500, true) { IsPeerElsewhere = true, MasterIndex = Bridge },
        ],
        [
            new AddressEntry(Underlay, Node, 24),
            new AddressEntry(Bridge, IPAddress.Parse("10.250.1.1"), 24),
            new AddressEntry(Cable, IPAddress.Parse("10.250.3.1"), 32),
        ],
        [.. routes, .. blocks],
        [],
        new ForwardingEntry(null, 0));
}
