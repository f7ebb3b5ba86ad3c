// Links, routes and rules on this machine's own kernel, in network namespaces.
using System.Diagnostics;
using System.Net;
using System.Text.Json;
using Orleans.WireGuard.Linux.Routing;
using Orleans.WireGuard.LocalMesh.Processes;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.EndToEnd.Routing;

[Trait("Kind", "EndToEnd")]
public sealed class NetlinkLinkClientTests(ITestOutputHelper output)
{
    private static readonly string[] Refused = ["10.8.0.1", "10.7.0.1", "10.6.0.1", "fd00:8::1"];

    public static TheoryData<string> Cases => [.. LinkCases.All.Select(linkCase => linkCase.Name)];

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [MemberData(nameof(Cases))]
    public async Task Case_OnThisKernel_Passes(string name)
    {
        SkipWithoutRoot();
        await LinkCases.All.Single(linkCase => linkCase.Name == name).RunInNamespaceAsync(Token);
    }

    // What a resync of a large mesh asks. The time is for people; what is asserted is that every way is told.
    [Theory]
    [InlineData(1_000)]
    [InlineData(5_000)]
    public async Task FindWays_OfALargeMesh_TellsEach(int nodes)
    {
        SkipWithoutRoot();
        using var space = await NamespaceThread.CreateAsync("ways", Token);
        await space.RunAsync(async () =>
        {
            var links = new NetlinkLinkClient(TimeProvider.System);
            await File.WriteAllTextAsync("/proc/sys/net/ipv4/ip_forward", "1", Token);
            foreach (var link in (string[])["pod0", "cilium_wg0"])
            {
                await links.CreateLinkAsync(link, "veth", Token);
                await links.SetUpAsync(link, Token);
            }

            await links.AddAddressAsync("pod0", new LinkAddress(IPAddress.Parse("10.244.0.1"), 24), Token);
            await links.AddRuleAsync(IPPrefix.Parse("10.244.0.0/24"), Token);
            List<IPPrefix> remote =
                [.. Enumerable.Range(0, nodes).Select(i => IPPrefix.Parse(FormattableString.Invariant($"10.{i >> 8}.{i & 255}.0/24")))];
            foreach (var prefix in remote)
            {
                await links.ReplaceRouteAsync(new Route(prefix, "cilium_wg0"), Token);
            }

            var origin = await links.FindPodLinkAsync(IPPrefix.Parse("10.244.0.0/24"), Token);
            Assert.NotNull(origin);
            var questions = remote.Select(prefix => new WayQuestion(origin, PodAddress.Remote(prefix))).ToEquatableArray();
            _ = await links.FindWaysAsync(questions, Token);
            var started = Stopwatch.GetTimestamp();
            var ways = await links.FindWaysAsync(questions, Token);
            output.WriteLine($"{nodes} ways asked in {Stopwatch.GetElapsedTime(started).TotalMilliseconds:0.0} ms");
            Assert.All(ways, way => Assert.Equal(new Way("cilium_wg0", 201, WayFate.Leaves), way));
        });
    }

