// The table of cases for links, addresses, routes and rules. They run on this machine's kernel and on the kernel in the guest.
using System.Net;
using System.Net.Sockets;
using Microsoft.Extensions.Logging.Abstractions;
using Orleans.WireGuard.Silo.Devices.Netlink;
using Orleans.WireGuard.Silo.Routing;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.EndToEnd.Routing;

/// <summary>One case of the table.</summary>
/// <param name="Name">Unique; words joined by underscores.</param>
/// <param name="Run">Runs in a fresh network namespace; throws if it fails.</param>
internal sealed record LinkCase(string Name, Func<NetlinkLinkClient, CancellationToken, Task> Run)
{
    /// <inheritdoc/>
    public override string ToString() => Name;

    /// <summary>Runs the case in a fresh network namespace.</summary>
    public async Task RunInNamespace(CancellationToken cancellationToken)
    {
        using var space = await NamespaceThread.Create("link-case", cancellationToken);
        await space.Run(() => Run(new NetlinkLinkClient(TimeProvider.System), cancellationToken)).WaitAsync(cancellationToken);
    }
}

/// <summary>The table.</summary>
internal static class LinkCases
{
    private const int EEXIST = 17;
    private const int ENODEV = 19;
    private const int EINVAL = 22;
    private const int EOPNOTSUPP = 95;
    private const int ENOBUFS = 105;

    // The one kind that every kernel here has. Making one makes its other end too, under a name that the kernel picks.
    private const string Kind = "veth";

    private static readonly IPPrefix[] Prefixes = [IPPrefix.Parse("10.244.2.0/24"), IPPrefix.Parse("fd00:244:2::/64")];

    /// <summary>All cases.</summary>
    public static IReadOnlyList<LinkCase> All { get; } =
    [
        new("link_lives_and_dies", LinkLivesAndDies),
        new("link_of_another_kind_stays", LinkOfAnotherKindStays),
        new("link_errors_say_why", LinkErrorsSayWhy),
        new("addresses_come_and_go", AddressesComeAndGo),
        new("routes_come_and_go", RoutesComeAndGo),
        new("route_moves_in_one_step", RouteMovesInOneStep),
        new("routes_go_with_their_link", RoutesGoWithTheirLink),
        new("unreachable_lies_below_a_route", UnreachableLiesBelowARoute),
        new("throw_is_an_exception_from_unreachable", ThrowIsAnExceptionFromUnreachable),
        new("1000_routes_are_read_back", ManyRoutes),
        new("rules_come_and_go", RulesComeAndGo),
        new("path_mtu_is_the_links", PathMtuIsTheLinks),
        new("cut_off_and_lost_answers_are_read_again", CutOffAndLostAnswersAreReadAgain),
        new("monitor_survives_more_news_than_fit", MonitorSurvivesMoreNewsThanFit),
    ];

    private static async Task LinkLivesAndDies(NetlinkLinkClient links, CancellationToken token)
    {
        Expect.Equal(null, await links.TryGetLink("owg0", token));

        await links.CreateLink("owg0", Kind, token);
        var made = Expect.NotNull(await links.TryGetLink("owg0", token));
        Expect.Equal(new Link("owg0", made.Index, 1500, false, Kind), made);

        await links.SetMtu("owg0", 1405, token);
        await links.SetUp("owg0", token);
        Expect.Equal(made with { Mtu = 1405, IsUp = true }, await links.TryGetLink("owg0", token));

        await links.DeleteLink("owg0", Kind, token);
        await links.DeleteLink("owg0", Kind, token);
        Expect.Equal(null, await links.TryGetLink("owg0", token));
    }

    private static async Task LinkOfAnotherKindStays(NetlinkLinkClient links, CancellationToken token)
    {
        await links.CreateLink("owg0", Kind, token);

        await Expect.Fails(() => links.DeleteLink("owg0", "wireguard", token), EOPNOTSUPP);
        await Expect.Fails(() => links.DeleteLink("lo", "wireguard", token), EOPNOTSUPP);

        Expect.NotNull(await links.TryGetLink("owg0", token));
    }

