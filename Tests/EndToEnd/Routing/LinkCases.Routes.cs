// Cases about routes and rules.
using System.Net;
using System.Net.Sockets;
using Orleans.WireGuard.Linux.Routing;
using Orleans.WireGuard.Tests.Support;
using static Orleans.WireGuard.Linux.Errno;

namespace Orleans.WireGuard.Tests.EndToEnd.Routing;

internal static partial class LinkCases
{
    private static readonly IPPrefix[] Prefixes = [IPPrefix.Parse("10.244.2.0/24"), IPPrefix.Parse("fd00:244:2::/64")];

    private static async Task RoutesComeAndGoAsync(NetlinkLinkClient links, CancellationToken token)
    {
        Expect.Equal([], await links.GetRoutesAsync(token));
        await CreateUpAsync(links, "owg0", token);
        Route[] routes =
        [
            new(IPPrefix.Parse("0.0.0.0/0"), "owg0"),
            new(IPPrefix.Parse("10.244.1.0/24"), "owg0"),
            new(IPPrefix.Parse("10.244.1.7/32"), "owg0"),
            new(IPPrefix.Parse("::/0"), "owg0"),
            new(IPPrefix.Parse("fd00:244:1::/64"), "owg0"),
        ];
        foreach (var route in routes.Reverse())
        {
            await links.ReplaceRouteAsync(route, token);
            await links.ReplaceRouteAsync(route, token);
        }

        Expect.Equal([.. routes], await links.GetRoutesAsync(token));
        foreach (var route in routes)
        {
            await links.DeleteRouteAsync(route, token);
            await links.DeleteRouteAsync(route, token);
            await links.DeleteRouteAsync(route with { DeviceName = "owg9" }, token);
        }

        Expect.Equal([], await links.GetRoutesAsync(token));
        await Expect.FailsAsync(() => links.ReplaceRouteAsync(new Route(Prefixes[0], "owg9"), token), ENODEV);
    }

    private static async Task RouteMovesInOneStepAsync(NetlinkLinkClient links, CancellationToken token)
    {
        await CreateUpAsync(links, "owg0", token);
        await CreateUpAsync(links, "owg1", token);
        foreach (var prefix in Prefixes)
        {
            await links.ReplaceRouteAsync(new Route(prefix, "owg0"), token);
        }

        foreach (var prefix in Prefixes)
        {
            await links.ReplaceRouteAsync(new Route(prefix, "owg1"), token);
        }

        Expect.Equal([.. Prefixes.Select(prefix => new Route(prefix, "owg1"))], await links.GetRoutesAsync(token));
    }

    private static async Task RoutesGoWithTheirLinkAsync(NetlinkLinkClient links, CancellationToken token)
    {
        await CreateUpAsync(links, "owg0", token);
        foreach (var prefix in Prefixes)
        {
            await links.ReplaceRouteAsync(new Route(prefix, "owg0"), token);
        }

        await links.DeleteLinkAsync("owg0", Kind, token);

        Expect.Equal([], await links.GetRoutesAsync(token));
    }

    private static async Task UnreachableLiesBelowARouteAsync(NetlinkLinkClient links, CancellationToken token)
    {
        await CreateUpAsync(links, "owg0", token);
        await links.AddAddressAsync("owg0", new LinkAddress(IPAddress.Parse("10.244.9.1"), 24), token);
        await links.AddAddressAsync("owg0", new LinkAddress(IPAddress.Parse("fd00:244:9::1"), 64), token);
        foreach (var prefix in Prefixes)
        {
            var pod = IPAddress.Parse(prefix.IsIPv6 ? "fd00:244:9::1" : "10.244.9.1");
            var remote = IPAddress.Parse(prefix.IsIPv6 ? "fd00:244:2::5" : "10.244.2.5");
            await links.AddRuleAsync(IPPrefix.Host(pod), token);
            Route through = new(prefix, "owg0");
            var refusal = Route.Unreachable(prefix);

            await links.ReplaceRouteAsync(refusal, token);
            await links.ReplaceRouteAsync(refusal, token);
            Expect.Equal(SocketError.HostUnreachable, Send(pod, remote));

            await links.ReplaceRouteAsync(through, token);
            Expect.Equal([through, refusal], await RoutesToAsync(links, prefix, token));
            Expect.Equal(SocketError.Success, Send(pod, remote));

            await links.DeleteRouteAsync(through, token);
            Expect.Equal([refusal], await RoutesToAsync(links, prefix, token));
            Expect.Equal(SocketError.HostUnreachable, Send(pod, remote));

            await links.ReplaceRouteAsync(through, token);
            await links.DeleteRouteAsync(refusal, token);
            Expect.Equal([through], await RoutesToAsync(links, prefix, token));
        }
    }

