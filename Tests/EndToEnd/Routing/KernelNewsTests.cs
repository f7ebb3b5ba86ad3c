// What the listener makes of a real kernel's news.
using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net;
using Microsoft.Extensions.Logging.Abstractions;
using Orleans.WireGuard.Grains.Clocks;
using Orleans.WireGuard.Linux.Netlink;
using Orleans.WireGuard.Linux.Routing;
using Orleans.WireGuard.LocalMesh.Processes;
using Orleans.WireGuard.Silo.Agent;
using Orleans.WireGuard.Tests.Support;
using static Orleans.WireGuard.Linux.Netlink.NetlinkConstants;

namespace Orleans.WireGuard.Tests.EndToEnd.Routing;

[Trait("Kind", "EndToEnd")]
public sealed class KernelNewsTests(ITestOutputHelper output)
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    // As a plugin does that gives each pod a veth pair and a gateway address: with routes and addresses of both families.
    [Fact]
    public async Task Monitor_TwoHundredPodsComeAndGo_MakesNoPass()
    {
        const int Pods = 200;
        SkipWithoutRoot();
        await using var mesh = new AgentHarness(2).Settled(2);
        await mesh.StartAsync();
        using var space = await NamespaceThread.CreateAsync("pods", Token);
        await space.RunAsync(async () =>
        {
            var heard = new ConcurrentQueue<KernelNews>();
            using var monitor = new NetlinkLinkMonitor(() => mesh.Watch.Filter, Hear, NullLogger<NetlinkLinkMonitor>.Instance);
            using var listener = new Listener();
            monitor.Start();
            var links = new NetlinkLinkClient(TimeProvider.System);
            var (devices, reads) = (mesh.Devices.Calls.Count, mesh.Links.Calls.Count);
            for (var i = 0; i < Pods; i++)
            {
                await links.CreateLinkAsync($"pod{i}", "veth", Token);
                await links.SetUpAsync($"pod{i}", Token);
                await links.AddAddressAsync($"pod{i}", new LinkAddress(IPAddress.Parse($"10.9.{i}.1"), 24), Token);
            }

            for (var i = 0; i < Pods; i++)
            {
                await links.DeleteLinkAsync($"pod{i}", "veth", Token);
            }

            // News come in order: once this one is heard, whatever the pods caused would have been.
            await links.ReplaceRouteAsync(Route.Unreachable(IPPrefix.Parse("10.244.2.0/24")), Token);
            await UntilAsync(() => heard.Contains(KernelNews.Routes), "our route is not heard");
            Assert.Equal([KernelNews.Routes], heard);
            output.WriteLine($"{Pods} pods: {listener.Stop()} news about links, {mesh.Agent.Snapshot.CompletedPasses - 1} passes, "
                + $"{mesh.Devices.Calls.Count - devices} reads of devices, {mesh.Links.Calls.Count - reads} of links and routes");
            Assert.Equal((1L, devices, reads), (mesh.Agent.Snapshot.CompletedPasses, mesh.Devices.Calls.Count, mesh.Links.Calls.Count));
            await monitor.StopAsync(Token);

            void Hear(KernelNews news)
            {
                heard.Enqueue(news);
                if (news != KernelNews.Routes)
                {
                    mesh.Agent.RequestLook(news);
                }
            }
        });
    }

    // Whatever is wrong with one piece of news, the next one is heard, and what came in between is looked for.
    [Fact]
    public async Task Monitor_NewsCannotBeJudged_ListensAnew()
    {
        SkipWithoutRoot();
        using var space = await NamespaceThread.CreateAsync("anew", Token);
        await space.RunAsync(async () =>
        {
            var links = new NetlinkLinkClient(TimeProvider.System);
            var watch = new KernelWatch(DeviceNames.Default.All);
            var (heard, judged) = (new ConcurrentQueue<KernelNews>(), 0);
            using var monitor = new NetlinkLinkMonitor(
                () => Interlocked.Increment(ref judged) == 1
                    ? throw new InvalidOperationException("fault")
                    : watch.Filter, heard.Enqueue, NullLogger<NetlinkLinkMonitor>.Instance);
            monitor.Start();
            await links.CreateLinkAsync("cilium_wg0", "veth", Token);
            await UntilAsync(() => heard.Contains(KernelNews.Lost), "it listens no more");
            heard.Clear();
            await links.DeleteLinkAsync("cilium_wg0", "veth", Token);
            await UntilAsync(() => heard.Contains(KernelNews.Devices), "it listens no more");
            await monitor.StopAsync(Token);
        });

    }

    // The kernel says neither that routes went with a link that is down, nor that a link has another name than before.
    [Fact]
    public async Task Monitor_WhatConcernsUs_IsHeard()
    {
        SkipWithoutRoot();
        using var space = await NamespaceThread.CreateAsync("concern", Token);
        await space.RunAsync(async () =>
        {
            var links = new NetlinkLinkClient(TimeProvider.System);
            var watch = new KernelWatch(DeviceNames.Default.All);
            var heard = new ConcurrentQueue<KernelNews>();
            using var monitor = new NetlinkLinkMonitor(() => watch.Filter, heard.Enqueue, NullLogger<NetlinkLinkMonitor>.Instance);
            monitor.Start();
            await links.CreateLinkAsync("under0", "veth", Token);
            await links.CreateLinkAsync("cilium_wg1", "veth", Token);
            var mtu = 1300;
            await links.SetUpAsync("under0", Token);
            await IpAsync("link set under0 multicast off");
            await links.AddAddressAsync("under0", new LinkAddress(IPAddress.Parse("192.168.0.1"), 24), Token);
            await links.AddAddressAsync("under0", new LinkAddress(IPAddress.Parse("fd00::1"), 64), Token);
            await HearsAsync(KernelNews.None, "pass by without a peer", () => IpAsync("route add default dev under0"));
            var paths = new UnderlayPaths(links, watch, probe: null, new SteadyClock(TimeProvider.System));
            var found = await paths.FindAsync(new HashSet<IPAddress> { IPAddress.Parse("192.168.0.2"), IPAddress.Parse("fd00::2") }, Token);
            Assert.All(found.Values, path => Assert.Equal(1500, path!.Mtu));

            await HearsAsync(KernelNews.Devices, "device made", () => links.CreateLinkAsync("cilium_wg0", "veth", Token));
            watch.AddDevice("cilium_wg0", (await links.TryGetLinkAsync("cilium_wg0", Token))!.Index);
            await HearsAsync(KernelNews.Devices, "device up", () => links.SetUpAsync("cilium_wg0", Token));
            await HearsAsync(KernelNews.Devices, "device's MTU", () => links.SetMtuAsync("cilium_wg0", 1300, Token));
            await HearsAsync(KernelNews.Devices, "device renamed", () => IpAsync("link set cilium_wg0 name other0"));
            await HearsAsync(KernelNews.Devices, "device named back", () => IpAsync("link set other0 name cilium_wg0"));
            await HearsAsync(
                KernelNews.Routes, "our route", () => links.ReplaceRouteAsync(Route.Unreachable(IPPrefix.Parse("10.244.2.0/24")), Token));
            await HearsAsync(KernelNews.Routes, "our route deleted", () => links.DeleteRouteAsync(
                Route.Unreachable(IPPrefix.Parse("10.244.2.0/24")), Token));
            await HearsAsync(KernelNews.Routes, "our rule", () => links.AddRuleAsync(IPPrefix.Parse("10.244.1.0/24"), Token));
            await HearsAsync(KernelNews.Routes, "our rule deleted", () => links.DeleteRuleAsync(IPPrefix.Parse("10.244.1.0/24"), Token));
            await HearsAsync(KernelNews.Devices, "device's source check", () => File.WriteAllTextAsync(
                "/proc/sys/net/ipv4/conf/cilium_wg0/rp_filter", "1", Token));
            await HearsAsync(KernelNews.None, "a pod's route", () => IpAsync("route add 10.244.1.7/32 dev under0"));
            await HearsAsync(KernelNews.None, "a pod's rule", () => IpAsync("rule add from 10.244.1.7 lookup 300"));

            watch.SetPods([IPPrefix.Parse("10.244.1.0/24")], [IPPrefix.Parse("10.244.2.0/24")]);
            await HearsAsync(KernelNews.None, "a pod's rule again", () => IpAsync("rule add to 10.244.1.7 lookup main pref 90"));
            await HearsAsync(KernelNews.Ways, "a rule before ours", () => IpAsync("rule add pref 105 lookup main suppress_prefixlength 0"));
            await HearsAsync(KernelNews.Ways, "that rule deleted", () => IpAsync("rule delete pref 105"));
            await HearsAsync(KernelNews.Ways, "a route to a remote pod", () => IpAsync("route add 10.244.2.7/32 dev under0"));
            watch.SetPods([], []);

            Assert.False(await paths.HaveChangedAsync(Token));
            await HearsAsync(KernelNews.Underlay, "underlay's MTU", () => links.SetMtuAsync("under0", 1400, Token));
            Assert.True(await paths.HaveChangedAsync(Token));
            await HearsAsync(KernelNews.Underlay, "a route to a peer", () => IpAsync("route add 192.168.0.2/32 dev under0 mtu 1350"));
            await HearsAsync(
                KernelNews.Underlay, "a route to a peer changed", () => IpAsync("route replace 192.168.0.2/32 dev under0 mtu 1340"));
            await HearsAsync(KernelNews.Underlay, "a route to a peer deleted", () => IpAsync("route delete 192.168.0.2/32"));
            await HearsAsync(KernelNews.Underlay, "an IPv6 default route", () => IpAsync("-6 route add default dev under0"));
            await HearsAsync(KernelNews.Underlay, "an address gone", () => links.DeleteAddressAsync(
                "under0", new LinkAddress(IPAddress.Parse("192.168.0.1"), 24), Token));
            await HearsAsync(KernelNews.Underlay, "underlay down", () => IpAsync("link set under0 down"));

            var before = await links.TryGetLinkAsync("cilium_wg0", Token);
            using var elsewhere = await NamespaceThread.CreateAsync("elsewhere", Token);
            await HearsAsync(KernelNews.Devices, "device leaves", () => IpAsync($"link set cilium_wg0 netns {elsewhere.ThreadId}"));
            Assert.Null(await links.TryGetLinkAsync("cilium_wg0", Token));
            await HearsAsync(
                KernelNews.Devices, "device comes", () => elsewhere.RunAsync(() => IpAsync($"link set cilium_wg0 netns {space.ThreadId}")));
            Assert.NotNull(await links.TryGetLinkAsync("cilium_wg0", Token));
            Assert.NotNull(before);
            await HearsAsync(KernelNews.Devices, "device deleted", () => links.DeleteLinkAsync("cilium_wg0", "veth", Token));
            await monitor.StopAsync(Token);

            async Task HearsAsync(KernelNews expected, string what, Func<Task> act)
            {
                heard.Clear();
                await act();
                if (expected == KernelNews.None)
                {
                    // News come in order: once this one is heard, whatever came before would have been.
                    await links.SetMtuAsync("cilium_wg1", ++mtu, Token);
                    expected = KernelNews.Devices;
                }

                await UntilAsync(() => heard.Contains(expected), $"{what} is not heard");
                await Task.Delay(TimeSpan.FromMilliseconds(20), TimeProvider.System, Token);
                Assert.True(heard.All(news => news == expected), $"{what}: {string.Join(" ", heard)}");
            }
        });
    }

    private static async Task UntilAsync(Func<bool> condition, string what)
    {
        var began = Stopwatch.GetTimestamp();
        while (!condition())
        {
            Assert.True(Stopwatch.GetElapsedTime(began) < 2 * Patience, what);
            await Task.Delay(TimeSpan.FromMilliseconds(2), TimeProvider.System, Token);
        }
    }

    private static void SkipWithoutRoot() => Assert.SkipUnless(Environment.IsPrivilegedProcess, "network namespaces need root");

    private static async Task IpAsync(string arguments) =>
        (await Command.RunAsync("ip", arguments.Split(' '), Token)).EnsureSuccess();

    /// <summary>Counts what the kernel says about links at all.</summary>
    private sealed class Listener : IDisposable
    {
        private readonly NetlinkSocket _socket = NetlinkSocket.Subscribe(NETLINK_ROUTE, RTMGRP_LINK, TimeSpan.FromMilliseconds(100));
        private readonly Thread _thread;
        private volatile bool _isStopped;
        private int _count;

        public Listener()
        {
            _thread = new Thread(Listen) { IsBackground = true };
            _thread.Start();
        }

        public int Stop()
        {
            _isStopped = true;
            _thread.Join();
            return _count;
        }

        public void Dispose()
        {
            Stop();
            _socket.Dispose();
        }

        private void Listen()
        {
            var buffer = new byte[32 * 1024];
            while (!_isStopped)
            {
                _count += _socket.Receive(buffer) > 0 ? 1 : 0;
            }
        }
    }
}
