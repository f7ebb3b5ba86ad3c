using static Orleans.WireGuard.Linux.Errno;

// Listens to multicast groups of netlink(7).

namespace Orleans.WireGuard.Linux.Netlink;

/// <summary>
/// A thread that blocks in <c>recvfrom</c> and tells what the kernel tells everybody. Whoever refuses at the start is not asked again; one
/// that listened listens anew after whatever failed, and says that it may have missed something.
/// </summary>
/// <param name="protocol">NETLINK_ROUTE or NETLINK_NETFILTER.</param>
/// <param name="groups">Bits of its multicast groups: bit 0 is group 1.</param>
internal sealed class NetlinkListener(int protocol, uint groups) : IDisposable
{
    // Larger than any message of these groups: a link with all its attributes has 2 KiB.
    private const int BufferSize = 32 * 1024;

    private static readonly TimeSpan ReopenPause = TimeSpan.FromSeconds(5);

    // How soon the thread sees that it shall end.
    private static readonly TimeSpan ReceiveTimeout = TimeSpan.FromMilliseconds(500);

    private readonly CancellationTokenSource _stop = new();
    private Task _loop = Task.CompletedTask;

    /// <summary>Takes a datagram, which may hold several messages. Called on the thread.</summary>
    public required Action<ReadOnlySpan<byte>> OnDatagram { get; init; }

    /// <summary>Told when more was said than was heard. Called on the thread.</summary>
    public required Action OnLost { get; init; }

    /// <summary>Told why the system refuses.</summary>
    public required Action<string> OnDeaf { get; init; }

    /// <summary>Starts listening, in the network namespace of the caller's thread.</summary>
    public void Start()
    {
        try
        {
            var socket = NetlinkSocket.Subscribe(protocol, groups, ReceiveTimeout);
            _loop = Task.Factory.StartNew(
                () => ListenForEver(socket), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        }
        catch (LinuxException e)
        {
            OnDeaf(e.Message);
        }
    }

    /// <summary>Ends listening.</summary>
    public async Task StopAsync(CancellationToken cancellationToken)
    {
        await _stop.CancelAsync();
        await _loop.WaitAsync(cancellationToken);
    }

    /// <inheritdoc/>
    public void Dispose() => _stop.Dispose();

    private void ListenForEver(NetlinkSocket first)
    {
        var isFirst = true;
        while (!_stop.IsCancellationRequested)
        {
            try
            {
                using var socket = isFirst ? first : NetlinkSocket.Subscribe(protocol, groups, ReceiveTimeout);
                if (!isFirst)
                {
                    // Nobody told what happened meanwhile.
                    OnLost();
                }

                isFirst = false;
                Listen(socket);
            }
            catch (Exception e)
            {
                OnDeaf(e.Message);
                _stop.Token.WaitHandle.WaitOne(ReopenPause);
            }
        }
    }

    private void Listen(NetlinkSocket socket)
    {
        var buffer = new byte[BufferSize];
        while (!_stop.IsCancellationRequested)
        {
            var length = socket.Receive(buffer);
            switch (length)
            {
                case > 0:
                    OnDatagram(buffer.AsSpan(0, Math.Min(length, buffer.Length)));
                    break;
                case -EAGAIN:
                    break;
                case -ENOBUFS:
                    // More was told than fits.
                    OnLost();
                    break;
                default:
                    throw new IOException(FormattableString.Invariant($"errno {-length}"));
            }
        }
    }
}