    private static async Task LinkErrorsSayWhy(NetlinkLinkClient links, CancellationToken token)
    {
        await links.CreateLink("owg0", Kind, token);

        var taken = await Expect.Fails(() => links.CreateLink("owg0", Kind, token), EEXIST);
        Expect.Equal(
            "create veth link owg0: the name is taken by a link of kind 'veth': use another name, or delete that link (errno 17)", taken.Message);
        var unknown = await Expect.Fails(() => links.CreateLink("owg1", "nosuchkind", token), EOPNOTSUPP);
        Expect.True(unknown.Message.Contains("modprobe nosuchkind", StringComparison.Ordinal), unknown.Message);
        var missing = await Expect.Fails(() => links.SetUp("owg9", token), ENODEV);
        Expect.Equal("bring link owg9 up", missing.Operation);

        // These are the kernel's own words, from the extended acknowledgement.
        var small = await Expect.Fails(() => links.SetMtu("owg0", 10, token), EINVAL);
        Expect.True(small.Message.Contains("mtu less than device minimum", StringComparison.Ordinal), small.Message);
    }

    private static async Task AddressesComeAndGo(NetlinkLinkClient links, CancellationToken token)
    {
        LinkAddress[] addresses = [new(IPAddress.Parse("10.244.1.1"), 24), new(IPAddress.Parse("fd00:244:1::1"), 64)];
        await links.CreateLink("owg0", Kind, token);
        foreach (var address in addresses)
        {
            await links.AddAddress("owg0", address, token);
            await links.AddAddress("owg0", address, token);
        }

        Expect.Equal([.. addresses], await links.GetAddresses("owg0", token));
        foreach (var address in addresses)
        {
            await links.DeleteAddress("owg0", address, token);
            await links.DeleteAddress("owg0", address, token);
        }

        Expect.Equal([], await links.GetAddresses("owg0", token));
        Expect.Equal([], await links.GetAddresses("owg9", token));
        await Expect.Fails(() => links.AddAddress("owg9", addresses[0], token), ENODEV);
    }

    private static async Task RoutesComeAndGo(NetlinkLinkClient links, CancellationToken token)
    {
        Expect.Equal([], await links.GetRoutes(token));
        await CreateUp(links, "owg0", token);
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
            await links.ReplaceRoute(route, token);
            await links.ReplaceRoute(route, token);
        }

        Expect.Equal([.. routes], await links.GetRoutes(token));
        foreach (var route in routes)
        {
            await links.DeleteRoute(route, token);
            await links.DeleteRoute(route, token);
            await links.DeleteRoute(route with { DeviceName = "owg9" }, token);
        }

