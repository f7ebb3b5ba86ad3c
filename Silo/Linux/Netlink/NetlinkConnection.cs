// One exchange with the kernel: requests, their answers, their acknowledgements. netlink(7).
using System.Runtime.InteropServices;
using static Orleans.WireGuard.Linux.Errno;
using static Orleans.WireGuard.Linux.Netlink.NetlinkConstants;

namespace Orleans.WireGuard.Linux.Netlink;

/// <summary>Takes one message of an answer. The message is gone when this returns.</summary>
internal delegate void NetlinkMessageHandler(in NetlinkMessage message);

/// <summary>
/// A socket for the length of one exchange. A new exchange gets a new socket, which costs microseconds and leaves nothing behind: no
/// half-read dump, no late answer, no key in a buffer.
/// </summary>
internal sealed class NetlinkConnection : IDisposable
{
    /// <summary>
    /// Size of a request in bytes. nla_len has 16 bits, and the list of peers is one attribute, so 64 KiB is the end; half of that holds
    /// the kernel's locks half as long, and larger ones were not faster.
    /// </summary>
    public const int MaxRequestSize = 32 * 1024;

    /// <summary>Size of a receive buffer in bytes. The kernel fills a dump's datagrams up to this (af_netlink.c, netlink_dump).</summary>
    public const int ReceiveSize = 32 * 1024;

    // A dump of the largest device (MAX_PEERS_PER_DEVICE, 2^20 peers) has fewer; what goes on longer does not end.
    private const int MaxDatagrams = 1 << 20;

    private readonly INetlinkChannel _channel;
    private readonly NetlinkBuffer _request;
    private readonly NetlinkBuffer _response;
    private readonly Func<int, string?>? _hint;
    private uint _sequence;

    /// <summary>Takes over <paramref name="channel"/>.</summary>
    /// <param name="channel">A fresh one.</param>
    /// <param name="operation">What this is about, for exceptions.</param>
    /// <param name="hint">What to do about an errno, or <see langword="null"/> if nothing is known.</param>
    /// <param name="receiveSize">Size of the receive buffer in bytes.</param>
    /// <param name="requestSize">Size of the largest request in bytes.</param>
    public NetlinkConnection(
        INetlinkChannel channel, string operation, Func<int, string?>? hint =
            null, int receiveSize = ReceiveSize, int requestSize = MaxRequestSize)
    {
        _channel = channel;
        _hint = hint;
        _request = new NetlinkBuffer(requestSize);
        _response = new NetlinkBuffer(receiveSize);
        Operation = operation;
    }

    /// <summary>What this is about.</summary>
    public string Operation { get; }

    /// <summary>Where requests are written. Zeroed when this is disposed.</summary>
    public Span<byte> Request => _request.Span;

    /// <summary>Sends a request that asks for an acknowledgement or a dump, and reads until that came.</summary>
    /// <param name="request">A complete message; gets its sequence number here.</param>
    /// <param name="handler">Takes the messages of the answer.</param>
    /// <exception cref="LinuxException">The kernel refused, or did not answer in time.</exception>
    /// <exception cref="NetlinkInterruptedException">The answer was not complete.</exception>
    /// <exception cref="NetlinkFormatException">The answer makes no sense.</exception>
    public void Execute(Span<byte> request, NetlinkMessageHandler? handler = null)
    {
        _sequence++;
        Stamp(request);
        Exchange(request, handler);
    }

    /// <summary>
    /// Sends the messages of an nfnetlink transaction and reads until the last one is acknowledged. All happens or nothing does.
    /// </summary>
    /// <remarks>
    /// Every message gets the same sequence number. A refusal names the message it is about, or the first one if the whole cannot be
    /// committed (nfnetlink.c, nfnetlink_rcv_batch), and comes before any acknowledgement; whichever it is, it has to be recognised as an
    /// answer to this.
    /// </remarks>
    /// <param name="batch">
    /// Complete messages one behind the other; of them, the last one that is a command asks for an acknowledgement.
    /// </param>
    /// <inheritdoc cref="Execute"/>
    public void ExecuteBatch(Span<byte> batch)
    {
        _sequence++;
        for (var rest = batch; !rest.IsEmpty; rest = rest[NetlinkWriter.Align((int)MemoryMarshal.Read<uint>(rest))..])
        {
            Stamp(rest);
        }

        Exchange(batch, handler: null);
    }