    // A node in the range of the pods: past the tunnel, through it and past it again, each in one step, and never refused; and this node's
    // own packets, which are WireGuard's too, are not led into the device.
    [Theory]
    [InlineData("10.244.0.0/16", "10.244.9.1", "10.244.9.2", "10.244.1.7")]
    [InlineData("fd00:244::/32", "fd00:244::9:1", "fd00:244::9:2", "fd00:244::1:7")]
    public async Task NodesInARange_AreReachedByTheTunnelOrPastIt(string range, string own, string other, string pod)
    {
        SkipWithoutRoot();
        using var space = await NamespaceThread.CreateAsync("range", Token);
        await space.RunAsync(async () =>
        {
            var links = new NetlinkLinkClient(TimeProvider.System);
            foreach (var link in (string[])["eth0", "cilium_wg0"])
            {
                await links.CreateLinkAsync(link, "veth", Token);
                await links.SetUpAsync(link, Token);
            }

            var all = IPPrefix.Parse(range);
            var node = IPPrefix.Host(IPAddress.Parse(other));
            foreach (var address in (string[])[own, pod])
            {
                await links.AddAddressAsync("eth0", new LinkAddress(IPAddress.Parse(address), node.Length), Token);
            }

            (await Command.RunAsync("ip", ["route", "add", range, "dev", "eth0"], Token)).EnsureSuccess();
            var ofNode = links.At(links.Table.OfNode);
            await ofNode.AddRuleAsync(IPPrefix.Host(IPAddress.Parse(own)), Token);
            await links.ReplaceRouteAsync(Route.Throw(node), Token);
            await links.ReplaceRouteAsync(Route.Unreachable(all), Token);
            await links.AddRuleAsync(all, Token);
            Assert.Equal([IPPrefix.Host(IPAddress.Parse(own))], await ofNode.GetRulesAsync(Token));
            Assert.Equal([all], await links.GetRulesAsync(Token));
            Assert.Empty(await links.GetFormerTablesAsync(Token));

            foreach (var expected in (string[])["eth0", "cilium_wg0", "eth0"])
            {
                var route = expected == "eth0" ? Route.Throw(node) : new Route(node, expected);
                await links.ReplaceRouteAsync(route, Token);
                Assert.Equal([route], (await links.GetRoutesAsync(Token)).Where(found => found.Destination == node));
                Assert.Contains($"dev {expected} ", await WayAsync(other, pod), StringComparison.Ordinal);
                Assert.Contains("dev eth0 ", await WayAsync(other, own), StringComparison.Ordinal);
            }

            // Another pod has no tunnel: refused for a pod, and a matter of the main table for this node.
            var stranger = other[..^1] + "7";
            Assert.NotEqual(0, (await Command.RunAsync("ip", ["route", "get", stranger, "from", pod], Token)).ExitCode);
            Assert.Contains("dev eth0 ", await WayAsync(stranger, own), StringComparison.Ordinal);
        });

        static async Task<string> WayAsync(string to, string from) =>
            (await Command.RunAsync("ip", ["route", "get", to, "from", from], Token)).EnsureSuccess().Output;
    }

    // Of what this node sends to another one, only what is packed takes the tunnel; WireGuard's own packets, and those of pods, do not.
    [Fact]
    public async Task PackedPackets_OfThisNode_TakeTheTunnelAlone()
    {
        SkipWithoutRoot();
        using var space = await NamespaceThread.CreateAsync("packed", Token);
        await space.RunAsync(async () =>
        {
            var links = new NetlinkLinkClient(TimeProvider.System);
            foreach (var link in (string[])["eth0", "cilium_wg0", "pod0"])
            {
                await links.CreateLinkAsync(link, "veth", Token);
                await links.SetUpAsync(link, Token);
            }

            await links.AddAddressAsync("eth0", new LinkAddress(IPAddress.Parse("192.168.9.1"), 24), Token);
            await File.WriteAllTextAsync("/proc/sys/net/ipv4/ip_forward", "1", Token);
            (await Command.RunAsync("ip", ["route", "add", "10.244.1.7", "dev", "pod0"], Token)).EnsureSuccess();
            var (table, node) = (links.At(links.Table.OfEncapsulated), IPPrefix.Parse("192.168.9.2/32"));
            await table.ReplaceRouteAsync(Route.Unreachable(node), Token);
            await links.AddPacketRuleAsync(new PacketRule(table.Table, OuterPacket.Udp(8472), IsIPv6: false), Token);
            Assert.NotEqual(0, (await AskAsync("ipproto", "udp", "dport", "8472")).ExitCode);

            await table.ReplaceRouteAsync(new Route(node, "cilium_wg0") { Source = IPAddress.Parse("192.168.9.1") }, Token);
            Assert.Contains(
                "dev cilium_wg0 table 202 src 192.168.9.1 ", (await AskAsync("ipproto", "udp", "dport", "8472")).Output, StringComparison.Ordinal);
            Assert.Contains("dev eth0 ", (await AskAsync("ipproto", "udp", "dport", "51871")).Output, StringComparison.Ordinal);
            Assert.Contains("dev eth0 ", (await AskAsync("ipproto", "tcp", "dport", "8472")).Output, StringComparison.Ordinal);
            var ofPod = await AskAsync("from", "10.244.1.7", "iif", "pod0", "ipproto", "udp", "dport", "8472");
            Assert.Contains("dev eth0 ", ofPod.Output, StringComparison.Ordinal);
        });

        static Task<CommandResult> AskAsync(params string[] packet) =>
            Command.RunAsync("ip", ["route", "get", "192.168.9.2", .. packet], Token);
    }