        Expect.Equal([], await links.GetRoutes(token));
        await Expect.Fails(() => links.ReplaceRoute(new Route(Prefixes[0], "owg9"), token), ENODEV);
    }

    private static async Task RouteMovesInOneStep(NetlinkLinkClient links, CancellationToken token)
    {
        await CreateUp(links, "owg0", token);
        await CreateUp(links, "owg1", token);
        foreach (var prefix in Prefixes)
        {
            await links.ReplaceRoute(new Route(prefix, "owg0"), token);
        }

        foreach (var prefix in Prefixes)
        {
            await links.ReplaceRoute(new Route(prefix, "owg1"), token);
        }

        Expect.Equal([.. Prefixes.Select(prefix => new Route(prefix, "owg1"))], await links.GetRoutes(token));
    }

    private static async Task RoutesGoWithTheirLink(NetlinkLinkClient links, CancellationToken token)
    {
        await CreateUp(links, "owg0", token);
        foreach (var prefix in Prefixes)
        {
            await links.ReplaceRoute(new Route(prefix, "owg0"), token);
        }

        await links.DeleteLink("owg0", Kind, token);

        Expect.Equal([], await links.GetRoutes(token));
    }

    private static async Task UnreachableLiesBelowARoute(NetlinkLinkClient links, CancellationToken token)
    {
        await CreateUp(links, "owg0", token);
        await links.AddAddress("owg0", new LinkAddress(IPAddress.Parse("10.244.9.1"), 24), token);
        await links.AddAddress("owg0", new LinkAddress(IPAddress.Parse("fd00:244:9::1"), 64), token);
        foreach (var prefix in Prefixes)
        {
            var pod = IPAddress.Parse(prefix.IsIPv6 ? "fd00:244:9::1" : "10.244.9.1");
            var remote = IPAddress.Parse(prefix.IsIPv6 ? "fd00:244:2::5" : "10.244.2.5");
            await links.AddRule(IPPrefix.Host(pod), token);
            Route through = new(prefix, "owg0");
            var refusal = Route.Unreachable(prefix);

            await links.ReplaceRoute(refusal, token);
            await links.ReplaceRoute(refusal, token);
            Expect.Equal(SocketError.HostUnreachable, Send(pod, remote));

            await links.ReplaceRoute(through, token);
            Expect.Equal([through, refusal], await RoutesTo(links, prefix, token));
            Expect.Equal(SocketError.Success, Send(pod, remote));

            await links.DeleteRoute(through, token);
            Expect.Equal([refusal], await RoutesTo(links, prefix, token));
            Expect.Equal(SocketError.HostUnreachable, Send(pod, remote));

            await links.ReplaceRoute(through, token);
            await links.DeleteRoute(refusal, token);
            Expect.Equal([through], await RoutesTo(links, prefix, token));
        }
    }

    private static async Task ThrowIsAnExceptionFromUnreachable(NetlinkLinkClient links, CancellationToken token)
    {
        await CreateUp(links, "owg0", token);
        await links.AddAddress("owg0", new LinkAddress(IPAddress.Parse("10.244.9.1"), 24), token);
        await links.AddAddress("owg0", new LinkAddress(IPAddress.Parse("fd00:244:9::1"), 64), token);
        foreach (var (cluster, own, pod, neighbour) in new[]
        {
            ("10.244.0.0/16", "10.244.9.0/24", "10.244.9.1", "10.244.9.7"), ("fd00:244::/32", "fd00:244:9::/64", "fd00:244:9::1", "fd00:244:9::7"),
        })
        {
            var refusal = Route.Unreachable(IPPrefix.Parse(cluster));
            var exception = Route.Throw(IPPrefix.Parse(own));
            await links.AddRule(IPPrefix.Host(IPAddress.Parse(pod)), token);
            await links.ReplaceRoute(refusal, token);
            Expect.Equal(SocketError.HostUnreachable, Send(IPAddress.Parse(pod), IPAddress.Parse(neighbour)));

            await links.ReplaceRoute(exception, token);
            await links.ReplaceRoute(exception, token);
            Expect.Equal([exception], await RoutesTo(links, exception.Destination, token));
            Expect.Equal(SocketError.Success, Send(IPAddress.Parse(pod), IPAddress.Parse(neighbour)));

            await links.DeleteRoute(exception, token);
            Expect.Equal([], await RoutesTo(links, exception.Destination, token));
            Expect.Equal(SocketError.HostUnreachable, Send(IPAddress.Parse(pod), IPAddress.Parse(neighbour)));
        }
    }

    private static async Task ManyRoutes(NetlinkLinkClient links, CancellationToken token)
    {
        await CreateUp(links, "owg0", token);
        Route[] routes =
        [
            .. Enumerable.Range(0, 500).Select(i => new Route(IPPrefix.Parse($"10.{i >> 8}.{i & 255}.0/24"), "owg0")),
            .. Enumerable.Range(0, 500).Select(i => new Route(IPPrefix.Parse($"fd00:{i:x}::/64"), "owg0")),
        ];
        foreach (var route in routes)
        {
            await links.ReplaceRoute(route, token);
        }

        Expect.Equal([.. routes.OrderBy(route => route.Destination)], await links.GetRoutes(token));
    }

    private static async Task RulesComeAndGo(NetlinkLinkClient links, CancellationToken token)
    {
        IPPrefix[] sources = [IPPrefix.Parse("10.244.0.0/16"), IPPrefix.Parse("10.244.1.0/24"), IPPrefix.Parse("fd00:244:1::/64")];
        Expect.Equal([], await links.GetRules(token));
        foreach (var source in sources.Reverse())
        {
            await links.AddRule(source, token);
            await links.AddRule(source, token);
        }

        Expect.Equal([.. sources], await links.GetRules(token));
        foreach (var source in sources)
        {
            await links.DeleteRule(source, token);
            await links.DeleteRule(source, token);
        }

        Expect.Equal([], await links.GetRules(token));
    }

    private static async Task PathMtuIsTheLinks(NetlinkLinkClient links, CancellationToken token)
    {
        Expect.Equal<int?>(null, await links.GetPathMtu(IPAddress.Parse("198.51.100.1"), token));
        Expect.Equal<int?>(null, await links.GetPathMtu(IPAddress.Parse("2001:db8::9"), token));
        Expect.Equal<int?>(65536, await links.GetPathMtu(IPAddress.Loopback, token));
        await CreateUp(links, "owg0", token);
        await links.AddAddress("owg0", new LinkAddress(IPAddress.Parse("198.51.100.7"), 24), token);
        await links.AddAddress("owg0", new LinkAddress(IPAddress.Parse("2001:db8::7"), 64), token);

        foreach (var mtu in new[] { 1500, 1400 })
        {
            await links.SetMtu("owg0", mtu, token);
            Expect.Equal<int?>(mtu, await links.GetPathMtu(IPAddress.Parse("198.51.100.1"), token));
            Expect.Equal<int?>(mtu, await links.GetPathMtu(IPAddress.Parse("::ffff:198.51.100.1"), token));
            Expect.Equal<int?>(mtu, await links.GetPathMtu(IPAddress.Parse("2001:db8::9"), token));
        }
    }

    private static async Task CreateUp(NetlinkLinkClient links, string name, CancellationToken token)
    {
        await links.CreateLink(name, Kind, token);
        await links.SetUp(name, token);
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

    private static async Task<EquatableArray<Route>> RoutesTo(NetlinkLinkClient links, IPPrefix prefix, CancellationToken token) =>
        [.. (await links.GetRoutes(token)).Where(route => route.Destination == prefix)];

    private static async Task CutOffAndLostAnswersAreReadAgain(NetlinkLinkClient links, CancellationToken token)
    {
        const int Routes = 100;
        for (var i = 0; i < Routes; i++)
        {
            await links.ReplaceRoute(Route.Unreachable(IPPrefix.Parse($"10.8.{i}.0/24")), token);
        }

        var whole = await links.GetRoutes(token);
        Expect.Equal(Routes, whole.Count);
        foreach (var fault in (Func<NetlinkSocket, INetlinkChannel>[])[socket => new CutOff(socket), socket => new Overrun(socket)])
        {
            var opened = 0;
            var disturbed = new NetlinkLinkClient(
                TimeProvider.System, protocol => opened++ == 0 ? fault(NetlinkSocket.Open(protocol)) : NetlinkSocket.Open(protocol));
            Expect.Equal(whole, await disturbed.GetRoutes(token));
            Expect.Equal(2, opened);
        }
    }

    // While the listener is busy with the first piece of news, more comes than its socket holds, and the kernel drops the rest.
    private static async Task MonitorSurvivesMoreNewsThanFit(NetlinkLinkClient links, CancellationToken token)
    {
        const int Routes = 2_000;
        using var goesOn = new ManualResetEventSlim();
        var news = 0L;
        using var monitor = new NetlinkLinkMonitor(
            () =>
            {
                Interlocked.Increment(ref news);
                goesOn.Wait(token);
            },
            NullLogger<NetlinkLinkMonitor>.Instance);
        monitor.Start();
        for (var i = 0; i < Routes; i++)
        {
            await links.ReplaceRoute(Route.Unreachable(IPPrefix.Parse($"10.{i >> 8}.{i & 255}.0/24")), token);
            while (Volatile.Read(ref news) == 0)
            {
                await Task.Delay(TimeSpan.FromMilliseconds(1), TimeProvider.System, token);
            }
        }

        goesOn.Set();
        long heard;
        do
        {
            heard = Volatile.Read(ref news);
            await Task.Delay(TimeSpan.FromMilliseconds(500), TimeProvider.System, token);
        }
        while (Volatile.Read(ref news) != heard);
        Expect.True(heard < Routes, $"more news came than were heard; {heard} were");

        await links.DeleteRoute(Route.Unreachable(IPPrefix.Parse("10.0.0.0/24")), token);
        var deleted = TimeProvider.System.GetTimestamp();
        while (Volatile.Read(ref news) == heard)
        {
            Expect.True(TimeProvider.System.GetElapsedTime(deleted) < TimeSpan.FromSeconds(10), "the monitor still listens");
            await Task.Delay(TimeSpan.FromMilliseconds(20), TimeProvider.System, token);
        }

        await monitor.Stop(token);
    }

    // Reads through a small buffer, so that the kernel cuts the answer off and says how long it was.
    private sealed class CutOff(NetlinkSocket socket) : INetlinkChannel
    {
        public int Send(ReadOnlySpan<byte> datagram) => socket.Send(datagram);

        public int Receive(Span<byte> buffer)
        {
            const int Small = 64;
            var length = socket.Receive(buffer[..Small]);
            return length <= Small ? length : buffer.Length + length;
        }

        public void Dispose() => socket.Dispose();
    }

    // Loses an answer, as the kernel does when it finds no memory for it.
    private sealed class Overrun(NetlinkSocket socket) : INetlinkChannel
    {
        public int Send(ReadOnlySpan<byte> datagram) => socket.Send(datagram);

        public int Receive(Span<byte> buffer) => Math.Min(socket.Receive(buffer), -ENOBUFS);

        public void Dispose() => socket.Dispose();
    }
}
