using System.Net;
using System.Net.Sockets;
using Orleans.WireGuard.Keys;
using Orleans.WireGuard.Linux.Devices;
using Orleans.WireGuard.Tests.Support;

// Cases in which the system refuses.

namespace Orleans.WireGuard.Tests.EndToEnd.Devices;

internal static partial class DeviceCases
{
    private static async Task ConfigureWithoutDeviceFails(DeviceCaseContext context)
    {
        var (node, token) = (context.A, context.CancellationToken);
        int[] errnos = [Errno.ENODEV, Errno.ENOENT];

        var e = await Expect.Fails(() => node.Configure([Peer(1)], token), errnos);
        Expect.True(e.Message.Contains(node.DeviceName, StringComparison.Ordinal), e.Message);
        await Expect.Fails(() => node.Client.GetKeyPair(node.DeviceName, token), errnos);
    }

    private static async Task NameTakenByAnotherKind(DeviceCaseContext context)
    {
        var (node, token) = (context.A, context.CancellationToken);
        await node.SystemLinks.CreateLink(node.DeviceName, "veth", token);

        var e = await Expect.Fails(() => node.Client.CreateDevice(node.DeviceName, token), Errno.EEXIST);
        Expect.True(e.Message.Contains("'veth'", StringComparison.Ordinal), e.Message);
        await Expect.Fails(() => node.Client.TryGetDevice(node.DeviceName, token), Errno.EOPNOTSUPP);
        await Expect.Fails(() => node.Configure([Peer(1)], token), Errno.EOPNOTSUPP);
        await Expect.Fails(() => node.Client.DeleteDevice(node.DeviceName, token), Errno.EOPNOTSUPP);
        Expect.Equal("veth", Expect.NotNull(await node.Links.TryGetLink(node.DeviceName, token)).Kind);
    }

    private static async Task PortTaken(DeviceCaseContext context)
    {
        var (node, token) = (context.A, context.CancellationToken);
        using var keyPair = KeyPair.Create();
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        socket.Bind(new IPEndPoint(IPAddress.Any, Port));
        await node.Client.CreateDevice(node.DeviceName, token);
        await node.Configure(new DevicePatch(keyPair, null, [Peer(1)]), token);
        await node.Links.SetUp(node.DeviceName, token);

        await Expect.Fails(() => node.Configure(new DevicePatch(null, Port, [Peer(2)]), token), Errno.EADDRINUSE);

        Expect.Equal(Observed(Peer(1)), await GetPeers(node, token));
    }

    private static async Task NoCapability(DeviceCaseContext context)
    {
        var (node, token) = (context.A, context.CancellationToken);
        await node.Client.CreateDevice(node.DeviceName, token);

        await WithoutCapabilities(async () =>
        {
            foreach (var action in new Func<Task>[]
            {
                () => node.Client.TryGetDevice(node.DeviceName, token),
                () => node.Configure([Peer(1)], token),
                () => node.Client.CreateDevice("owgtest-x", token),
                () => node.Links.SetUp(node.DeviceName, token),
            })
            {
                var e = await Expect.Fails(action, Errno.EPERM);
                Expect.True(e.Message.Contains("CAP_NET_ADMIN", StringComparison.Ordinal), e.Message);
            }
        });
    }

    // On a thread of its own, which starts in the namespace of this one and ends without its capabilities.
    private static Task WithoutCapabilities(Func<Task> body)
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