    // ip(8) is the witness: it sees what we made, and we see nothing of what it made.
    [Fact]
    public async Task RoutesAndRules_BesideSomebodyElses_AreOursAlone()
    {
        SkipWithoutRoot();
        using var space = await NamespaceThread.CreateAsync("beside", Token);
        await space.RunAsync(async () =>
        {
            var links = new NetlinkLinkClient(TimeProvider.System);
            var ours = new Route(IPPrefix.Parse("10.244.2.0/24"), "owg0");
            await links.CreateLinkAsync("owg0", "veth", Token);
            await links.SetUpAsync("owg0", Token);
            await IpAsync("route add 10.9.0.0/16 dev owg0 table 201 proto static");
            await IpAsync("route add 10.8.0.0/16 dev owg0 table 202 proto 201");
            await IpAsync("rule add from 10.7.0.0/16 lookup 201 pref 300");

            await links.ReplaceRouteAsync(ours, Token);
            await links.AddRuleAsync(IPPrefix.Parse("10.244.1.0/24"), Token);

            Assert.Equal([ours], await links.GetRoutesAsync(Token));
            Assert.Equal([IPPrefix.Parse("10.244.1.0/24")], await links.GetRulesAsync(Token));
            var route = Assert.Single(Parse(await IpAsync("-j -N route show table 201 proto 201")));
            Assert.Equal("10.244.2.0/24", route.GetProperty("dst").GetString());
            Assert.Equal("owg0", route.GetProperty("dev").GetString());
            var rule = Assert.Single(
                Parse(await IpAsync("-j -N rule show")), rule => rule.GetProperty("priority")
                    .GetInt32() == (int)RouteTable.Default.RulePriority);
            Assert.Equal("10.244.1.0", rule.GetProperty("src").GetString());
            Assert.Equal("201", rule.GetProperty("table").GetString());

            await links.DeleteRouteAsync(ours, Token);
            await links.DeleteRuleAsync(IPPrefix.Parse("10.244.1.0/24"), Token);
            Assert.Single(Parse(await IpAsync("-j -N route show table 201")));
            Assert.Single(Parse(await IpAsync("-j -N route show table 202")));
            Assert.Single(Parse(await IpAsync("-j -N rule show")), r => r.GetProperty("priority").GetInt32() == 300);
        });
    }

    [Fact]
    public async Task TryGetPath_RouteWithItsOwnMtu_IsThatOne()
    {
        SkipWithoutRoot();
        using var space = await NamespaceThread.CreateAsync("mtu", Token);
        await space.RunAsync(async () =>
        {
            var links = new NetlinkLinkClient(TimeProvider.System);
            await links.CreateLinkAsync("owg0", "veth", Token);
            await links.SetUpAsync("owg0", Token);
            await IpAsync("route add 10.9.0.0/16 dev owg0 mtu 1350");
            await IpAsync("route add unreachable 10.8.0.0/16");
            await IpAsync("route add prohibit 10.7.0.0/16");
            await IpAsync("route add blackhole 10.6.0.0/16");
            await IpAsync("-6 route add unreachable fd00:8::/32");

            Assert.Equal(1350, (await links.TryGetPathAsync(IPAddress.Parse("10.9.0.1"), Token))?.Mtu);
            foreach (var address in Refused)
            {
                Assert.Null((await links.TryGetPathAsync(IPAddress.Parse(address), Token))?.Mtu);
            }
        });
    }

    /// <summary>Routes of somebody else in our table, and how they are told of.</summary>
    public static TheoryData<string, string> ForeignRoutes => new()
    {
        { "route add default via 192.168.0.9 table 201", "default via 192.168.0.9 dev owg0 proto 3" },
        { "route add 10.9.0.0/16 dev owg0 table 201 proto static", "10.9.0.0/16 dev owg0 proto 4" },
        { "route add 10.9.0.0/16 via 192.168.0.9 table 201 proto 201", "10.9.0.0/16 via 192.168.0.9 dev owg0 proto 201" },
        { "route add 10.9.0.0/16 table 201 nexthop via 192.168.0.9 nexthop via 192.168.0.8", "10.9.0.0/16 dev owg0 proto 3" },
        { "route add 10.9.0.0/16 tos 8 dev owg0 table 201 metric 7", "10.9.0.0/16 dev owg0 proto 3" },
        { "route add blackhole 10.9.0.0/16 table 201 proto 201", "blackhole 10.9.0.0/16 proto 201" },
        { "route add local 10.9.0.1 dev owg0 table 201", "type 2 10.9.0.1/32 dev owg0 proto 3" },
        { "-6 route add default via fd00::9 table 201 metric 5", "default via fd00::9 dev owg0 proto 3" },
        { "-6 route add unreachable fd00:9::/32 table 201", "unreachable fd00:9::/32 dev lo proto 3" },
    };

