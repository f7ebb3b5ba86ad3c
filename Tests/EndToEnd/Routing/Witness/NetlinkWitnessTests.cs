using System.Diagnostics;
using System.Globalization;
using System.Net;
using Orleans.WireGuard.Linux;
using Orleans.WireGuard.Linux.Routing.Witness;
using Orleans.WireGuard.Tests.Support;

// The witness on a real link, with real packets, beside tcpdump(1) and nft(8).

namespace Orleans.WireGuard.Tests.EndToEnd.Routing.Witness;

[Trait("Kind", "EndToEnd")]
public sealed class NetlinkWitnessTests(ITestOutputHelper output)
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public static TheoryData<string> Cases => [.. WitnessCases.All.Select(witnessCase => witnessCase.Name)];

    [Theory]
    [MemberData(nameof(Cases))]
    public async Task Case_OnThisKernel_Passes(string name)
    {
        SkipWithoutRoot();
        try
        {
            await WitnessCases.All.Single(witnessCase => witnessCase.Name == name).Run(Token);
        }
        catch (MissingLinkKindException e)
        {
            Assert.Skip(e.Message);
        }
    }

    [Fact]
    public async Task Count_TenThousandPackets_IsWhatTcpdumpCounts()
    {
        const int Packets = 10_000;
        Assert.SkipWhen(SystemCommand.Find("tcpdump") is null, "Missing: tcpdump.");
        using var pair = await PairAsync();
        await pair.WitnessAsync(pair.A, pair.SpecOfA, Token);
        var file = Path.Combine(Path.GetTempPath(), $"owg-witness-{Guid.NewGuid():N}.pcap");
        using var capture = await pair.A.RunAsync(() => Task.FromResult(Process.Start(
            new ProcessStartInfo(
                "tcpdump", ["-i", "eth0", "-n", "-B", "65536", "-s", "64", "-Z", "root", "-w", file])
            { RedirectStandardError = true })!));
        try
        {
            Assert.Contains("listening", await capture.StandardError.ReadLineAsync(Token), StringComparison.Ordinal);
            await pair.SendAsync(Packets, "10.244.1.7", "10.244.2.7", 9);
            await pair.SendAsync(1, "192.168.7.1", "192.168.7.2", 7);

            // tcpdump has written all of them once it has written the one behind them.
            await WitnessPair.RunAsync(pair.A, Token, "sh", "-c", $"for i in $(seq 100); do tcpdump -n -r {file} dst port 7 2>/dev/null | grep -q . && exit 0; sleep 0.1; kill -USR2 {capture.Id}; done; exit 1");
        }
        finally
        {
            await WitnessPair.RunAsync(pair.A, Token, "kill", "-INT", capture.Id.ToString(CultureInfo.InvariantCulture));
            await capture.WaitForExitAsync(Token);
        }

        var counted = await WitnessPair.RunAsync(
            pair.A, Token, "sh", "-c", $"tcpdump -n -r {file} src 10.244.1.7 and dst 10.244.2.7 2>/dev/null | wc -l; rm {file}");
        var state = Assert.IsType<WitnessState>(await pair.ReadAsync(pair.A, Token));
        output.WriteLine($"tcpdump {counted.Trim()}, witness {state.Counts.Clear}");
        Assert.Equal((Packets, (ulong)Packets), (int.Parse(counted, CultureInfo.InvariantCulture), state.Counts.Clear));
    }

    // nft is the second witness: it reads the table back as the remarks of WitnessTable show it.
    [Fact]
    public async Task Create_Table_IsWhatNftShows()
    {
        Assert.SkipWhen(SystemCommand.Find("nft") is null, "Missing: nft.");
        using var pair = await PairAsync();
        await pair.WitnessAsync(pair.A, pair.SpecOfA, Token);
        var shown = await WitnessPair.RunAsync(pair.A, Token, "nft", "list", "table", "netdev", WitnessTable.Name);
        output.WriteLine(shown);
        Assert.Contains(
            "ip saddr @own4 ip daddr @remote4 counter name \"clear\" accept comment \"owg 2 clear\"", shown, StringComparison.Ordinal);
        Assert.Contains("ip6 saddr @remote6 ip6 daddr @own6 counter name \"arrived_clear\" accept", shown, StringComparison.Ordinal);
        Assert.Contains("udp dport 51871 counter name \"tunnel\" accept comment \"owg 2 tunnel 51871\"", shown, StringComparison.Ordinal);
        Assert.Contains("counter name \"tunnel\" accept comment \"owg 2 tunnel 51871 of 192.168.7.1\"", shown, StringComparison.Ordinal);
        Assert.Contains("type filter hook egress device \"cilium_wg0\" priority filter; policy accept;", shown, StringComparison.Ordinal);
        Assert.Contains("type filter hook egress device \"eth0\" priority filter; policy accept;", shown, StringComparison.Ordinal);
        Assert.Contains("jump leaving comment \"owg 2 link\"", shown, StringComparison.Ordinal);
        Assert.Contains("elements = { 10.244.1.0/24 }", shown, StringComparison.Ordinal);
        Assert.Contains($"counter name \"seen{pair.DeviceOfA.Index}\" comment \"owg 2 seen\"", shown, StringComparison.Ordinal);
    }

    public static TheoryData<string, string> Faults => new()
    {
        { "nft flush ruleset", nameof(WitnessStep.Create) },
        { "nft delete table netdev orleans_wireguard", nameof(WitnessStep.Create) },
        { "for chain in $(nft list table netdev orleans_wireguard | grep -o 'out[0-9]*'); do nft flush chain netdev orleans_wireguard $chain; done", nameof(WitnessStep.Create) },
        { "ip link delete cilium_wg0", nameof(WitnessStep.Create) },
        { "nft flush chain netdev orleans_wireguard leaving", nameof(WitnessStep.Create) },
        { "nft insert rule netdev orleans_wireguard leaving accept", nameof(WitnessStep.Create) },
        { "nft delete element netdev orleans_wireguard remote4 { 10.244.2.0/24 }", nameof(WitnessStep.Change) },
        { "nft add element netdev orleans_wireguard own4 { 10.1.0.0/16 }", nameof(WitnessStep.Change) },
        { "nft add element netdev orleans_wireguard own4 { 10.1.0.1-10.1.0.3 }", nameof(WitnessStep.Create) },
        { "ip link set eth0 down; ip link set eth0 name uplink7", nameof(WitnessStep.Create) },
        { "ip link delete eth0", nameof(WitnessStep.Create) },
    };

    // Whatever is done to it is seen, and what is left of it counts on.
    [Theory]
    [MemberData(nameof(Faults))]
    public async Task Decide_SomebodyChangedIt_IsSeenAndRepaired(string command, string step)
    {
        Assert.SkipWhen(SystemCommand.Find("nft") is null, "Missing: nft.");
        using var pair = await PairAsync();
        var spec = pair.SpecOfA;
        await pair.WitnessAsync(pair.A, spec, Token);
        await pair.SendAsync(7, "10.244.1.7", "10.244.2.7", 9);
        var before = Assert.IsType<WitnessState>(await pair.ReadAsync(pair.A, Token));
        Assert.Equal(WitnessStep.None, WitnessPlan.Decide(before, spec));

        await WitnessPair.RunAsync(pair.A, Token, "sh", "-c", command);
        var links = await WitnessPair.LinksAsync(pair.A, Token);
        spec = spec with
        {
            Links = links.Where(link => link.Index == pair.LinkOfA.Index).ToEquatableArray(),
            Devices = links.Where(link => link.Index == pair.DeviceOfA.Index).ToEquatableArray(),
        };
        var after = await pair.ReadAsync(pair.A, Token);
        Assert.Equal(step, WitnessPlan.Decide(after, spec).ToString());

        await pair.RepairAsync(pair.A, after, spec, Token);
        var repaired = Assert.IsType<WitnessState>(await pair.ReadAsync(pair.A, Token));
        Assert.Equal(WitnessStep.None, WitnessPlan.Decide(repaired, spec));
        Assert.Equal(after is null ? 0ul : 7ul, repaired.Counts.Clear);
    }

    [Fact]
    public async Task Create_MostOfEverything_FitsOneTransaction()
    {
        using var pair = await PairAsync();
        var names = Enumerable.Range(1, WitnessTable.MaxLinks).Select(i => FormattableString.Invariant($"link-of-15-ch{i:00}")).ToList();
        await WitnessPair.RunAsync(pair.A, Token, "sh", "-c", string.Join(
            "&&", names.Select((name, i) => FormattableString.Invariant($"ip link add {name} type veth peer name other{i}"))));
        var links = await WitnessPair.LinksAsync(pair.A, Token);
        var spec = pair.SpecOfA with
        {
            Links = links.Where(link => names.Contains(link.Name)).ToEquatableArray(),
            Devices = [pair.LinkOfA, pair.DeviceOfA],
            Ports = Enumerable.Range(0, WitnessTable.MaxPorts)
                .Select(i => new EncapsulationPort((ushort)(60001 + i), IsGeneve: true)).ToEquatableArray(),
            TunnelPorts = [51871, 51872],
            TunnelAddresses = Enumerable.Range(1, WitnessTable.MaxAddresses)
                .Select(i => IPAddress.Parse(FormattableString.Invariant($"fd00:1234:5678:9abc:def0:1234:5678:{i}"))).ToEquatableArray(),
        };
        await pair.WitnessAsync(pair.A, spec, Token);
        var state = await pair.ReadAsync(pair.A, Token);
        Assert.Equal(WitnessStep.None, WitnessPlan.Decide(state, spec));

        // All links are others now, so each chain and counter of the former ones goes in the same transaction.
        var others = links.Where(link => link.Name.StartsWith("other", StringComparison.Ordinal)).ToEquatableArray();
        await pair.SendAsync(3, "10.244.1.7", "10.244.2.7", 9);
        var changed = spec with { Links = others, Devices = [] };
        await pair.RepairAsync(pair.A, state, changed, Token);
        Assert.Equal(WitnessStep.None, WitnessPlan.Decide(await pair.ReadAsync(pair.A, Token), changed));
    }

    // A device comes or goes, and with it the chains are made anew.
    [Fact]
    public async Task Create_WhilePacketsPass_MissesNone()
    {
        const int Packets = 20_000;
        using var pair = await PairAsync();
        EquatableArray<WitnessSpec> specs = [pair.SpecOfA, pair.SpecOfA with { Devices = [] }];
        await pair.WitnessAsync(pair.A, specs[0], Token);
        var flood = WitnessPair.RunAsync(pair.B, Token, "ping", "-q", "-f", "-c", $"{Packets}", "-I", "10.244.2.7", "10.244.1.7");
        var times = 0;
        while (!flood.IsCompleted || times < specs.Count)
        {
            var spec = specs[++times % specs.Count];
            var before = await pair.ReadAsync(pair.A, Token);
            Assert.Equal(WitnessStep.Create, WitnessPlan.Decide(before, spec));
            await pair.RepairAsync(pair.A, before, spec, Token);
        }

        Assert.Contains($" {Packets} received", await flood, StringComparison.Ordinal);
        var counts = Assert.IsType<WitnessState>(await pair.ReadAsync(pair.A, Token)).Counts;
        output.WriteLine($"made anew {times} times: {counts}");
        Assert.Equal((Packets, Packets), ((int)counts.Clear, (int)counts.ArrivedClear));
    }

    [Fact]
    public async Task Create_FiveThousandPrefixes_AreReadBack()
    {
        using var pair = await PairAsync();
        var many = Enumerable.Range(0, 5000)
            .Select(i => IPPrefix.Parse(FormattableString.Invariant($"10.{i / 250}.{i % 250}.0/24"))).Order().ToEquatableArray();
        var spec = pair.SpecOfA with { Own = [IPPrefix.Parse("10.244.1.0/24")], Remote = many };
        await pair.WitnessAsync(pair.A, spec, Token);
        Assert.Equal(WitnessStep.None, WitnessPlan.Decide(await pair.ReadAsync(pair.A, Token), spec));
        await WitnessPair.RunAsync(pair.A, Token, "true");
        await pair.DeleteAsync(pair.A, Token);
        Assert.Null(await pair.ReadAsync(pair.A, Token));
        await pair.DeleteAsync(pair.A, Token);
    }

    private static Task<WitnessPair> PairAsync()
    {
        SkipWithoutRoot();
        return WitnessPair.CreateAsync(UnderlayKind.Cable, hasEgressHook: true, Token);
    }

    private static void SkipWithoutRoot() => Assert.SkipWhen(Environment.UserName != "root", "Network namespaces need root.");
}
