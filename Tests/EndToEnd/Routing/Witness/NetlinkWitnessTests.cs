// The witness on a real link, with real packets, beside tcpdump(1) and nft(8).
using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Orleans.WireGuard.Silo.Devices;
using Orleans.WireGuard.Silo.Routing.Witness;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.EndToEnd.Routing.Witness;

[Trait("Kind", "EndToEnd")]
public sealed class NetlinkWitnessTests(ITestOutputHelper output)
{
    private const ushort VxlanPort = 8472;
    private const ushort GenevePort = 6081;
    private const ushort TunnelPort = 51871;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    // What leaves is counted where it leaves, and the other end counts the same where it arrives.
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Count_EveryClass_IsWhatWasSent(bool hasEgressHook)
    {
        using var pair = await Pair.Create(hasEgressHook);
        var isPartial = await pair.Witness(pair.A, Spec(pair.LinkOfA, isMirrored: false));
        await pair.Witness(pair.B, Spec(pair.LinkOfB, isMirrored: true));
        Assert.Equal(!hasEgressHook, isPartial);

        await pair.Send(7, "10.244.1.7", "10.244.2.7", 9);
        await pair.Send(5, "fd00:244:1::7", "fd00:244:2::7", 9);
        await pair.Send(3, "192.168.7.1", "192.168.7.2", VxlanPort, Vxlan("10.244.1.7", "10.244.2.7"));
        await pair.Send(2, "192.168.7.1", "192.168.7.2", VxlanPort, Vxlan("fd00:244:1::7", "fd00:244:2::7"));
        await pair.Send(4, "192.168.7.1", "192.168.7.2", GenevePort, Geneve("10.244.1.7", "10.244.2.7", optionWords: 0));
        await pair.Send(1, "192.168.7.1", "192.168.7.2", GenevePort, Geneve("10.244.1.7", "10.244.2.7", optionWords: 3));
        await pair.Send(6, "192.168.7.1", "192.168.7.2", TunnelPort);

        // None of these is from a pod to a pod of the other node.
        await pair.Send(20, "192.168.7.1", "10.244.2.7", 9);
        await pair.Send(20, "10.244.1.7", "192.168.7.2", 9);
        await pair.Send(20, "192.168.7.1", "192.168.7.2", VxlanPort, Vxlan("10.244.1.7", "10.9.9.9"));
        await pair.Send(20, "192.168.7.1", "192.168.7.2", VxlanPort, [1, 2, 3]);
        await pair.Send(20, "192.168.7.1", "192.168.7.2", 4789, Vxlan("10.244.1.7", "10.244.2.7"));

        var left = Assert.IsType<WitnessState>(await pair.Read(pair.A));
        var arrived = Assert.IsType<WitnessState>(await pair.Read(pair.B));
        Assert.Equal(new WitnessCounts(Clear: 12, ClearEncapsulated: 10, Tunnel: 6), left.Counts);
        Assert.Equal(new WitnessCounts(ArrivedClear: 12, ArrivedClearEncapsulated: 10, ArrivedTunnel: 6), arrived.Counts);
    }