    private void Stamp(Span<byte> message) => MemoryMarshal.Write(message[NetlinkWriter.SequenceOffset..], _sequence);

    private void Exchange(ReadOnlySpan<byte> request, NetlinkMessageHandler? handler)
    {
        ThrowIfFailed(_channel.Send(request), "sent");
        for (var datagrams = 0; datagrams < MaxDatagrams; datagrams++)
        {
            if (ReadDatagram(handler))
            {
                return;
            }
        }

        throw new NetlinkFormatException($"An answer of {MaxDatagrams} datagrams has no end.");
    }

    /// <summary>Closes the socket and zeroes both buffers.</summary>
    public void Dispose()
    {
        _channel.Dispose();
        _request.Dispose();
        _response.Dispose();
    }

    // Returns whether the answer is complete.
    private bool ReadDatagram(NetlinkMessageHandler? handler)
    {
        var length = _channel.Receive(_response.Span);
        ThrowIfFailed(-length, "received");
        if (length > _response.Span.Length)
        {
            throw new NetlinkInterruptedException(
                EMSGSIZE, $"a datagram of {length} bytes was cut off at {_response.Span.Length}", wantedBuffer: length);
        }

        var reader = new NetlinkReader(_response.Span[..length]);
        if (reader.Remaining == 0)
        {
            throw new NetlinkFormatException("The kernel sent an empty datagram.");
        }

        while (reader.TryReadMessage(out var message))
        {
            if (ReadMessage(message, handler))
            {
                return true;
            }
        }

        return false;
    }

    private bool ReadMessage(in NetlinkMessage message, NetlinkMessageHandler? handler)
    {
        if (message.Sequence != _sequence)
        {
            throw new NetlinkFormatException($"An answer to request {message.Sequence} came, {_sequence} was asked.");
        }

        switch (message.Type)
        {
            case NLMSG_NOOP:
                return false;
            case NLMSG_OVERRUN:
                throw new NetlinkInterruptedException(ENOBUFS, "the kernel lost a part of the answer");
            case NLMSG_ERROR or NLMSG_DONE when NetlinkError.Read(message) is { Errno: not 0 } error:
                throw Failure(error.Errno, error.Detail);

            // Also on NLMSG_DONE: what was dumped changed meanwhile, so entries may be missing or doubled (include/net/netlink.h,
            // nl_dump_check_consistent). In NLMSG_ERROR the bit has no meaning.
            case not NLMSG_ERROR when message.Has(NLM_F_DUMP_INTR):
                throw new NetlinkInterruptedException(EAGAIN, "it changed while it was read");
            case NLMSG_ERROR or NLMSG_DONE:
                return true;
            default:
                handler?.Invoke(message);
                return false;
        }
    }

    private void ThrowIfFailed(int errno, string verb)
    {
        switch (errno)
        {
            case <= 0:
                return;
            case ENOBUFS or EINTR:
                throw new NetlinkInterruptedException(errno, $"the message was not {verb}: {Marshal.GetPInvokeErrorMessage(errno)}");
            case EAGAIN:
                throw Failure(ETIMEDOUT, "the kernel did not answer");
            default:
                throw Failure(errno, Marshal.GetPInvokeErrorMessage(errno));
        }
    }

    private LinuxException Failure(int errno, string detail)
    {
        var hint = _hint?.Invoke(errno) ?? errno switch
        {
            EPERM => "the process needs the capability CAP_NET_ADMIN in this network namespace",
            _ => null,
        };
        return new LinuxException(Operation, errno, hint is null ? detail : $"{detail}; {hint}");
    }
}
