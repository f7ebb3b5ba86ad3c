using System.Net;
using System.Net.Sockets;
using Orleans.WireGuard.Keys;
using Orleans.WireGuard.Linux.Devices;
using Orleans.WireGuard.Linux.Routing;
using Orleans.WireGuard.Tests.Support;

// Cases with packets between two nodes whose devices, addresses, routes and rules our clients made.

namespace Orleans.WireGuard.Tests.EndToEnd.Devices;

internal static partial class DeviceCases
{
    private const int PodPort = 7000;
    private const int Packets = 50;
    private static readonly IPAddress[] PodsA = [IPAddress.Parse("10.244.1.1"), IPAddress.Parse("fd00:244:1::1")];
    private static readonly IPAddress[] PodsB = [IPAddress.Parse("10.244.2.1"), IPAddress.Parse("fd00:244:2::1")];

    private static async Task PacketsPassAsync(DeviceCaseContext context, Func<DeviceCaseNode, IPAddress> underlay)
    {
        using var keyA = KeyPair.Create();
        using var keyB = KeyPair.Create();
        await JoinAsync(context, keyA, keyB, underlay);

        for (var family = 0; family < PodsA.Length; family++)
        {
            Expect.Equal(Packets, await CountEchoesAsync(context, family, _ => Task.CompletedTask));
        }

        foreach (var (node, peer) in new[] { (context.A, context.B), (context.B, context.A) })
        {
            var device = await node.Namespace.RunAsync(() => node.GetDeviceAsync(context.CancellationToken));
            Expect.Equal(1, device.Peers.Count);
            Expect.True(device.Peers[0].LastHandshakeTime is not null);
            Expect.True(device.Peers[0].ReceiveBytes > 0 && device.Peers[0].TransmitBytes > 0);
            Expect.Equal(new IPEndPoint(underlay(peer), Port), device.Peers[0].Endpoint);
        }
    }

    private static async Task PacketsPassWhileTheSameKeyIsSetAsync(DeviceCaseContext context)
    {
        using var keyA = KeyPair.Create();
        using var keyB = KeyPair.Create();
        await JoinAsync(context, keyA, keyB, node => node.IPv4);
        Expect.Equal(Packets, await CountEchoesAsync(context, 0, _ => Task.CompletedTask));
        var before = (await context.A.GetDeviceAsync(context.CancellationToken)).Peers[0].LastHandshakeTime;

        Expect.Equal(
            Packets,
            await CountEchoesAsync(context, 0, _ => context.A.ConfigureAsync(new DevicePatch(keyA, null, []), context.CancellationToken)));

        Expect.Equal(before, (await context.A.GetDeviceAsync(context.CancellationToken)).Peers[0].LastHandshakeTime);
    }

    private static async Task PacketsPassAgainAfterAResetAsync(DeviceCaseContext context)
    {
        using var keyA = KeyPair.Create();
        using var keyB = KeyPair.Create();
        await JoinAsync(context, keyA, keyB, node => node.IPv4);
        Expect.Equal(Packets, await CountEchoesAsync(context, 0, _ => Task.CompletedTask));
        IPPrefix[] remote = [.. PodsB.Select(PodCidr)];
        var reset = new PeerPatch(keyB.PublicKey, PeerChange.Reset, new IPEndPoint(context.B.IPv4, Port), null, [.. remote]);

        await context.A.ConfigureAsync([reset], context.CancellationToken);

        var afresh = (await context.A.GetDeviceAsync(context.CancellationToken)).Peers;
        Expect.Equal(1, afresh.Count);
        Expect.Equal((null, 0L), ((object?)afresh[0].LastHandshakeTime, afresh[0].ReceiveBytes));
        Expect.Equal(Packets, await CountEchoesAsync(context, 0, _ => Task.CompletedTask));
    }

