using System.Net;
using System.Net.Sockets;
using Orleans.WireGuard.Linux.Routing.Firewall;
using Orleans.WireGuard.LocalMesh.Processes;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.EndToEnd.Routing.Firewall;

/// <summary>
/// What becomes of the segment size of a real connection whose packets come in by a link that is called as one of our devices: a cable,
/// which carries 1500 bytes.
/// </summary>
[Trait("Kind", "EndToEnd")]
public sealed class SegmentTests
{
    private const int Port = 5000;
    private const int TcpMaxSegment = 2; // linux/tcp.h: TCP_MAXSEG

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    // 1440 - 50 and 1440 - 70; the cable's own would be 1460 and 1440. One that asks for less gets it.
    [Theory]
    [InlineData("10.9.0.1", "10.9.0.2", 0, 1390)]
    [InlineData("fd00:9::1", "fd00:9::2", 0, 1370)]
    [InlineData("10.9.0.1", "10.9.0.2", 1000, 1000)]
    [InlineData("fd00:9::1", "fd00:9::2", 1000, 1000)]
    public async Task Syn_ComesInByADevice_HasASegmentThatFits(string from, string to, int asked, int expected)
    {
        using var pair = await ConnectAsync();
        await pair.B.RunAsync(() => CountAsync(expected));
        using var listener = await pair.B.RunAsync(() => Task.FromResult(Listen(to)));
        using var client = await pair.A.RunAsync(() => Task.FromResult(Open(from, asked)));
        await pair.A.RunAsync(() => client.ConnectAsync(IPAddress.Parse(to), Port, Token).AsTask());

        Assert.Equal("1", await pair.B.RunAsync(CountedAsync));
    }

    // The answer to a connection that begins here comes in by the device too.
    [Theory]
    [InlineData("10.9.0.1", "10.9.0.2", 1390)]
    [InlineData("fd00:9::1", "fd00:9::2", 1370)]
    public async Task SynAck_ComesInByADevice_HasASegmentThatFits(string from, string to, int expected)
    {
        using var pair = await ConnectAsync();
        await pair.B.RunAsync(() => CountAsync(expected));
        using var listener = await pair.A.RunAsync(() => Task.FromResult(Listen(from)));
        using var client = await pair.B.RunAsync(() => Task.FromResult(Open(to, 0)));
        await pair.B.RunAsync(() => client.ConnectAsync(IPAddress.Parse(from), Port, Token).AsTask());

        Assert.Equal("1", await pair.B.RunAsync(CountedAsync));
    }

    private static Socket Listen(string address)
    {
        var socket = new Socket(IPAddress.Parse(address).AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        socket.Bind(new IPEndPoint(IPAddress.Parse(address), Port));
        socket.Listen();
        return socket;
    }

    private static Socket Open(string address, int segment)
    {
        var socket = new Socket(IPAddress.Parse(address).AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        if (segment > 0)
        {
            socket.SetRawSocketOption((int)ProtocolType.Tcp, TcpMaxSegment, BitConverter.GetBytes(segment));
        }

        return socket;
    }

    private static async Task<Pair> ConnectAsync()
    {
        Assert.SkipUnless(Environment.IsPrivilegedProcess, "network namespaces need root");
        Assert.SkipWhen(Command.Find("nft") is null, "the program 'nft' is missing (Debian package nftables)");
        var pair = new Pair(await NamespaceThread.CreateAsync("segments-a", Token), await NamespaceThread.CreateAsync("segments-b", Token));
        await pair.A.ConnectAsync("eth0", pair.B, "cilium_wg0", Token);
        await pair.A.RunAsync(() => AddressAsync("eth0", "1"));
        await pair.B.RunAsync(() => AddressAsync("cilium_wg0", "2"));
        await pair.B.RunAsync(async () =>
        {
            var firewall = new NetlinkFirewall(TimeProvider.System);
            await firewall.CreateAsync(FirewallPrefixes.None, Token);
            await firewall.LimitSegmentsAsync([new("cilium_wg0", 1440)], Token);
        });
        return pair;
    }

    private static async Task AddressAsync(string link, string last)
    {
        await RunAsync("ip", "address", "add", $"10.9.0.{last}/24", "dev", link);
        await RunAsync("ip", "address", "add", $"fd00:9::{last}/64", "dev", link, "nodad");
    }

    // Behind ours: what the node's own stack is given.
    private static Task<string> CountAsync(int segment) => RunAsync(
        "nft",
        "add table inet seen; add counter inet seen segments; add chain inet seen input { type filter hook input priority filter; }; "
            + $"add rule inet seen input tcp flags syn tcp option maxseg size {segment} counter name segments");

    private static async Task<string> CountedAsync() =>
        (await RunAsync("nft", "list", "counter", "inet", "seen", "segments")).Split("packets ")[1].Split(' ')[0];

    private static async Task<string> RunAsync(string program, params string[] arguments) =>
        (await Command.RunAsync(program, arguments, Token)).EnsureSuccess().Output;

    private sealed record Pair(NamespaceThread A, NamespaceThread B) : IDisposable
    {
        public void Dispose()
        {
            A.Dispose();
            B.Dispose();
        }
    }
}
