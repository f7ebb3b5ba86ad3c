using System.Net;
using Orleans.WireGuard.Linux;
using Orleans.WireGuard.Linux.Routing;
using Orleans.WireGuard.Linux.Routing.Firewall;
using Orleans.WireGuard.LocalMesh.Processes;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.EndToEnd.Routing.Firewall;

/// <summary>Our table on this machine's kernel, in a namespace of its own, as nft(8) sees it.</summary>
[Trait("Kind", "EndToEnd")]
public sealed class NetlinkFirewallTests
{
    // More than two transactions hold.
    private const int ManyPrefixes = (2 * NetlinkFirewall.MaxPrefixes) + 1;

    private static readonly CancellationToken Token = TestContext.Current.CancellationToken;
    private static readonly FirewallPrefixes Prefixes = new(
        [IPPrefix.Parse("10.244.2.0/24"), IPPrefix.Parse("10.244.3.0/24"), IPPrefix.Parse("255.255.255.0/24"), IPPrefix.Parse(
            "fd00:244:2::/64")],
        [IPPrefix.Parse("10.244.1.0/24"), IPPrefix.Parse("fd00:244:1::/64")])
    {
        Spared = [IPPrefix.Parse("10.244.2.7/32")],
        Encapsulating = [IPPrefix.Parse("192.168.0.2/32")],
    };

    private static readonly EquatableArray<SegmentLimit> Limits = [new("cilium_wg0", 1440)];
    private static readonly EquatableArray<OuterPacket> Packets = [OuterPacket.IPInIP, OuterPacket.Udp(8472)];

    [Fact]
    public Task Create_Fresh_IsWhatNftShows() => RunInsideAsync(async firewall =>
    {
        Assert.Null(await firewall.TryGetAsync(Token));
        await firewall.CreateAsync(Prefixes, Token);

        Assert.Equal(new FirewallState(Prefixes, IsIntact: true), await firewall.TryGetAsync(Token));
        await firewall.LimitSegmentsAsync([new("cilium_wg0", 1500), new("cilium_wg1", 1500)], Token);
        await firewall.LimitSegmentsAsync(Limits, Token);
        await firewall.DropPacketsAsync([OuterPacket.Udp(4789)], ["vx0"], Token);
        await firewall.DropPacketsAsync(Packets, ["cilium_vxlan"], Token);
        Assert.Equal(
            new FirewallState(Prefixes, IsIntact: true) { Limits = Limits, Packets = Packets, Unpacking = ["cilium_vxlan"] },
            await firewall.TryGetAsync(Token));
        Assert.Equal(
            """
            table inet orleans_wireguard {
            	counter dropped {
            		packets 0 bytes 0
            	}

            	counter dropped_out {
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

            	set local4 {
            		type ipv4_addr
            		flags interval
            		elements = { 10.244.1.0/24 }
            	}

            	set local6 {
            		type ipv6_addr
            		flags interval
            		elements = { fd00:244:1::/64 }
            	}

            	set spared4 {
            		type ipv4_addr
            		flags interval
            		elements = { 10.244.2.7 }
            	}

            	set spared6 {
            		type ipv6_addr
            		flags interval
            	}

            	set outer4 {
            		type ipv4_addr
            		flags interval
            		elements = { 192.168.0.2 }
            	}

            	set outer6 {
            		type ipv6_addr
            		flags interval
            	}

            	chain forward {
            		type filter hook forward priority raw; policy accept;
            		iifname "cilium_vxlan" accept comment "owg 4 unpacks cilium_vxlan"
            		iifname != "cilium_wg0" iifname != "cilium_wg1" ip saddr @remote4 ip saddr != @spared4 counter name "dropped" drop comment "owg 4 cilium_wg0 cilium_wg1"
            		iifname != "cilium_wg0" iifname != "cilium_wg1" ip6 saddr @remote6 ip6 saddr != @spared6 counter name "dropped" drop comment "owg 4 cilium_wg0 cilium_wg1"
            	}

            	chain postrouting {
            		type filter hook postrouting priority raw; policy accept;
            		oifname != "cilium_wg0" oifname != "cilium_wg1" ip saddr @local4 ip daddr @remote4 ip daddr != @spared4 counter name "dropped_out" drop comment "owg 4 cilium_wg0 cilium_wg1"
            		oifname != "cilium_wg0" oifname != "cilium_wg1" ip6 saddr @local6 ip6 daddr @remote6 ip6 daddr != @spared6 counter name "dropped_out" drop comment "owg 4 cilium_wg0 cilium_wg1"
            	}

            	chain outer_in {
            		type filter hook prerouting priority -450; policy accept;
            		iifname != "cilium_wg0" iifname != "cilium_wg1" meta l4proto ipencap ip saddr @outer4 counter name "dropped" drop comment "owg 4 packet 4 0 cilium_wg0 cilium_wg1"
            		iifname != "cilium_wg0" iifname != "cilium_wg1" udp dport 8472 ip saddr @outer4 counter name "dropped" drop comment "owg 4 packet 17 8472 cilium_wg0 cilium_wg1"
            		iifname != "cilium_wg0" iifname != "cilium_wg1" udp dport 8472 ip6 saddr @outer6 counter name "dropped" drop comment "owg 4 packet 17 8472 cilium_wg0 cilium_wg1"
            	}

            	chain outer_out {
            		type filter hook postrouting priority raw; policy accept;
            		oifname != "cilium_wg0" oifname != "cilium_wg1" meta l4proto ipencap ip daddr @outer4 counter name "dropped_out" drop comment "owg 4 packet 4 0 cilium_wg0 cilium_wg1"
            		oifname != "cilium_wg0" oifname != "cilium_wg1" udp dport 8472 ip daddr @outer4 counter name "dropped_out" drop comment "owg 4 packet 17 8472 cilium_wg0 cilium_wg1"
            		oifname != "cilium_wg0" oifname != "cilium_wg1" udp dport 8472 ip6 daddr @outer6 counter name "dropped_out" drop comment "owg 4 packet 17 8472 cilium_wg0 cilium_wg1"
            	}

            	chain mss {
            		type filter hook prerouting priority mangle; policy accept;
            		iifname "cilium_wg0" meta nfproto ipv4 tcp flags syn tcp option maxseg size set 1390 comment "owg 4 cilium_wg0 mtu 1440"
            		iifname "cilium_wg0" meta nfproto ipv6 tcp flags syn tcp option maxseg size set 1370 comment "owg 4 cilium_wg0 mtu 1440"
            	}
            }

            """,
            await NftAsync("list", "ruleset"));
    });

