using Microsoft.Extensions.Logging.Abstractions;
using Orleans.WireGuard.Linux.Devices.Uapi;
using Orleans.WireGuard.Linux.Netlink;
using Orleans.WireGuard.Linux.Routing;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.EndToEnd;

/// <summary>
/// Tests that reach into a <see cref="NetworkNamespace"/> of their own while they stay outside: clients of what is inside, and a wait for
/// what happens there.
/// </summary>
public abstract class InsideNamespace : IAsyncLifetime
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    private NetworkNamespace? _namespace;

    private protected static CancellationToken Token => TestContext.Current.CancellationToken;

    private protected NetworkNamespace Namespace => _namespace!;

    /// <inheritdoc/>
    public async ValueTask InitializeAsync()
    {
        Assert.SkipUnless(NetworkNamespace.WhyImpossible is null, $"skipped: {NetworkNamespace.WhyImpossible}");
        _namespace = await NetworkNamespace.CreateAsync(Token);
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        if (_namespace is not null)
        {
            await _namespace.DisposeAsync();
        }
    }

    /// <summary>Waits for a condition, which is asked again every moment.</summary>
    private protected static Task WaitUntilAsync(Func<bool> condition) => WaitUntilAsync(() => Task.FromResult(condition()));

    /// <inheritdoc cref="WaitUntilAsync(Func{bool})"/>
    private protected static async Task WaitUntilAsync(Func<Task<bool>> condition)
    {
        using var timeout = new CancellationTokenSource(Patience, TimeProvider.System);
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(timeout.Token, Token);
        while (!await condition())
        {
            await Task.Delay(TimeSpan.FromMilliseconds(20), TimeProvider.System, limit.Token);
        }
    }

    /// <summary>A client of the userspace devices inside.</summary>
    /// <param name="timeout">How long a request and the end of a device may take; by default what the options say.</param>
    /// <param name="mayStart">Whether it makes devices, or somebody else does.</param>
    private protected UapiWireGuardClient Client(TimeSpan? timeout = null, bool mayStart = true)
    {
        var options = Namespace.Options;
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
    private protected NetlinkLinkClient Links() => new(TimeProvider.System, OpenInside);

    /// <summary>Where a userspace device inside listens.</summary>
    private protected string SocketPath(string name) => Path.Join(Namespace.SocketDirectory, $"{name}.sock");

    // A socket belongs for ever to the namespace in which its thread was when it was opened.
    private NetlinkSocket OpenInside(int protocol)
    {
        NetlinkSocket? channel = null;
        Exception? failure = null;
        var thread = new Thread(() =>
        {
            try
            {
                using var handle = File.OpenHandle(Namespace.Path);
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