    private static async Task ThrowIsAnExceptionFromUnreachableAsync(NetlinkLinkClient links, CancellationToken token)
    {
        await CreateUpAsync(links, "owg0", token);
        await links.AddAddressAsync("owg0", new LinkAddress(IPAddress.Parse("10.244.9.1"), 24), token);
        await links.AddAddressAsync("owg0", new LinkAddress(IPAddress.Parse("fd00:244:9::1"), 64), token);
        foreach (var (cluster, own, pod, neighbour) in new[]
        {
            ("10.244.0.0/16", "10.244.9.0/24", "10.244.9.1", "10.244.9.7"),
            ("fd00:244::/32", "fd00:244:9::/64", "fd00:244:9::1", "fd00:244:9::7"),
        })
        {
            var refusal = Route.Unreachable(IPPrefix.Parse(cluster));
            var exception = Route.Throw(IPPrefix.Parse(own));
            await links.AddRuleAsync(IPPrefix.Host(IPAddress.Parse(pod)), token);
            await links.ReplaceRouteAsync(refusal, token);
            Expect.Equal(SocketError.HostUnreachable, Send(IPAddress.Parse(pod), IPAddress.Parse(neighbour)));

            await links.ReplaceRouteAsync(exception, token);
            await links.ReplaceRouteAsync(exception, token);
            Expect.Equal([exception], await RoutesToAsync(links, exception.Destination, token));
            Expect.Equal(SocketError.Success, Send(IPAddress.Parse(pod), IPAddress.Parse(neighbour)));

            await links.DeleteRouteAsync(exception, token);
            Expect.Equal([], await RoutesToAsync(links, exception.Destination, token));
            Expect.Equal(SocketError.HostUnreachable, Send(IPAddress.Parse(pod), IPAddress.Parse(neighbour)));
        }
    }

    private static async Task ManyRoutesAsync(NetlinkLinkClient links, CancellationToken token)
    {
        await CreateUpAsync(links, "owg0", token);
        Route[] routes =
        [
            .. Enumerable.Range(0, 500).Select(i => new Route(IPPrefix.Parse($"10.{i >> 8}.{i & 255}.0/24"), "owg0")),
            .. Enumerable.Range(0, 500).Select(i => new Route(IPPrefix.Parse($"fd00:{i:x}::/64"), "owg0")),
        ];
        foreach (var route in routes)
        {
            await links.ReplaceRouteAsync(route, token);
        }

        Expect.Equal([.. routes.OrderBy(route => route.Destination)], await links.GetRoutesAsync(token));
    }

    private static async Task RulesComeAndGoAsync(NetlinkLinkClient links, CancellationToken token)
    {
        IPPrefix[] sources = [IPPrefix.Parse("10.244.0.0/16"), IPPrefix.Parse("10.244.1.0/24"), IPPrefix.Parse("fd00:244:1::/64")];
        Expect.Equal([], await links.GetRulesAsync(token));
        foreach (var source in sources.Reverse())
        {
            await links.AddRuleAsync(source, token);
            await links.AddRuleAsync(source, token);
        }

        Expect.Equal([.. sources], await links.GetRulesAsync(token));
        foreach (var source in sources)
        {
            await links.DeleteRuleAsync(source, token);
            await links.DeleteRuleAsync(source, token);
        }

        Expect.Equal([], await links.GetRulesAsync(token));
    }

