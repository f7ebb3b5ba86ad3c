using System.Diagnostics;
using System.Net;
using Orleans.WireGuard.Silo.Devices;
using Orleans.WireGuard.Silo.Routing.Firewall;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.EndToEnd.Routing.Firewall;

/// <summary>Our table on this machine's kernel, in a namespace of its own, as nft(8) sees it.</summary>
[Trait("Kind", "EndToEnd")]
public sealed class NetlinkFirewallTests
{
    // More than two transactions hold.
    private const int ManyPrefixes = (2 * NetlinkFirewall.MaxPrefixes) + 1;

    private static readonly CancellationToken Token = TestContext.Current.CancellationToken;
    private static readonly EquatableArray<IPPrefix> Sources =
        [IPPrefix.Parse("10.244.2.0/24"), IPPrefix.Parse("10.244.3.0/24"), IPPrefix.Parse("255.255.255.0/24"), IPPrefix.Parse("fd00:244:2::/64")];

    [Fact]
    public Task Create_Fresh_IsWhatNftShows() => RunInside(async firewall =>
    {
        Assert.Null(await firewall.TryGet(Token));
        await firewall.Create(Sources, Token);

        Assert.Equal(new FirewallState(Sources, IsIntact: true, 0, 0), await firewall.TryGet(Token));
        Assert.Equal(
            """
            table inet orleans_wireguard {
            	counter dropped {
            		packets 0 bytes 0
            	}

            	set remote4 {
            		type ipv4_addr
            		flags interval
            		elements = { 10.244.2.0/24, 10.244.3.0/24,
            			     255.255.255.0/24 }
            	}

            	set remote6 {
            		type ipv6_addr
            		flags interval
            		elements = { fd00:244:2::/64 }
            	}

            	chain forward {
            		type filter hook forward priority raw; policy accept;
            		iifname != "cilium_wg*" ip saddr @remote4 counter name "dropped" drop comment "owg 1"
            		iifname != "cilium_wg*" ip6 saddr @remote6 counter name "dropped" drop comment "owg 1"
            	}
            }

            """,
            await Nft("list", "ruleset"));
    });

    [Fact]
    public Task Change_TableThatIsThere_SwapsPrefixesAndKeepsTheCounter() => RunInside(async firewall =>
    {
        await firewall.Create(Sources, Token);
        await Nft("add", "rule", "inet", "orleans_wireguard", "forward", "return");
        Assert.False((await firewall.TryGet(Token))!.IsIntact);
        await firewall.Create(Sources, Token);

        // A prefix goes, and one that holds it and its neighbour comes, in one transaction.
        await firewall.Change(
            [IPPrefix.Parse("10.244.2.0/24"), IPPrefix.Parse("10.244.3.0/24"), IPPrefix.Parse("fd00:244:2::/64")],
            [IPPrefix.Parse("10.244.2.0/23"), IPPrefix.Parse("fd00:244:3::/64")],
            Token);

        Assert.Equal(
            [IPPrefix.Parse("10.244.2.0/23"), IPPrefix.Parse("255.255.255.0/24"), IPPrefix.Parse("fd00:244:3::/64")],
            (await firewall.TryGet(Token))!.Sources);
        await Assert.ThrowsAsync<DeviceException>(() => firewall.Change([IPPrefix.Parse("10.1.0.0/16")], [IPPrefix.Parse("10.2.0.0/16")], Token));
        Assert.Equal(3, (await firewall.TryGet(Token))!.Sources.Count);
    });

    [Fact]
    public Task Delete_OnlyOurs_GoesAndMayBeGone() => RunInside(async firewall =>
    {
        await Nft("add", "table", "inet", "somebody");
        await firewall.Delete(Token);
        await firewall.Create(Sources, Token);
        await firewall.Delete(Token);

        Assert.Null(await firewall.TryGet(Token));
        Assert.Equal("table inet somebody {\n}\n", await Nft("list", "ruleset"));
    });

    [Fact]
    public Task Create_ManyPrefixes_AreReadBack() => RunInside(async firewall =>
    {
        var sources = Enumerable.Range(0, ManyPrefixes).SelectMany(i => new[]
        {
            new IPPrefix(new IPAddress([10, (byte)(i >> 8), (byte)i, 0]), 24),
            new IPPrefix(new IPAddress([0xfd, 0, 0x02, 0x44, (byte)(i >> 8), (byte)i, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]), 64),
        }).Order().ToEquatableArray();
        await firewall.Create(sources, Token);
        Assert.Equal(sources, (await firewall.TryGet(Token))!.Sources);

        await firewall.Change(sources, [], Token);
        Assert.Equal(new FirewallState([], IsIntact: true, 0, 0), await firewall.TryGet(Token));
    });

    private static async Task RunInside(Func<NetlinkFirewall, Task> body)
    {
        Assert.SkipUnless(Environment.IsPrivilegedProcess, "network namespaces need root");
        Assert.SkipUnless(File.Exists("/usr/sbin/nft"), "the program 'nft' is missing (Debian package nftables)");
        using var space = await NamespaceThread.Create("firewall", Token);
        await space.Run(() => body(new NetlinkFirewall(TimeProvider.System)));
    }

    private static async Task<string> Nft(params string[] arguments)
    {
        using var nft = Process.Start(new ProcessStartInfo("/usr/sbin/nft", arguments) { RedirectStandardOutput = true })!;
        var output = await nft.StandardOutput.ReadToEndAsync(Token);
        await nft.WaitForExitAsync(Token);
        Assert.Equal(0, nft.ExitCode);
        return output;
    }
}
