using System.Net;
using System.Net.Sockets;
using Orleans.WireGuard.Linux;
using Orleans.WireGuard.Linux.Routing;
using Orleans.WireGuard.Linux.Routing.Witness;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.EndToEnd.Routing.Witness;

/// <summary>Two nodes with a cable between them, pods' addresses, and a witness on each. With or without a test framework.</summary>
internal sealed class WitnessPair : IDisposable
{
    /// <summary>The UDP port of VXLAN, as flannel and Cilium use it.</summary>
    public const ushort VxlanPort = 8472;

    /// <summary>The UDP port of Geneve.</summary>
    public const ushort GenevePort = 6081;

    /// <summary>The UDP port of a tunnel of ours.</summary>
    public const ushort TunnelPort = 51871;

    private readonly bool _hasEgressHook;
    private readonly List<Socket> _takers = [];

    private WitnessPair(NamespaceThread a, NamespaceThread b, bool hasEgressHook) => (A, B, _hasEgressHook) = (a, b, hasEgressHook);

    /// <summary>The node that sends: 192.168.7.1, with the pod 10.244.1.7.</summary>
    public NamespaceThread A { get; }

    /// <summary>The node that receives: 192.168.7.2, with the pod 10.244.2.7.</summary>
    public NamespaceThread B { get; }

    /// <summary>The link by which <see cref="A"/> reaches the other one.</summary>
    public WitnessLink LinkOfA { get; private set; }

    /// <summary>The link by which <see cref="B"/> reaches the other one.</summary>
    public WitnessLink LinkOfB { get; private set; }

    /// <summary>Stands for a device of ours on <see cref="A"/>; 10.77.0.0/24 is behind it.</summary>
    public WitnessLink DeviceOfA { get; private set; }

    /// <summary>What the witness of <see cref="A"/> should be.</summary>
    public WitnessSpec SpecOfA => Spec(LinkOfA, [DeviceOfA], isMirrored: false);

    /// <summary>What the witness of <see cref="B"/> should be.</summary>
    public WitnessSpec SpecOfB => Spec(LinkOfB, [], isMirrored: true);

    /// <summary>Makes the nodes.</summary>
    /// <param name="underlay">What the nodes' addresses are on.</param>
    /// <param name="hasEgressHook">Whether the witness asks the kernel for its egress hook.</param>
    /// <param name="token">Gives up.</param>
    /// <exception cref="MissingLinkKindException">The kernel has no such link.</exception>
    public static async Task<WitnessPair> CreateAsync(UnderlayKind underlay, bool hasEgressHook, CancellationToken token)
    {
        var pair = new WitnessPair(
            await NamespaceThread.CreateAsync("witness-a", token), await NamespaceThread.CreateAsync("witness-b", token), hasEgressHook);
        try
        {
            await pair.ConnectAsync(underlay, token);
            return pair;
        }
        catch
        {
            pair.Dispose();
            throw;
        }
    }

    /// <summary>The links of a node.</summary>
    public static Task<IReadOnlyList<WitnessLink>> LinksAsync(NamespaceThread space, CancellationToken token) => space.RunAsync(async () =>
    {
        var dump = await new NetlinkDump(TimeProvider.System).ReadAsync(token);
        return (IReadOnlyList<WitnessLink>)[.. dump.Links.Select(link => new WitnessLink(link.Index, link.Name))];
    });

    /// <summary>Runs a command on a node.</summary>
    /// <returns>What it printed.</returns>
    /// <exception cref="ExpectationException">It failed.</exception>
    public static Task<string> RunAsync(NamespaceThread space, CancellationToken token, params string[] command) =>
        space.RunAsync(async () =>
    {
        var result = await new SystemCommand(TimeProvider.System).RunAsync("test", command, new Dictionary<string, string?>(), token);
        MissingLinkKindException.ThrowIf(result.Error);
        Expect.True(result.ExitCode == 0, $"{string.Join(' ', command)} succeeds: {result.Error}");
        return result.Output;
    });

    /// <summary>A VXLAN message with as much of a packet as has addresses.</summary>
    public static byte[] Vxlan(string source, string destination) => [8, 0, 0, 0, 0, 0, 1, 0, .. Frame(source, destination)];

    /// <summary>A Geneve message with as much of a packet as has addresses.</summary>
    public static byte[] Geneve(string source, string destination, byte optionWords) =>
        [optionWords, 0, 0x65, 0x58, 0, 0, 1, 0, .. new byte[optionWords * 4], .. Frame(source, destination)];

    /// <summary>Makes a node's table.</summary>
    /// <returns>Whether the witness is partial.</returns>
    public Task<bool> WitnessAsync(NamespaceThread space, WitnessSpec spec, CancellationToken token) =>
        space.RunAsync(() => New().CreateAsync(spec, former: null, token));

    /// <summary>Reads a node's table.</summary>
    public Task<WitnessState?> ReadAsync(NamespaceThread space, CancellationToken token) => space.RunAsync(() => New().TryGetAsync(token));

    /// <summary>Deletes a node's table.</summary>
    public Task DeleteAsync(NamespaceThread space, CancellationToken token) => space.RunAsync(() => New().DeleteAsync(token));

    /// <summary>Makes a node's table what it should be.</summary>
    public Task RepairAsync(NamespaceThread space, WitnessState? state, WitnessSpec spec, CancellationToken token) => space.RunAsync(() =>
        WitnessPlan.Decide(state, spec) == WitnessStep.Change
            ? New().ChangeAsync(state!, spec, token)
            : New().CreateAsync(spec, state, token));