    private static async Task PacketRulesComeAndGoAsync(NetlinkLinkClient links, CancellationToken token)
    {
        var (table, former) = (links.Table.OfEncapsulated, new RouteTable(1000, 90));
        PacketRule[] rules =
        [
            new(former, OuterPacket.Udp(4789), IsIPv6: false),
            new(table, OuterPacket.IPInIP, IsIPv6: false),
            new(table, OuterPacket.Udp(8472), IsIPv6: false),
            new(table, OuterPacket.Udp(8472), IsIPv6: true),
        ];
        foreach (var rule in rules)
        {
            await links.AddPacketRuleAsync(rule, token);
            await links.AddPacketRuleAsync(rule, token);
        }

        var found = await links.GetPacketRulesAsync(token);
        Expect.True(
            found.Count == rules.Length && rules.ToHashSet().SetEquals(found),
            $"these rules: {string.Join(", ", rules)}; got {string.Join(", ", found)}");
        Expect.Equal([], await links.GetRulesAsync(token));
        Expect.Equal([], await links.GetFormerTablesAsync(token));

        // A route with an address of its own, in place of one without.
        await CreateUpAsync(links, "owg0", token);
        await links.AddAddressAsync("owg0", new LinkAddress(IPAddress.Parse("192.168.9.1"), 32), token);
        var routes = links.At(table);
        var route = new Route(IPPrefix.Parse("192.168.9.2/32"), "owg0");
        await routes.ReplaceRouteAsync(Route.Unreachable(route.Destination), token);
        await routes.ReplaceRouteAsync(route, token);
        route = route with { Source = IPAddress.Parse("192.168.9.1") };
        await routes.ReplaceRouteAsync(route, token);
        Expect.Equal([route, Route.Unreachable(route.Destination)], await routes.GetRoutesAsync(token));
        await routes.DeleteRouteAsync(route, token);
        Expect.Equal([Route.Unreachable(route.Destination)], await routes.GetRoutesAsync(token));
        await routes.DeleteRouteAsync(Route.Unreachable(route.Destination), token);

        foreach (var rule in rules)
        {
            await links.DeletePacketRuleAsync(rule, token);
            await links.DeletePacketRuleAsync(rule, token);
        }

        Expect.Equal([], await links.GetPacketRulesAsync(token));
    }

    private static async Task FormerTablesAreFoundAsync(NetlinkLinkClient links, CancellationToken token)
    {
        var source = IPPrefix.Parse("10.244.1.0/24");
        var route = Route.Unreachable(IPPrefix.Parse("10.244.2.0/24"));
        var former = links.At(new RouteTable(1000, 90));
        await links.AddRuleAsync(source, token);
        await links.ReplaceRouteAsync(route, token);
        Expect.Equal([], await links.GetFormerTablesAsync(token));
        await former.AddRuleAsync(source, token);
        await former.ReplaceRouteAsync(route, token);
        Expect.Equal([new RouteTable(1000, 90)], await links.GetFormerTablesAsync(token));
        Expect.Equal([RouteTable.Default], await former.GetFormerTablesAsync(token));
        Expect.Equal([route], await former.GetRoutesAsync(token));

        await former.DeleteRouteAsync(route, token);
        await former.DeleteRuleAsync(source, token);
        Expect.Equal([], await links.GetFormerTablesAsync(token));
        Expect.Equal([], await former.GetRoutesAsync(token));
        Expect.Equal([route], await links.GetRoutesAsync(token));
        Expect.Equal([source], await links.GetRulesAsync(token));
    }