    [Fact]
    public async Task Count_TenThousandPackets_IsWhatTcpdumpCounts()
    {
        const int Packets = 10_000;
        Assert.SkipWhen(SystemCommand.Find("tcpdump") is null, "Missing: tcpdump.");
        using var pair = await Pair.Create();
        await pair.Witness(pair.A, Spec(pair.LinkOfA, isMirrored: false));
        var file = Path.Combine(Path.GetTempPath(), $"owg-witness-{Guid.NewGuid():N}.pcap");
        using var capture = await pair.A.Run(() => Task.FromResult(Process.Start(
            new ProcessStartInfo("tcpdump", ["-i", "eth0", "-n", "-B", "65536", "-s", "64", "-Z", "root", "-w", file]) { RedirectStandardError = true })!));
        try
        {
            Assert.Contains("listening", await capture.StandardError.ReadLineAsync(Token), StringComparison.Ordinal);
            await pair.Send(Packets, "10.244.1.7", "10.244.2.7", 9);
            await pair.Send(1, "192.168.7.1", "192.168.7.2", 7);

            // tcpdump has written all of them once it has written the one behind them.
            await Pair.Run(pair.A, "sh", "-c", $"for i in $(seq 100); do tcpdump -n -r {file} dst port 7 2>/dev/null | grep -q . && exit 0; sleep 0.1; kill -USR2 {capture.Id}; done; exit 1");
        }
        finally
        {
            await Pair.Run(pair.A, "kill", "-INT", capture.Id.ToString(CultureInfo.InvariantCulture));
            await capture.WaitForExitAsync(Token);
        }

        var counted = await Pair.Run(pair.A, "sh", "-c", $"tcpdump -n -r {file} src 10.244.1.7 and dst 10.244.2.7 2>/dev/null | wc -l; rm {file}");
        var state = Assert.IsType<WitnessState>(await pair.Read(pair.A));
        output.WriteLine($"tcpdump {counted.Trim()}, witness {state.Counts.Clear}");
        Assert.Equal((Packets, (ulong)Packets), (int.Parse(counted, CultureInfo.InvariantCulture), state.Counts.Clear));
    }

    // nft is the second witness: it reads the table back as the remarks of WitnessTable show it.
    [Fact]
    public async Task Create_Table_IsWhatNftShows()
    {
        Assert.SkipWhen(SystemCommand.Find("nft") is null, "Missing: nft.");
        using var pair = await Pair.Create();
        await pair.Witness(pair.A, Spec(pair.LinkOfA, isMirrored: false));
        var shown = await Pair.Run(pair.A, "nft", "list", "table", "netdev", WitnessTable.Name);
        output.WriteLine(shown);
        Assert.Contains("ip saddr @own4 ip daddr @remote4 counter name \"clear\" accept comment \"owg 1 clear\"", shown, StringComparison.Ordinal);
        Assert.Contains("ip6 saddr @remote6 ip6 daddr @own6 counter name \"arrived_clear\" accept", shown, StringComparison.Ordinal);
        Assert.Contains("udp dport 51871 counter name \"tunnel\" accept comment \"owg 1 tunnel 51871\"", shown, StringComparison.Ordinal);
        Assert.Contains("type filter hook egress device \"eth0\" priority filter; policy accept;", shown, StringComparison.Ordinal);
        Assert.Contains("jump leaving comment \"owg 1 link\"", shown, StringComparison.Ordinal);
        Assert.Contains("elements = { 10.244.1.0/24 }", shown, StringComparison.Ordinal);
    }

    public static TheoryData<string, string> Faults => new()
    {
        { "nft flush ruleset", nameof(WitnessStep.Create) },
        { "nft delete table netdev orleans_wireguard", nameof(WitnessStep.Create) },
        { "nft flush chain netdev orleans_wireguard leaving", nameof(WitnessStep.Create) },
        { "nft insert rule netdev orleans_wireguard leaving accept", nameof(WitnessStep.Create) },
        { "nft delete element netdev orleans_wireguard remote4 { 10.244.2.0/24 }", nameof(WitnessStep.Change) },
        { "nft add element netdev orleans_wireguard own4 { 10.1.0.0/16 }", nameof(WitnessStep.Change) },
        { "nft add element netdev orleans_wireguard own4 { 10.1.0.1-10.1.0.3 }", nameof(WitnessStep.Create) },
        { "ip link set eth0 down; ip link set eth0 name uplink7", nameof(WitnessStep.Create) },
        { "ip link delete eth0", nameof(WitnessStep.Create) },
    };

