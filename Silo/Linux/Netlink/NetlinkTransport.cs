// Runs exchanges with the kernel and repeats those that were interrupted.
using System.Globalization;
using static Orleans.WireGuard.Linux.Errno;

namespace Orleans.WireGuard.Linux.Netlink;

/// <summary>Runs exchanges over one netlink protocol. Thread-safe: it keeps nothing between them.</summary>
/// <remarks>
/// The kernel answers inside the system call, so an exchange runs to its end on the caller's thread; only the pause before a repetition is
/// awaited. The first socket is therefore opened in the network namespace of the caller's thread.
/// </remarks>
internal sealed class NetlinkTransport
{
    /// <summary>How often an exchange is tried.</summary>
    public const int MaxAttempts = 8;

    /// <summary>The largest receive buffer in bytes: 1 MiB.</summary>
    public const int MaxReceiveSize = 1 << 20;

    /// <summary>The pause before the second attempt; doubled each time, so 127 ms in all.</summary>
    private static readonly TimeSpan FirstPause = TimeSpan.FromMilliseconds(1);

    private readonly int _protocol;
    private readonly TimeProvider _timeProvider;
    private readonly Func<int, INetlinkChannel> _open;
    private readonly int _requestSize;

    /// <summary>Makes the transport.</summary>
    /// <param name="protocol">NETLINK_ROUTE or NETLINK_GENERIC.</param>
    /// <param name="timeProvider">Times the pauses.</param>
    /// <param name="open">Opens a channel for a protocol; <see cref="NetlinkSocket.Open"/> outside of tests.</param>
    /// <param name="requestSize">Size of the largest request in bytes.</param>
    public NetlinkTransport(
        int protocol, TimeProvider timeProvider, Func<int, INetlinkChannel>? open =
            null, int requestSize = NetlinkConnection.MaxRequestSize)
    {
        _requestSize = requestSize;
        _protocol = protocol;
        _timeProvider = timeProvider;
        _open = open ?? NetlinkSocket.Open;
    }

    /// <summary>Runs <paramref name="exchange"/>, again from its start if it was interrupted.</summary>
    /// <typeparam name="T">What it yields.</typeparam>
    /// <param name="operation">What it is about, for exceptions.</param>
    /// <param name="exchange">Sends requests and reads answers; keeps nothing from an earlier attempt.</param>
    /// <param name="hint">What to do about an errno, or <see langword="null"/> if nothing is known.</param>
    /// <param name="cancellationToken">Checked before each attempt.</param>
    /// <exception cref="LinuxException">The kernel refused, or every attempt was interrupted.</exception>
    public async Task<T> RunAsync<T>(
        string operation, Func<NetlinkConnection, T> exchange, Func<int, string?>? hint, CancellationToken cancellationToken)
    {
        var receiveSize = NetlinkConnection.ReceiveSize;
        for (var attempt = 1; ; attempt++)
        {
            cancellationToken.ThrowIfCancellationRequested();
            try
            {
                using var connection = new NetlinkConnection(_open(_protocol), operation, hint, receiveSize, _requestSize);
                return exchange(connection);
            }
            catch (NetlinkFormatException e)
            {
                throw new LinuxException(operation, EBADMSG, e.Message, e);
            }
            catch (NetlinkInterruptedException e) when (attempt == MaxAttempts || e.WantedBuffer > MaxReceiveSize)
            {
                throw new LinuxException(
                    operation, e.Errno, string.Create(CultureInfo.InvariantCulture, $"given up after {attempt} attempts: {e.Message}"), e);
            }
            catch (NetlinkInterruptedException e)
            {
                receiveSize = Math.Max(receiveSize, e.WantedBuffer);
            }

            await Task.Delay(FirstPause * (1 << (attempt - 1)), _timeProvider, cancellationToken);
        }
    }
}