    // Two families; the pods are behind pod0, other nodes behind cilium_wg0, and a rule before ours leads to the main table.
    private static async Task WaysAreThoseOfPacketsAsync(NetlinkLinkClient links, CancellationToken token)
    {
        File.WriteAllText("/proc/sys/net/ipv4/ip_forward", "1");
        File.WriteAllText("/proc/sys/net/ipv6/conf/all/forwarding", "1");
        var main = links.At(new RouteTable(254, 105));
        foreach (var link in (string[])["pod0", "cilium_wg0", "under0"])
        {
            await CreateUpAsync(links, link, token);
        }

        foreach (var (gateway, pods, tunnel, refused, pod) in new[]
        {
            ("10.244.1.1/24", "10.244.1.0/24", "10.244.2.0/24", "10.244.3.0/24", "10.244.1.254"),
            ("fd00:244:1::1/64", "fd00:244:1::/64", "fd00:244:2::/64", "fd00:244:3::/64", "fd00:244:1::ffff:ffff:ffff:fffe"),
        })
        {
            var (own, through, without) = (IPPrefix.Parse(pods), IPPrefix.Parse(tunnel), IPPrefix.Parse(refused));
            Expect.Equal<PodLink?>(null, await links.FindPodLinkAsync(own, token));
            await links.AddAddressAsync("pod0", new LinkAddress(IPAddress.Parse(gateway.Split('/')[0]), own.Length), token);
            var origin = Expect.NotNull(await links.FindPodLinkAsync(own, token));
            Expect.Equal(new PodLink("pod0", IPAddress.Parse(pod)), origin);

            await links.AddRuleAsync(own, token);
            await links.ReplaceRouteAsync(new Route(through, "cilium_wg0"), token);
            await links.ReplaceRouteAsync(Route.Unreachable(without), token);
            EquatableArray<WayQuestion> questions = [new(origin, PodAddress.Remote(through)), new(origin, PodAddress.Remote(without))];
            Expect.Equal([new Way("cilium_wg0", 201, WayFate.Leaves), Way.Refused], await links.FindWaysAsync(questions, token));

            // Without a pod a device of ours stands in for its link.
            await links.SetLooseSourceCheckAsync("cilium_wg0", token);
            EquatableArray<WayQuestion> without0 = [new(new PodLink("cilium_wg0", origin.Address), PodAddress.Remote(through))];
            Expect.Equal([new Way("cilium_wg0", 201, WayFate.Leaves)], await links.FindWaysAsync(without0, token));

            foreach (var prefix in (IPPrefix[])[through, without])
            {
                await main.ReplaceRouteAsync(new Route(prefix, "under0"), token);
            }

            Expect.Equal([new Way("cilium_wg0", 201, WayFate.Leaves), Way.Refused], await links.FindWaysAsync(questions, token));
            await main.AddRuleAsync(own, token);
            var past = new Way("under0", 254, WayFate.Leaves);
            Expect.Equal([past, past], await links.FindWaysAsync(questions, token));
            Expect.True((await links.GetAllRulesAsync(own.IsIPv6, token))
                .Any(rule => rule is { Priority: 105, Table: 254 } && rule.Source == own), "the rule is read");
            Expect.Equal(
                [Way.Unknown], await links.FindWaysAsync([questions[0] with { From = origin with { LinkName = "gone0" } }], token));

            // A pod's own route tells more than the prefix.
            await main.ReplaceRouteAsync(new Route(IPPrefix.Host(PodAddress.Remote(own)), "pod0"), token);
            Expect.Equal(new PodLink("pod0", PodAddress.Remote(own)), Expect.NotNull(await links.FindPodLinkAsync(own, token)));
        }
    }

    // UDP through a socket that is bound to the pod's address; the kernel answers an unreachable route at once.
    private static SocketError Send(IPAddress pod, IPAddress remote)
    {
        using var socket = new Socket(pod.AddressFamily, SocketType.Dgram, ProtocolType.Udp);
        try
        {
            socket.Bind(new IPEndPoint(pod, 0));
            socket.SendTo([1], new IPEndPoint(remote, 7000));
            return SocketError.Success;
        }
        catch (SocketException e)
        {
            return e.SocketErrorCode;
        }
    }

    private static async Task<EquatableArray<Route>> RoutesToAsync(NetlinkLinkClient links, IPPrefix prefix, CancellationToken token) =>
        [.. (await links.GetRoutesAsync(token)).Where(route => route.Destination == prefix)];
}