    [Fact]
    public Task Change_TableThatIsThere_SwapsPrefixesAndKeepsTheCounter() => RunInsideAsync(async firewall =>
    {
        await firewall.CreateAsync(Prefixes, Token);
        await NftAsync("add", "rule", "inet", "orleans_wireguard", "forward", "return");
        Assert.False((await firewall.TryGetAsync(Token))!.IsIntact);
        await firewall.CreateAsync(Prefixes, Token);

        // A prefix goes, and one that holds it and its neighbour comes, in one transaction.
        await firewall.ChangeAsync(
            new([IPPrefix.Parse("10.244.2.0/24"), IPPrefix.Parse("10.244.3.0/24"), IPPrefix.Parse("fd00:244:2::/64")], [
                IPPrefix.Parse("10.244.1.0/24")]),
            new([IPPrefix.Parse("10.244.2.0/23"), IPPrefix.Parse("fd00:244:3::/64")], [IPPrefix.Parse("10.244.0.0/23")]),
            Token);

        Assert.Equal(
            new FirewallPrefixes(
                [IPPrefix.Parse("10.244.2.0/23"), IPPrefix.Parse("255.255.255.0/24"), IPPrefix.Parse("fd00:244:3::/64")],
                [IPPrefix.Parse("10.244.0.0/23"), IPPrefix.Parse("fd00:244:1::/64")])
            {
                Spared = Prefixes.Spared,
                Encapsulating = Prefixes.Encapsulating,
            },
            (await firewall.TryGetAsync(Token))!.Prefixes);
        await Assert.ThrowsAsync<LinuxException>(() => firewall.ChangeAsync(
            FirewallPrefixes.None with { Remote = [IPPrefix.Parse("10.1.0.0/16")] },
            FirewallPrefixes.None with { Remote = [IPPrefix.Parse("10.2.0.0/16")] }, Token));
        Assert.Equal(3, (await firewall.TryGetAsync(Token))!.Prefixes.Remote.Count);
    });