    [Theory]
    [MemberData(nameof(ForeignRoutes))]
    public async Task DeleteForeignRoute_OfAnyKind_RemovesItAlone(string added, string described)
    {
        SkipWithoutRoot();
        using var space = await NamespaceThread.CreateAsync("foreign", Token);
        await space.RunAsync(async () =>
        {
            var links = new NetlinkLinkClient(TimeProvider.System);
            Route[] ours = [new(IPPrefix.Parse("10.9.0.0/16"), "owg0"), Route.Unreachable(IPPrefix.Parse("10.9.0.0/16"))];
            await links.CreateLinkAsync("owg0", "veth", Token);
            await links.SetUpAsync("owg0", Token);
            await links.AddAddressAsync("owg0", new LinkAddress(IPAddress.Parse("192.168.0.1"), 24), Token);
            await links.AddAddressAsync("owg0", new LinkAddress(IPAddress.Parse("fd00::1"), 64), Token);
            await IpAsync("route add 10.9.0.0/16 dev owg0 table 202");
            await IpAsync(added);
            var foreign = Assert.Single(await links.GetForeignRoutesAsync(Token));
            Assert.Equal(described, foreign.Description);

            await links.DeleteForeignRouteAsync(foreign, Token);
            await links.DeleteForeignRouteAsync(foreign, Token);
            Assert.Empty(await links.GetForeignRoutesAsync(Token));
            foreach (var route in ours)
            {
                await links.ReplaceRouteAsync(route, Token);
            }

            Assert.Equal(ours, await links.GetRoutesAsync(Token));
            Assert.Empty(await links.GetForeignRoutesAsync(Token));
            Assert.Single(Parse(await IpAsync("-j -N route show table 202")));
        });
    }

    // What a resync costs a node of a large mesh.
    [Fact]
    public async Task FindWays_OfAThousandNodes_IsCheap()
    {
        const int Nodes = 1_000;
        SkipWithoutRoot();
        using var space = await NamespaceThread.CreateAsync("cost", Token);
        await space.RunAsync(async () =>
        {
            var links = new NetlinkLinkClient(TimeProvider.System);
            File.WriteAllText("/proc/sys/net/ipv4/ip_forward", "1");
            await links.CreateLinkAsync("owg0", "veth", Token);
            await links.SetUpAsync("owg0", Token);
            await links.AddAddressAsync("owg0", new LinkAddress(IPAddress.Parse("10.0.0.1"), 24), Token);
            await links.AddRuleAsync(IPPrefix.Parse("10.0.0.0/24"), Token);
            var prefixes = Enumerable.Range(1, Nodes)
                .Select(node => new IPPrefix(new IPAddress([10, (byte)(node >> 8), (byte)node, 0]), 24)).ToList();
            foreach (var prefix in prefixes)
            {
                await links.ReplaceRouteAsync(Route.Unreachable(prefix), Token);
                await links.ReplaceRouteAsync(new Route(prefix, "owg0"), Token);
            }

            var from = await links.FindPodLinkAsync(IPPrefix.Parse("10.0.0.0/24"), Token);
            var questions = prefixes.Select(prefix => new WayQuestion(from!, PodAddress.Remote(prefix))).ToEquatableArray();
            var costs = new List<double>();
            for (var round = 0; round < 10; round++)
            {
                var started = Stopwatch.GetTimestamp();
                var ways = await links.FindWaysAsync(questions, Token);
                costs.Add(Stopwatch.GetElapsedTime(started).TotalMilliseconds);
                Assert.All(ways, way => Assert.Equal("owg0", way.LinkName));
            }

            var foreign = Stopwatch.GetTimestamp();
            Assert.Empty(await links.GetForeignRoutesAsync(Token));
            TestContext.Current.TestOutputHelper?.WriteLine(
                $"{Nodes} ways: {costs.Min():0.0} ms at best, {costs.Order().ElementAt(5):0.0} ms in the middle; foreign routes among {2 * Nodes}: "
                + $"{Stopwatch.GetElapsedTime(foreign).TotalMilliseconds:0.0} ms");
        });
    }

    private static void SkipWithoutRoot() => Assert.SkipUnless(Environment.IsPrivilegedProcess, "network namespaces need root");

    private static List<JsonElement> Parse(string json) =>
        [.. JsonDocument.Parse(json.Length == 0 ? "[]" : json).RootElement.EnumerateArray()];

    private static async Task<string> IpAsync(string arguments) =>
        (await Command.RunAsync("ip", arguments.Split(' '), Token)).EnsureSuccess().Output;
}
