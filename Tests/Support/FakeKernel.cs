// Plays the kernel's end of netlink sockets.
using System.Runtime.InteropServices;
using Orleans.WireGuard.Linux.Netlink;
using static Orleans.WireGuard.Linux.Errno;

namespace Orleans.WireGuard.Tests.Support;

/// <summary>
/// Answers requests with datagrams that a test wrote down. Behaves as the kernel where it matters: one answer at a time, a datagram that
/// does not fit is cut off and says its real length, and nothing to read means a timeout.
/// </summary>
internal sealed class FakeKernel
{

    private readonly Queue<Func<byte[], IEnumerable<Reply>>> _answers = [];

    /// <summary>One datagram, or the errno that a receive returns instead.</summary>
    /// <param name="Datagram">Messages.</param>
    /// <param name="Errno">Positive; 0 if there is a datagram.</param>
    internal sealed record Reply(byte[] Datagram, int Errno = 0);

    /// <summary>An acknowledgement without an error, as the kernel sends it with NETLINK_CAP_ACK.</summary>
    public static string Ack => Error(0);

    /// <summary>The end of a dump.</summary>
    public static string Done => "14000000 0300 0200 00000000 00000000 00000000";

    /// <summary>Requests as they were sent, in order.</summary>
    public List<byte[]> Requests { get; } = [];

    /// <summary>How many sockets were opened, and for which protocols.</summary>
    public List<int> Opened { get; } = [];

    /// <summary>How many of them are still open.</summary>
    public int Open { get; private set; }

    /// <summary>Sizes of the receive buffers that were offered.</summary>
    public List<int> BufferSizes { get; } = [];

    /// <summary>An NLMSG_ERROR.</summary>
    public static string Error(int errno) =>
        $"24000000 0200 0001 00000000 00000000 {Hex.Text(BitConverter.GetBytes(-errno))} 00000000 0000 0000 00000000 00000000";

    /// <summary>Answers the next request with datagrams, each in hexadecimal. Sequence numbers become those of the request.</summary>
    public FakeKernel Answer(params string[] datagrams)
    {
        _answers.Enqueue(request => datagrams.Select(datagram => new Reply(Stamp(Hex.Bytes(datagram), request))));
        return this;
    }

    /// <summary>Answers the next request exactly so.</summary>
    public FakeKernel AnswerRaw(params Reply[] replies)
    {
        _answers.Enqueue(_ => replies);
        return this;
    }

    /// <summary>Opens a socket to this kernel.</summary>
    public INetlinkChannel OpenChannel(int protocol)
    {
        Opened.Add(protocol);
        Open++;
        return new Channel(this);
    }

    private static byte[] Stamp(byte[] datagram, byte[] request)
    {
        for (var at = 0; at + NetlinkWriter.HeaderSize <= datagram.Length;)
        {
            request.AsSpan(NetlinkWriter.SequenceOffset, sizeof(uint)).CopyTo(datagram.AsSpan(at + NetlinkWriter.SequenceOffset));
            at += NetlinkWriter.Align((int)MemoryMarshal.Read<uint>(datagram.AsSpan(at)));
        }

        return datagram;
    }

    private sealed class Channel(FakeKernel kernel) : INetlinkChannel
    {
        private readonly Queue<Reply> _replies = [];

        public int Send(ReadOnlySpan<byte> datagram)
        {
            var request = datagram.ToArray();
            kernel.Requests.Add(request);
            if (kernel._answers.TryDequeue(out var answer))
            {
                foreach (var reply in answer(request))
                {
                    _replies.Enqueue(reply);
                }
            }

            return 0;
        }

        public int Receive(Span<byte> buffer)
        {
            kernel.BufferSizes.Add(buffer.Length);
            if (!_replies.TryDequeue(out var reply))
            {
                return -EAGAIN;
            }

            if (reply.Errno != 0)
            {
                return -reply.Errno;
            }

            reply.Datagram.AsSpan(0, Math.Min(buffer.Length, reply.Datagram.Length)).CopyTo(buffer);
            return reply.Datagram.Length;
        }

        public void Dispose() => kernel.Open--;
    }
}
