// Cases about answers that are cut off and news that are lost.
using Microsoft.Extensions.Logging.Abstractions;
using Orleans.WireGuard.Linux.Netlink;
using Orleans.WireGuard.Linux.Routing;
using Orleans.WireGuard.Tests.Support;
using static Orleans.WireGuard.Linux.Errno;

namespace Orleans.WireGuard.Tests.EndToEnd.Routing;

internal static partial class LinkCases
{

    private static async Task CutOffAndLostAnswersAreReadAgainAsync(NetlinkLinkClient links, CancellationToken token)
    {
        const int Routes = 100;
        for (var i = 0; i < Routes; i++)
        {
            await links.ReplaceRouteAsync(Route.Unreachable(IPPrefix.Parse($"10.8.{i}.0/24")), token);
        }

        var whole = await links.GetRoutesAsync(token);
        Expect.Equal(Routes, whole.Count);
        foreach (var fault in (Func<NetlinkSocket, INetlinkChannel>[])[socket => new CutOff(socket), socket => new Overrun(socket)])
        {
            var opened = 0;
            var disturbed = new NetlinkLinkClient(
                TimeProvider.System, protocol => opened++ == 0 ? fault(NetlinkSocket.Open(protocol)) : NetlinkSocket.Open(protocol));
            Expect.Equal(whole, await disturbed.GetRoutesAsync(token));
            Expect.Equal(2, opened);
        }
    }

    // While the listener is busy with the first piece of news, more comes than its socket holds, and the kernel drops the rest.
    private static async Task MonitorSurvivesMoreNewsThanFitAsync(NetlinkLinkClient links, CancellationToken token)
    {
        const int Routes = 2_000;
        using var goesOn = new ManualResetEventSlim();
        var (news, kinds) = (0L, 0);
        var filter = new NewsFilter([], [], [], []);
        using var monitor = new NetlinkLinkMonitor(
            () => filter,
            heard =>
            {
                Interlocked.Increment(ref news);
                Interlocked.Or(ref kinds, (int)heard);
                goesOn.Wait(token);
            },
            NullLogger<NetlinkLinkMonitor>.Instance);
        monitor.Start();
        for (var i = 0; i < Routes; i++)
        {
            await links.ReplaceRouteAsync(Route.Unreachable(IPPrefix.Parse($"10.{i >> 8}.{i & 255}.0/24")), token);
            while (Volatile.Read(ref news) == 0)
            {
                await Task.Delay(TimeSpan.FromMilliseconds(1), TimeProvider.System, token);
            }
        }

        goesOn.Set();
        long heard;
        do
        {
            heard = Volatile.Read(ref news);
            await Task.Delay(TimeSpan.FromMilliseconds(500), TimeProvider.System, token);
        }
        while (Volatile.Read(ref news) != heard);
        Expect.True(heard < Routes, $"more news came than were heard; {heard} were");
        Expect.Equal(KernelNews.Routes | KernelNews.Lost, (KernelNews)kinds);

        await links.DeleteRouteAsync(Route.Unreachable(IPPrefix.Parse("10.0.0.0/24")), token);
        var deleted = TimeProvider.System.GetTimestamp();
        while (Volatile.Read(ref news) == heard)
        {
            Expect.True(TimeProvider.System.GetElapsedTime(deleted) < TimeSpan.FromSeconds(10), "the monitor still listens");
            await Task.Delay(TimeSpan.FromMilliseconds(20), TimeProvider.System, token);
        }

        await monitor.StopAsync(token);
    }

    // Reads through a small buffer, so that the kernel cuts the answer off and says how long it was.
    private sealed class CutOff(NetlinkSocket socket) : INetlinkChannel
    {
        public int Send(ReadOnlySpan<byte> datagram) => socket.Send(datagram);

        public int Receive(Span<byte> buffer)
        {
            const int Small = 64;
            var length = socket.Receive(buffer[..Small]);
            return length <= Small ? length : buffer.Length + length;
        }

        public void Dispose() => socket.Dispose();
    }

    // Loses an answer, as the kernel does when it finds no memory for it.
    private sealed class Overrun(NetlinkSocket socket) : INetlinkChannel
    {
        public int Send(ReadOnlySpan<byte> datagram) => socket.Send(datagram);

        public int Receive(Span<byte> buffer) => Math.Min(socket.Receive(buffer), -ENOBUFS);

        public void Dispose() => socket.Dispose();
    }
}