    private static async Task JoinAsync(DeviceCaseContext context, KeyPair keyA, KeyPair keyB, Func<DeviceCaseNode, IPAddress> underlay)
    {
        await SetUpAsync(context.A, keyA, PodsA, keyB.PublicKey, underlay(context.B), PodsB, context.CancellationToken);
        await context.B.Namespace.RunAsync(
            () => SetUpAsync(context.B, keyB, PodsB, keyA.PublicKey, underlay(context.A), PodsA, context.CancellationToken));
    }

    private static async Task SetUpAsync(
        DeviceCaseNode node,
        KeyPair keyPair,
        IPAddress[] pods,
        PublicKey peer,
        IPAddress peerAddress,
        IPAddress[] peerPods,
        CancellationToken cancellationToken)
    {
        IPPrefix[] remote = [.. peerPods.Select(PodCidr)];
        await node.Client.CreateDeviceAsync(node.DeviceName, cancellationToken);
        await node.ConfigureAsync(
            new DevicePatch(
                keyPair, Port, [new PeerPatch(peer, PeerChange.Add, new IPEndPoint(peerAddress, Port), TimeSpan.Zero, [.. remote])]),
            cancellationToken);
        await node.Links.SetMtuAsync(node.DeviceName, 1400, cancellationToken);
        await node.Links.SetUpAsync(node.DeviceName, cancellationToken);
        foreach (var pod in pods)
        {
            // The "pod" is an address of the node's loopback, so its packets need a route to be sent and no forwarding.
            await node.SystemLinks.AddAddressAsync(
                "lo", new LinkAddress(pod, pod.AddressFamily == AddressFamily.InterNetworkV6 ? 128 : 32), cancellationToken);
            await node.Links.AddRuleAsync(PodCidr(pod), cancellationToken);
        }

        foreach (var prefix in remote)
        {
            await node.Links.ReplaceRouteAsync(new Route(prefix, node.DeviceName), cancellationToken);
        }
    }

    private static IPPrefix PodCidr(IPAddress pod)
    {
        var bytes = pod.GetAddressBytes();
        bytes[^1] = 0;
        return new IPPrefix(new IPAddress(bytes), bytes.Length == 4 ? 24 : 64);
    }

    // Sends packets from A's pod to B's, one after the other, and counts those that came back.
    private static async Task<int> CountEchoesAsync(DeviceCaseContext context, int family, Func<int, Task> afterEach)
    {
        var timeout = TimeSpan.FromSeconds(15);
        using var echo = await context.B.Namespace.RunAsync(() => Task.FromResult(Bind(PodsB[family])));
        using var socket = Bind(PodsA[family]);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(context.CancellationToken);
        var echoing = EchoAsync(echo, stop.Token);
        var buffer = new byte[1300];
        var count = 0;
        for (var packet = 0; packet < Packets; packet++)
        {
            BitConverter.TryWriteBytes(buffer, packet);
            await socket.SendToAsync(buffer, new IPEndPoint(PodsB[family], PodPort), context.CancellationToken);
            var received = await socket.ReceiveAsync(buffer, context.CancellationToken).AsTask().WaitAsync(timeout, TimeProvider.System);
            count += received == buffer.Length && BitConverter.ToInt32(buffer) == packet ? 1 : 0;
            await afterEach(packet);
        }

        await stop.CancelAsync();
        await echoing;
        return count;
    }

    private static Socket Bind(IPAddress address)
    {
        var socket = new Socket(address.AddressFamily, SocketType.Dgram, ProtocolType.Udp);
        socket.Bind(new IPEndPoint(address, PodPort));
        return socket;
    }

    private static async Task EchoAsync(Socket socket, CancellationToken cancellationToken)
    {
        var buffer = new byte[2000];
        var from = new IPEndPoint(socket.AddressFamily == AddressFamily.InterNetworkV6 ? IPAddress.IPv6Any : IPAddress.Any, 0);
        try
        {
            while (true)
            {
                var received = await socket.ReceiveFromAsync(buffer, from, cancellationToken);
                await socket.SendToAsync(buffer.AsMemory(0, received.ReceivedBytes), received.RemoteEndPoint, cancellationToken);
            }
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            // The sender has what it wanted.
        }
    }
}