    // Whatever is done to it is seen, and writing it again counts on from where it stood.
    [Theory]
    [MemberData(nameof(Faults))]
    public async Task Decide_SomebodyChangedIt_IsSeenAndRepaired(string command, string step)
    {
        Assert.SkipWhen(SystemCommand.Find("nft") is null, "Missing: nft.");
        using var pair = await Pair.Create();
        var spec = Spec(pair.LinkOfA, isMirrored: false);
        await pair.Witness(pair.A, spec);
        await pair.Send(7, "10.244.1.7", "10.244.2.7", 9);
        var before = Assert.IsType<WitnessState>(await pair.Read(pair.A));
        Assert.Equal(WitnessStep.None, WitnessPlan.Decide(before, spec));

        await Pair.Run(pair.A, "sh", "-c", command);
        var links = await Pair.Links(pair.A);
        spec = spec with { Links = links.Where(link => link.Index == pair.LinkOfA.Index).ToEquatableArray() };
        var after = await pair.Read(pair.A);
        Assert.Equal(step, WitnessPlan.Decide(after, spec).ToString());

        await pair.Repair(pair.A, after, spec, before.Counts);
        var repaired = Assert.IsType<WitnessState>(await pair.Read(pair.A));
        Assert.Equal(WitnessStep.None, WitnessPlan.Decide(repaired, spec));
        Assert.Equal(7ul, repaired.Counts.Clear);
    }

    [Fact]
    public async Task Create_FiveThousandPrefixes_AreReadBack()
    {
        using var pair = await Pair.Create();
        var many = Enumerable.Range(0, 5000).Select(i => IPPrefix.Parse(FormattableString.Invariant($"10.{i / 250}.{i % 250}.0/24"))).Order().ToEquatableArray();
        var spec = Spec(pair.LinkOfA, isMirrored: false) with { Own = [IPPrefix.Parse("10.244.1.0/24")], Remote = many };
        await pair.Witness(pair.A, spec);
        Assert.Equal(WitnessStep.None, WitnessPlan.Decide(await pair.Read(pair.A), spec));
        await Pair.Run(pair.A, "true");
        await pair.Delete(pair.A);
        Assert.Null(await pair.Read(pair.A));
        await pair.Delete(pair.A);
    }

    private static WitnessSpec Spec(WitnessLink link, bool isMirrored)
    {
        EquatableArray<IPPrefix> ofA = [IPPrefix.Parse("10.244.1.0/24"), IPPrefix.Parse("fd00:244:1::/64")];
        EquatableArray<IPPrefix> ofB = [IPPrefix.Parse("10.244.2.0/24"), IPPrefix.Parse("fd00:244:2::/64")];
        return new WitnessSpec(
            [link], isMirrored ? ofB : ofA, isMirrored ? ofA : ofB, [new(GenevePort, IsGeneve: true), new(VxlanPort, IsGeneve: false)], [TunnelPort, 51872]);
    }

    private static byte[] Vxlan(string source, string destination) => [8, 0, 0, 0, 0, 0, 1, 0, .. Frame(source, destination)];

    private static byte[] Geneve(string source, string destination, byte optionWords) =>
        [optionWords, 0, 0x65, 0x58, 0, 0, 1, 0, .. new byte[optionWords * 4], .. Frame(source, destination)];

    // An Ethernet frame with as much of an IP header as has addresses.
    private static byte[] Frame(string source, string destination)
    {
        var (from, to) = (IPAddress.Parse(source).GetAddressBytes(), IPAddress.Parse(destination).GetAddressBytes());
        byte[] type = from.Length == 4 ? [0x08, 0x00] : [0x86, 0xDD];
        return [.. new byte[12], .. type, .. new byte[from.Length == 4 ? 12 : 8], .. from, .. to];
    }

    // Two nodes with a cable.
    private sealed class Pair(NamespaceThread a, NamespaceThread b, bool hasEgressHook) : IDisposable
    {
        private readonly List<Socket> _takers = [];

        public NamespaceThread A => a;

        public NamespaceThread B => b;

        public WitnessLink LinkOfA { get; private set; }

        public WitnessLink LinkOfB { get; private set; }

