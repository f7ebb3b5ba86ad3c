// The table of cases for links, addresses, routes and rules. They run on this machine's kernel and on the kernel in the guest.
using System.Net;
using Orleans.WireGuard.Linux.Routing;
using Orleans.WireGuard.Tests.Support;
using static Orleans.WireGuard.Linux.Errno;

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
internal static partial class LinkCases
{

    // The one kind that every kernel here has. Making one makes its other end too, under a name that the kernel picks.
    private const string Kind = "veth";

    /// <summary>All cases.</summary>
    public static IReadOnlyList<LinkCase> All { get; } =
    [
        new("link_lives_and_dies", LinkLivesAndDies),
        new("link_of_another_kind_stays", LinkOfAnotherKindStays),
        new("link_errors_say_why", LinkErrorsSayWhy),
        new("addresses_come_and_go", AddressesComeAndGo),
        new("source_check_is_read_back", SourceCheckIsReadBack),
        new("routes_come_and_go", RoutesComeAndGo),
        new("route_moves_in_one_step", RouteMovesInOneStep),
        new("routes_go_with_their_link", RoutesGoWithTheirLink),
        new("unreachable_lies_below_a_route", UnreachableLiesBelowARoute),
        new("throw_is_an_exception_from_unreachable", ThrowIsAnExceptionFromUnreachable),
        new("1000_routes_are_read_back", ManyRoutes),
        new("rules_come_and_go", RulesComeAndGo),
        new("former_tables_are_found_by_their_rules", FormerTablesAreFound),
        new("ways_are_those_of_packets", WaysAreThoseOfPackets),
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

    private static async Task SourceCheckIsReadBack(NetlinkLinkClient links, CancellationToken token)
    {
        Expect.Equal(SourceCheck.None, await links.GetSourceCheck("owg0", token));
        await CreateUp(links, "owg0", token);
        Expect.Equal(SourceCheck.None, await links.GetSourceCheck("owg0", token));
        await links.SetLooseSourceCheck("owg0", token);
        await links.SetLooseSourceCheck("owg0", token);
        Expect.Equal(SourceCheck.Loose, await links.GetSourceCheck("owg0", token));

        await links.AddAddress("owg0", new LinkAddress(IPAddress.Parse("10.9.0.1"), 24), token);
        await links.DeleteAddress("owg0", new LinkAddress(IPAddress.Parse("169.254.201.1"), 32), token);
        Expect.Equal(SourceCheck.Loose with { HasAddress = false }, await links.GetSourceCheck("owg0", token));
        await links.SetLooseSourceCheck("owg0", token);
        File.WriteAllText("/proc/sys/net/ipv4/conf/owg0/rp_filter", "1");
        Expect.Equal(SourceCheck.Loose with { IsLoose = false }, await links.GetSourceCheck("owg0", token));
    }

    private static async Task PathMtuIsTheLinks(NetlinkLinkClient links, CancellationToken token)
    {
        Expect.Equal<int?>(null, (await links.TryGetPath(IPAddress.Parse("198.51.100.1"), token))?.Mtu);
        Expect.Equal<int?>(null, (await links.TryGetPath(IPAddress.Parse("2001:db8::9"), token))?.Mtu);
        Expect.Equal<int?>(65536, (await links.TryGetPath(IPAddress.Loopback, token))?.Mtu);
        await CreateUp(links, "owg0", token);
        await links.AddAddress("owg0", new LinkAddress(IPAddress.Parse("198.51.100.7"), 24), token);
        await links.AddAddress("owg0", new LinkAddress(IPAddress.Parse("2001:db8::7"), 64), token);

        foreach (var mtu in new[] { 1500, 1400 })
        {
            await links.SetMtu("owg0", mtu, token);
            Expect.Equal<int?>(mtu, (await links.TryGetPath(IPAddress.Parse("198.51.100.1"), token))?.Mtu);
            Expect.Equal<int?>(mtu, (await links.TryGetPath(IPAddress.Parse("::ffff:198.51.100.1"), token))?.Mtu);
            Expect.Equal<int?>(mtu, (await links.TryGetPath(IPAddress.Parse("2001:db8::9"), token))?.Mtu);
        }
    }

    private static async Task CreateUp(NetlinkLinkClient links, string name, CancellationToken token)
    {
        await links.CreateLink(name, Kind, token);
        await links.SetUp(name, token);
    }
}
