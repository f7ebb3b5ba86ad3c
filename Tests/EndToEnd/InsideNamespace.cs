using Microsoft.Extensions.Logging.Abstractions;
using Orleans.WireGuard.Linux.Devices.Uapi;
using Orleans.WireGuard.Linux.Netlink;
using Orleans.WireGuard.Linux.Routing;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.EndToEnd;

/// <summary>
/// How a test reaches into a <see cref="NetworkNamespace"/> while it stays outside: clients of what is inside, and a wait for what
/// happens there.
/// </summary>
internal static class InsideNamespace
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    /// <summary>A client of the userspace devices inside.</summary>
    /// <param name="space">The namespace.</param>
    /// <param name="timeout">How long a request and the end of a device may take; by default what the options say.</param>
    /// <param name="mayStart">Whether it makes devices, or somebody else does.</param>
    public static UapiWireGuardClient Client(this NetworkNamespace space, TimeSpan? timeout = null, bool mayStart = true)
    {
        var options = space.Options;
        return new UapiWireGuardClient(
            new UserspaceDeviceOptions
            {
                Command = options.Command,
                MayStart = mayStart,
                SocketDirectory = options.SocketDirectory,
                NetworkNamespace = options.NetworkNamespace,
                RequestTimeout = timeout ?? options.RequestTimeout,
                StopTimeout = timeout ?? options.StopTimeout,
            },
            TimeProvider.System,
            NullLogger<UapiWireGuardClient>.Instance);
    }

    /// <summary>The links inside.</summary>
    public static NetlinkLinkClient Links(this NetworkNamespace space) =>
        new(TimeProvider.System, protocol => OpenInside(space, protocol));

    /// <summary>Where a userspace device inside listens.</summary>
    public static string SocketPath(this NetworkNamespace space, string name) => Path.Join(space.SocketDirectory, $"{name}.sock");

    /// <summary>Waits for a condition, which is asked again every moment.</summary>
    public static Task WaitUntilAsync(Func<bool> condition) => WaitUntilAsync(() => Task.FromResult(condition()));

    /// <inheritdoc cref="WaitUntilAsync(Func{bool})"/>
    public static async Task WaitUntilAsync(Func<Task<bool>> condition)
    {
        using var timeout = new CancellationTokenSource(Patience, TimeProvider.System);
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(timeout.Token, TestContext.Current.CancellationToken);
        while (!await condition())
        {
            await Task.Delay(TimeSpan.FromMilliseconds(20), TimeProvider.System, limit.Token);
        }
    }

    // A socket belongs for ever to the namespace in which its thread was when it was opened.
    private static NetlinkSocket OpenInside(NetworkNamespace space, int protocol)
    {
        NetlinkSocket? channel = null;
        Exception? failure = null;
        var thread = new Thread(() =>
        {
            try
            {
                using var handle = File.OpenHandle(space.Path);
                Native.Check(Native.SetNamespace(handle, Native.CLONE_NEWNET), "setns");
                channel = NetlinkSocket.Open(protocol);
            }
            catch (Exception e)
            {
                failure = e;
            }
        });
        thread.Start();
        thread.Join();
        return channel ?? throw new InvalidOperationException("no netlink socket inside the namespace", failure);
    }
}