        public static async Task<Pair> Create(bool hasEgressHook = true)
        {
            Assert.SkipWhen(Environment.UserName != "root", "Network namespaces need root.");
            var pair = new Pair(await NamespaceThread.Create("witness-a", Token), await NamespaceThread.Create("witness-b", Token), hasEgressHook);
            await pair.A.Connect("eth0", pair.B, "eth0", Token);
            foreach (var (space, own, other) in new[] { (pair.A, 1, 2), (pair.B, 2, 1) })
            {
                await Pair.Run(space, "sh", "-c", string.Join("&&", [
                    "sysctl -qw net.ipv6.conf.eth0.accept_dad=0 net.ipv6.conf.eth0.router_solicitations=0",
                    $"ip addr add 192.168.7.{own}/24 dev eth0",
                    $"ip addr add fd00:7::{own}/64 dev eth0 nodad",
                    $"ip addr add 10.244.{own}.7/32 dev lo",
                    $"ip addr add fd00:244:{own}::7/128 dev lo nodad",
                    $"ip route add 10.244.{other}.0/24 via 192.168.7.{other}",
                    $"ip route add fd00:244:{other}::/64 via fd00:7::{other}"]));
            }

            // Somebody takes the packets, or an ICMP message from pod to pod would come back for each.
            await pair.B.Run(() =>
            {
                foreach (var port in (int[])[9, VxlanPort, GenevePort, 4789, TunnelPort])
                {
                    var socket = new Socket(SocketType.Dgram, ProtocolType.Udp);
                    pair._takers.Add(socket);
                    socket.Bind(new IPEndPoint(IPAddress.IPv6Any, port));
                }

                return Task.CompletedTask;
            });
            // A packet to a neighbour that is not known yet waits, and would be counted after the counters were read.
            const string Meet = "for i in $(seq 50); do ping -c1 -W1 192.168.7.2 && ping -6 -c1 -W1 fd00:7::2 && exit 0; done; exit 1";
            await Run(pair.A, "sh", "-c", Meet);
            pair.LinkOfA = (await Pair.Links(pair.A)).Single(link => link.Name == "eth0");
            pair.LinkOfB = (await Pair.Links(pair.B)).Single(link => link.Name == "eth0");
            return pair;
        }

        public static async Task<IReadOnlyList<WitnessLink>> Links(NamespaceThread space) => await space.Run(async () =>
        {
            var dump = await new Silo.Routing.Dump.NetlinkDump(TimeProvider.System).ReadAsync(Token);
            return dump.Links.Select(link => new WitnessLink(link.Index, link.Name)).ToList();
        });

        public Task<bool> Witness(NamespaceThread space, WitnessSpec spec) => space.Run(() => New().CreateAsync(spec, new WitnessCounts(), Token));

        public Task<WitnessState?> Read(NamespaceThread space) => space.Run(() => New().TryGetAsync(Token));

        public Task Delete(NamespaceThread space) => space.Run(() => New().DeleteAsync(Token));

        public Task Repair(NamespaceThread space, WitnessState? state, WitnessSpec spec, WitnessCounts counts) => space.Run(() =>
            WitnessPlan.Decide(state, spec) == WitnessStep.Change ? New().ChangeAsync(state!, spec, Token) : New().CreateAsync(spec, counts, Token));

        public Task Send(int count, string source, string destination, int port, byte[]? payload = null) => a.Run(() =>
        {
            var from = IPAddress.Parse(source);
            using var socket = new Socket(from.AddressFamily, SocketType.Dgram, ProtocolType.Udp);
            socket.Bind(new IPEndPoint(from, 0));
            var packet = payload ?? new byte[32];
            for (var i = 0; i < count; i++)
            {
                socket.SendTo(packet, new IPEndPoint(IPAddress.Parse(destination), port));
            }

            return Task.CompletedTask;
        });

        public static Task<string> Run(NamespaceThread space, params string[] command) => space.Run(async () =>
        {
            var result = await new SystemCommand(TimeProvider.System).Run("test", command, new Dictionary<string, string?>(), Token);
            Assert.True(result.ExitCode == 0, $"{string.Join(' ', command)}: {result.Error}");
            return result.Output;
        });

        public void Dispose()
        {
            _takers.ForEach(taker => taker.Dispose());
            a.Dispose();
            b.Dispose();
        }

        private NetlinkWitness New() => new(TimeProvider.System, hasEgressHook: hasEgressHook);
    }
}
