// The case in which a router lies between two nodes, and a narrow link behind it.
using System.Net;
using Orleans.WireGuard.Linux.Routing;
using Orleans.WireGuard.LocalMesh.Processes;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.EndToEnd.Routing;

internal static partial class LinkCases
{
    private const int ProbePort = 51871;

    // From the answer of a router in the same machine to the route.
    private static readonly TimeSpan LearnLimit = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan LearnPoll = TimeSpan.FromMilliseconds(50);

    private static async Task PathMtuIsWhatARouterSaysAsync(NetlinkLinkClient _, CancellationToken token)
    {
        using var near = await NamespaceThread.CreateAsync("near", token);
        using var router = await NamespaceThread.CreateAsync("router", token);
        using var far = await NamespaceThread.CreateAsync("far", token);
        await near.ConnectAsync("eth0", router, "near0", token);
        await far.ConnectAsync("eth0", router, "far0", token);
        await router.RunAsync(() => IpAsync(
            token,
            "address add 192.168.7.1/24 dev near0", "address add 192.168.8.1/24 dev far0", "address add fd00:7::1/64 dev near0 nodad",
            "address add fd00:8::1/64 dev far0 nodad", "link set far0 mtu 1400"));
        await router.RunAsync(() =>
        {
            File.WriteAllText("/proc/sys/net/ipv4/ip_forward", "1");
            File.WriteAllText("/proc/sys/net/ipv6/conf/all/forwarding", "1");
            return Task.CompletedTask;
        });
        await far.RunAsync(() => IpAsync(
            token,
            "link set eth0 mtu 1400", "address add 192.168.8.2/24 dev eth0", "address add fd00:8::2/64 dev eth0 nodad",
            "route add default via 192.168.8.1", "-6 route add default via fd00:8::1"));
        await near.RunAsync(() => IpAsync(
            token,
            "address add 192.168.7.2/24 dev eth0", "address add fd00:7::2/64 dev eth0 nodad", "route add default via 192.168.7.1",
            "-6 route add default via fd00:7::1"));

        await near.RunAsync(async () =>
        {
            var links = new NetlinkLinkClient(TimeProvider.System);
            foreach (var text in new[] { "192.168.8.2", "fd00:8::2" })
            {
                var address = IPAddress.Parse(text);
                Expect.Equal<int?>(1500, (await links.TryGetPathAsync(address, token))?.Mtu);
                using var probe = new UdpPathProbe(ProbePort);
                var started = TimeProvider.System.GetTimestamp();
                while ((await links.TryGetPathAsync(address, token))?.Mtu != 1400)
                {
                    Expect.True(TimeProvider.System.GetElapsedTime(started) < LearnLimit, $"the way to {text} is learned within {LearnLimit}");
                    Expect.True(probe.TrySend(address, 1500));
                    await Task.Delay(LearnPoll, TimeProvider.System, token);
                }

                Expect.Equal<int?>(1500, (await links.TryGetPathAsync(address, token))?.LinkMtu);
            }
        });
    }

    private static async Task IpAsync(CancellationToken token, params string[] lines)
    {
        foreach (var line in lines)
        {
            (await Command.RunAsync("ip", line.Split(' '), token)).EnsureSuccess();
        }
    }
}