    /// <summary>Sends UDP packets from the first node to the second.</summary>
    public Task SendAsync(int count, string source, string destination, int port, byte[]? payload = null) => A.RunAsync(() =>
    {
        var from = IPAddress.Parse(source);
        using var socket = new Socket(from.AddressFamily, SocketType.Dgram, ProtocolType.Udp);
        socket.Bind(new IPEndPoint(from, 0));
        var packet = payload ?? new byte[32];
        var to = new IPEndPoint(IPAddress.Parse(destination), port).Serialize();
        for (var i = 0; i < count; i++)
        {
            socket.SendTo(packet, SocketFlags.None, to);
        }

        return Task.CompletedTask;
    });

    /// <summary>
    /// Has what comes in by a new link <c>pod1</c> of <see cref="A"/> leave by another one of its links, as a BPF program does that
    /// redirects it: behind the ingress of the one, and past netfilter.
    /// </summary>
    public Task RedirectAsync(WitnessLink target, CancellationToken token) => RunAsync(A, token, "sh", "-c", string.Join("&&", [
        "ip link add pod1 type veth peer name inside",
        "ip link set pod1 addrgenmode none up",
        "ip link set inside arp off addrgenmode none up",
        "ip addr add 10.79.0.1/24 dev inside",
        "tc qdisc add dev pod1 clsact",
        $"tc filter add dev pod1 ingress matchall action mirred egress redirect dev {target.Name}"]));

    /// <summary>What a link of <see cref="A"/> has counted.</summary>
    public Task<LinkTraffic> TrafficAsync(WitnessLink link, CancellationToken token) =>
        A.RunAsync(() => new NetlinkLinkClient(TimeProvider.System).GetTrafficAsync(link.Name, token));

    /// <inheritdoc/>
    public void Dispose()
    {
        _takers.ForEach(taker => taker.Dispose());
        A.Dispose();
        B.Dispose();
    }

    private static WitnessSpec Spec(WitnessLink link, EquatableArray<WitnessLink> devices, bool isMirrored)
    {
        EquatableArray<IPPrefix> ofA = [IPPrefix.Parse("10.244.1.0/24"), IPPrefix.Parse("fd00:244:1::/64")];
        EquatableArray<IPPrefix> ofB = [IPPrefix.Parse("10.244.2.0/24"), IPPrefix.Parse("fd00:244:2::/64")];
        var own = isMirrored ? 2 : 1;
        return new WitnessSpec(
            [link],
            isMirrored ? ofB : ofA,
            isMirrored ? ofA : ofB,
            [new(GenevePort, IsGeneve: true), new(VxlanPort, IsGeneve: false)],
            [TunnelPort, TunnelPort + 1],
            [IPAddress.Parse($"192.168.7.{own}"), IPAddress.Parse($"fd00:7::{own}")],
            devices);
    }

    // An Ethernet frame with as much of an IP header as has addresses.
    private static byte[] Frame(string source, string destination)
    {
        var (from, to) = (IPAddress.Parse(source).GetAddressBytes(), IPAddress.Parse(destination).GetAddressBytes());
        byte[] type = from.Length == 4 ? [0x08, 0x00] : [0x86, 0xDD];
        return [.. new byte[12], .. type, .. new byte[from.Length == 4 ? 12 : 8], .. from, .. to];
    }

    private async Task ConnectAsync(UnderlayKind underlay, CancellationToken token)
    {
        await A.ConnectAsync("eth0", B, "eth0", token);
        foreach (var (space, own, other) in new[] { (A, 1, 2), (B, 2, 1) })
        {
            await RunAsync(space, token, "sh", "-c", string.Join("&&", [
                .. underlay.Commands,
                $"sysctl -qw net.ipv6.conf.{underlay.Link}.accept_dad=0 net.ipv6.conf.{underlay.Link}.router_solicitations=0",
                $"ip addr add 192.168.7.{own}/24 dev {underlay.Link}",
                $"ip addr add fd00:7::{own}/64 dev {underlay.Link} nodad",
                $"ip addr add 10.244.{own}.7/32 dev lo",
                $"ip addr add fd00:244:{own}::7/128 dev lo nodad",
                $"ip route add 10.244.{other}.0/24 via 192.168.7.{other}",
                $"ip route add fd00:244:{other}::/64 via fd00:7::{other}"]));
        }

        await RunAsync(A, token, "sh", "-c", string.Join("&&", [
            "ip link add cilium_wg0 mtu 1420 type veth peer name behind",
            "ip link set cilium_wg0 arp off addrgenmode none up",
            "ip link set behind addrgenmode none up",
            "ip route add 10.77.0.0/24 dev cilium_wg0"]));

        // Somebody takes the packets, or an ICMP message from pod to pod would come back for each.
        await B.RunAsync(() =>
        {
            foreach (var port in (int[])[9, VxlanPort, GenevePort, 4789, TunnelPort, TunnelPort + 1])
            {
                var socket = new Socket(SocketType.Dgram, ProtocolType.Udp);
                _takers.Add(socket);
                socket.Bind(new IPEndPoint(IPAddress.IPv6Any, port));
            }

            return Task.CompletedTask;
        });

        // A packet to a neighbour that is not known yet waits, and would be counted after the counters were read.
        const string Meet = "for i in $(seq 50); do ping -c1 -W1 192.168.7.2 && ping -6 -c1 -W1 fd00:7::2 && exit 0; done; exit 1";
        await RunAsync(A, token, "sh", "-c", Meet);
        LinkOfA = (await LinksAsync(A, token)).Single(link => link.Name == underlay.Link);
        DeviceOfA = (await LinksAsync(A, token)).Single(link => link.Name == "cilium_wg0");
        LinkOfB = (await LinksAsync(B, token)).Single(link => link.Name == underlay.Link);
    }

    private NetlinkWitness New() => new(TimeProvider.System, hasEgressHook: _hasEgressHook);
}
