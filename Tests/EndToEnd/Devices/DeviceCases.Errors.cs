using System.Net;
using System.Net.Sockets;
using Orleans.WireGuard.Keys;
using Orleans.WireGuard.Linux.Devices;
using Orleans.WireGuard.Tests.Support;

// Cases in which the system refuses.

namespace Orleans.WireGuard.Tests.EndToEnd.Devices;

internal static partial class DeviceCases
{
    private static async Task ConfigureWithoutDeviceFailsAsync(DeviceCaseContext context)
    {
        var (node, token) = (context.A, context.CancellationToken);
        int[] errnos = [Errno.ENODEV, Errno.ENOENT];

        var e = await Expect.FailsAsync(() => node.ConfigureAsync([Peer(1)], token), errnos);
        Expect.True(e.Message.Contains(node.DeviceName, StringComparison.Ordinal), e.Message);
        await Expect.FailsAsync(() => node.Client.GetKeyPairAsync(node.DeviceName, token), errnos);
    }

    private static async Task NameTakenByAnotherKindAsync(DeviceCaseContext context)
    {
        var (node, token) = (context.A, context.CancellationToken);
        await node.SystemLinks.CreateLinkAsync(node.DeviceName, "veth", token);

        var e = await Expect.FailsAsync(() => node.Client.CreateDeviceAsync(node.DeviceName, token), Errno.EEXIST);
        Expect.True(e.Message.Contains("'veth'", StringComparison.Ordinal), e.Message);
        await Expect.FailsAsync(() => node.Client.TryGetDeviceAsync(node.DeviceName, token), Errno.EOPNOTSUPP);
        await Expect.FailsAsync(() => node.ConfigureAsync([Peer(1)], token), Errno.EOPNOTSUPP);
        await Expect.FailsAsync(() => node.Client.DeleteDeviceAsync(node.DeviceName, token), Errno.EOPNOTSUPP);
        Expect.Equal("veth", Expect.NotNull(await node.Links.TryGetLinkAsync(node.DeviceName, token)).Kind);
    }

    private static async Task PortTakenAsync(DeviceCaseContext context)
    {
        var (node, token) = (context.A, context.CancellationToken);
        using var keyPair = KeyPair.Create();
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        socket.Bind(new IPEndPoint(IPAddress.Any, Port));
        await node.Client.CreateDeviceAsync(node.DeviceName, token);
        await node.ConfigureAsync(new DevicePatch(keyPair, null, [Peer(1)]), token);
        await node.Links.SetUpAsync(node.DeviceName, token);

        await Expect.FailsAsync(() => node.ConfigureAsync(new DevicePatch(null, Port, [Peer(2)]), token), Errno.EADDRINUSE);

        Expect.Equal(Observed(Peer(1)), await GetPeersAsync(node, token));
    }

    private static async Task NoCapabilityAsync(DeviceCaseContext context)
    {
        var (node, token) = (context.A, context.CancellationToken);
        await node.Client.CreateDeviceAsync(node.DeviceName, token);

        await WithoutCapabilitiesAsync(async () =>
        {
            foreach (var action in new Func<Task>[]
            {
                () => node.Client.TryGetDeviceAsync(node.DeviceName, token),
                () => node.ConfigureAsync([Peer(1)], token),
                () => node.Client.CreateDeviceAsync("owgtest-x", token),
                () => node.Links.SetUpAsync(node.DeviceName, token),
            })
            {
                var e = await Expect.FailsAsync(action, Errno.EPERM);
                Expect.True(e.Message.Contains("CAP_NET_ADMIN", StringComparison.Ordinal), e.Message);
            }
        });
    }

    // On a thread of its own, which starts in the namespace of this one and ends without its capabilities.
    private static Task WithoutCapabilitiesAsync(Func<Task> body)
    {
        var done = new TaskCompletionSource();
        new Thread(() =>
        {
            try
            {
                Native.DropCapabilities();
                body().GetAwaiter().GetResult();
                done.SetResult();
            }
            catch (Exception e)
            {
                done.SetException(e);
            }
        }).Start();
        return done.Task;
    }
}