    // As the version before this one made it: without a chain where packets leave.
    [Fact]
    public Task TryGet_TableOfAFormerVersion_IsNotIntactAndIsMadeAnew() => RunInsideAsync(async firewall =>
    {
        await NftAsync("add table inet orleans_wireguard; add counter inet orleans_wireguard dropped { packets 7 bytes 588; }; "
            + "add set inet orleans_wireguard remote4 { type ipv4_addr; flags interval; elements = { 10.244.2.0/24 }; }; "
            + "add chain inet orleans_wireguard forward { type filter hook forward priority raw; policy accept; }; "
            + "add rule inet orleans_wireguard forward ip saddr @remote4 counter name dropped drop comment \"owg 1\"");
        var former = (await firewall.TryGetAsync(Token))!;
        Assert.Equal((false, 7ul), (former.IsIntact, former.DroppedPackets));
        await firewall.CreateAsync(Prefixes, Token);
        Assert.Equal(new FirewallState(Prefixes, IsIntact: true), await firewall.TryGetAsync(Token));
    });

    // One that reads as ours and is somebody else's, and one that is gone.
    [Theory]
    [InlineData("add rule inet orleans_wireguard mss tcp flags syn tcp option maxseg size set 600")]
    [InlineData("insert rule inet orleans_wireguard mss accept comment \"owg 4 cilium_wg0 mtu 1440\"")]
    [InlineData("add rule inet orleans_wireguard outer_in accept")]
    [InlineData("flush chain inet orleans_wireguard forward")]
    public Task TryGet_RulesChangedByOthers_IsNotIntact(string change) => RunInsideAsync(async firewall =>
    {
        await firewall.CreateAsync(Prefixes, Token);
        await firewall.LimitSegmentsAsync(Limits, Token);
        await firewall.DropPacketsAsync(Packets, ["cilium_vxlan"], Token);
        await NftAsync(change);
        Assert.False((await firewall.TryGetAsync(Token))!.IsIntact);
        await firewall.CreateAsync(Prefixes, Token);
        await firewall.LimitSegmentsAsync([], Token);
        Assert.Equal(new FirewallState(Prefixes, IsIntact: true), await firewall.TryGetAsync(Token));
    });

    [Fact]
    public Task Delete_OnlyOurs_GoesAndMayBeGone() => RunInsideAsync(async firewall =>
    {
        await NftAsync("add", "table", "inet", "somebody");
        await firewall.DeleteAsync(Token);
        await firewall.CreateAsync(Prefixes, Token);
        await firewall.DeleteAsync(Token);

        Assert.Null(await firewall.TryGetAsync(Token));
        Assert.Equal("table inet somebody {\n}\n", await NftAsync("list", "ruleset"));
    });

    [Fact]
    public Task Create_ManyPrefixes_AreReadBack() => RunInsideAsync(async firewall =>
    {
        var remote = Enumerable.Range(0, ManyPrefixes).SelectMany(i => new[]
        {
            new IPPrefix(new IPAddress([10, (byte)(i >> 8), (byte)i, 0]), 24),
            new IPPrefix(new IPAddress([0xfd, 0, 0x02, 0x44, (byte)(i >> 8), (byte)i, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]), 64),
        }).Order().ToEquatableArray();
        var prefixes = Prefixes with { Remote = remote };
        await firewall.CreateAsync(prefixes, Token);
        Assert.Equal(prefixes, (await firewall.TryGetAsync(Token))!.Prefixes);

        await firewall.ChangeAsync(prefixes, FirewallPrefixes.None, Token);
        Assert.Equal(new FirewallState(FirewallPrefixes.None, IsIntact: true), await firewall.TryGetAsync(Token));
    });

    private static async Task RunInsideAsync(Func<NetlinkFirewall, Task> body)
    {
        Assert.SkipUnless(Environment.IsPrivilegedProcess, "network namespaces need root");
        Assert.SkipWhen(Command.Find("nft") is null, "the program 'nft' is missing (Debian package nftables)");
        using var space = await NamespaceThread.CreateAsync("firewall", Token);
        await space.RunAsync(() => body(new NetlinkFirewall(TimeProvider.System)));
    }

    private static async Task<string> NftAsync(params string[] arguments) =>
        (await Command.RunAsync("nft", arguments, Token)).EnsureSuccess().Output;
}
