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
    public async Task RunInNamespaceAsync(CancellationToken cancellationToken)
    {
        using var space = await NamespaceThread.CreateAsync("link-case", cancellationToken);
        await space.RunAsync(() => Run(new NetlinkLinkClient(TimeProvider.System), cancellationToken)).WaitAsync(cancellationToken);
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
        new("link_lives_and_dies", LinkLivesAndDiesAsync),
        new("link_of_another_kind_stays", LinkOfAnotherKindStaysAsync),
        new("link_errors_say_why", LinkErrorsSayWhyAsync),
        new("addresses_come_and_go", AddressesComeAndGoAsync),
        new("source_check_is_read_back", SourceCheckIsReadBackAsync),
        new("routes_come_and_go", RoutesComeAndGoAsync),
        new("route_moves_in_one_step", RouteMovesInOneStepAsync),
        new("routes_go_with_their_link", RoutesGoWithTheirLinkAsync),
        new("unreachable_lies_below_a_route", UnreachableLiesBelowARouteAsync),
        new("throw_is_an_exception_from_unreachable", ThrowIsAnExceptionFromUnreachableAsync),
        new("1000_routes_are_read_back", ManyRoutesAsync),
        new("rules_come_and_go", RulesComeAndGoAsync),
        new("packet_rules_come_and_go", PacketRulesComeAndGoAsync),
        new("former_tables_are_found_by_their_rules", FormerTablesAreFoundAsync),
        new("ways_are_those_of_packets", WaysAreThoseOfPacketsAsync),
        new("path_mtu_is_the_links", PathMtuIsTheLinksAsync),
        new("path_mtu_is_what_a_router_says", PathMtuIsWhatARouterSaysAsync),
        new("cut_off_and_lost_answers_are_read_again", CutOffAndLostAnswersAreReadAgainAsync),
        new("monitor_survives_more_news_than_fit", MonitorSurvivesMoreNewsThanFitAsync),
    ];

    private static async Task LinkLivesAndDiesAsync(NetlinkLinkClient links, CancellationToken token)
    {
        Expect.Equal(null, await links.TryGetLinkAsync("owg0", token));

        await links.CreateLinkAsync("owg0", Kind, token);
        var made = Expect.NotNull(await links.TryGetLinkAsync("owg0", token));
        Expect.Equal(new Link("owg0", made.Index, 1500, false, Kind), made);

        await links.SetMtuAsync("owg0", 1405, token);
        await links.SetUpAsync("owg0", token);
        Expect.Equal(made with { Mtu = 1405, IsUp = true }, await links.TryGetLinkAsync("owg0", token));

        await links.DeleteLinkAsync("owg0", Kind, token);
        await links.DeleteLinkAsync("owg0", Kind, token);
        Expect.Equal(null, await links.TryGetLinkAsync("owg0", token));
    }

    private static async Task LinkOfAnotherKindStaysAsync(NetlinkLinkClient links, CancellationToken token)
    {
        await links.CreateLinkAsync("owg0", Kind, token);

        await Expect.FailsAsync(() => links.DeleteLinkAsync("owg0", "wireguard", token), EOPNOTSUPP);
        await Expect.FailsAsync(() => links.DeleteLinkAsync("lo", "wireguard", token), EOPNOTSUPP);

        Expect.NotNull(await links.TryGetLinkAsync("owg0", token));
    }

    private static async Task LinkErrorsSayWhyAsync(NetlinkLinkClient links, CancellationToken token)
    {
        await links.CreateLinkAsync("owg0", Kind, token);

        var taken = await Expect.FailsAsync(() => links.CreateLinkAsync("owg0", Kind, token), EEXIST);
        Expect.Equal(
            "create veth link owg0: the name is taken by a link of kind 'veth': use another name, or delete that link (errno 17)",
            taken.Message);
        var unknown = await Expect.FailsAsync(() => links.CreateLinkAsync("owg1", "nosuchkind", token), EOPNOTSUPP);
        Expect.True(unknown.Message.Contains("modprobe nosuchkind", StringComparison.Ordinal), unknown.Message);
        var missing = await Expect.FailsAsync(() => links.SetUpAsync("owg9", token), ENODEV);
        Expect.Equal("bring link owg9 up", missing.Operation);

        // These are the kernel's own words, from the extended acknowledgement.
        var small = await Expect.FailsAsync(() => links.SetMtuAsync("owg0", 10, token), EINVAL);
        Expect.True(small.Message.Contains("mtu less than device minimum", StringComparison.Ordinal), small.Message);
    }

    private static async Task AddressesComeAndGoAsync(NetlinkLinkClient links, CancellationToken token)
    {
        LinkAddress[] addresses = [new(IPAddress.Parse("10.244.1.1"), 24), new(IPAddress.Parse("fd00:244:1::1"), 64)];
        await links.CreateLinkAsync("owg0", Kind, token);
        foreach (var address in addresses)
        {
            await links.AddAddressAsync("owg0", address, token);
            await links.AddAddressAsync("owg0", address, token);
        }

        Expect.Equal([.. addresses], await links.GetAddressesAsync("owg0", token));
        foreach (var address in addresses)
        {
            await links.DeleteAddressAsync("owg0", address, token);
            await links.DeleteAddressAsync("owg0", address, token);
        }

        Expect.Equal([], await links.GetAddressesAsync("owg0", token));
        Expect.Equal([], await links.GetAddressesAsync("owg9", token));
        await Expect.FailsAsync(() => links.AddAddressAsync("owg9", addresses[0], token), ENODEV);
    }

    private static async Task SourceCheckIsReadBackAsync(NetlinkLinkClient links, CancellationToken token)
    {
        Expect.Equal(SourceCheck.None, await links.GetSourceCheckAsync("owg0", token));
        await CreateUpAsync(links, "owg0", token);
        Expect.Equal(SourceCheck.None, await links.GetSourceCheckAsync("owg0", token));
        await links.SetLooseSourceCheckAsync("owg0", token);
        await links.SetLooseSourceCheckAsync("owg0", token);
        Expect.Equal(SourceCheck.Loose, await links.GetSourceCheckAsync("owg0", token));

        await links.AddAddressAsync("owg0", new LinkAddress(IPAddress.Parse("10.9.0.1"), 24), token);
        await links.DeleteAddressAsync("owg0", new LinkAddress(IPAddress.Parse("169.254.201.1"), 32), token);
        Expect.Equal(SourceCheck.Loose with { HasAddress = false }, await links.GetSourceCheckAsync("owg0", token));
        await links.SetLooseSourceCheckAsync("owg0", token);
        File.WriteAllText("/proc/sys/net/ipv4/conf/owg0/rp_filter", "1");
        Expect.Equal(SourceCheck.Loose with { IsLoose = false }, await links.GetSourceCheckAsync("owg0", token));
    }

    private static async Task PathMtuIsTheLinksAsync(NetlinkLinkClient links, CancellationToken token)
    {
        Expect.Equal<int?>(null, (await links.TryGetPathAsync(IPAddress.Parse("198.51.100.1"), token))?.Mtu);
        Expect.Equal<int?>(null, (await links.TryGetPathAsync(IPAddress.Parse("2001:db8::9"), token))?.Mtu);
        Expect.Equal<int?>(65536, (await links.TryGetPathAsync(IPAddress.Loopback, token))?.Mtu);
        await CreateUpAsync(links, "owg0", token);
        await links.AddAddressAsync("owg0", new LinkAddress(IPAddress.Parse("198.51.100.7"), 24), token);
        await links.AddAddressAsync("owg0", new LinkAddress(IPAddress.Parse("2001:db8::7"), 64), token);

        foreach (var mtu in new[] { 1500, 1400 })
        {
            await links.SetMtuAsync("owg0", mtu, token);
            Expect.Equal<int?>(mtu, (await links.TryGetPathAsync(IPAddress.Parse("198.51.100.1"), token))?.Mtu);
            Expect.Equal<int?>(mtu, (await links.TryGetPathAsync(IPAddress.Parse("::ffff:198.51.100.1"), token))?.Mtu);
            Expect.Equal<int?>(mtu, (await links.TryGetPathAsync(IPAddress.Parse("2001:db8::9"), token))?.Mtu);
        }
    }

    private static async Task CreateUpAsync(NetlinkLinkClient links, string name, CancellationToken token)
    {
        await links.CreateLinkAsync(name, Kind, token);
        await links.SetUpAsync(name, token);
    }
}
