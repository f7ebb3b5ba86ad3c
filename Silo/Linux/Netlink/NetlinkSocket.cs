// An AF_NETLINK socket: netlink(7).
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using static Orleans.WireGuard.Linux.Errno;
using static Orleans.WireGuard.Linux.Netlink.NetlinkConstants;

namespace Orleans.WireGuard.Linux.Netlink;

/// <summary>
/// An AF_NETLINK socket in the network namespace of the thread that opens it. Blocking on purpose: the kernel answers a request inside
/// <c>sendto</c>, so a receive finds its data ready and there is nothing to wait for.
/// </summary>
internal sealed class NetlinkSocket : INetlinkChannel
{
    /// <summary>How long a receive waits before it gives up. Only a kernel that lost the answer lets it run out.</summary>
    private static readonly TimeSpan ReceiveTimeout = TimeSpan.FromSeconds(5);

    // A receive timeout makes recvfrom return EINTR even under SA_RESTART (signal(7)); a profiler's signals come often.
    private const int MaxInterrupts = 100;

    private readonly NetlinkSocketHandle _handle;

    private NetlinkSocket(NetlinkSocketHandle handle) => _handle = handle;

    /// <summary>Opens a socket.</summary>
    /// <param name="protocol">NETLINK_ROUTE or NETLINK_GENERIC.</param>
    /// <exception cref="LinuxException">The system refused.</exception>
    public static NetlinkSocket Open(int protocol) => OpenBound(protocol, groups: 0, ReceiveTimeout);

    /// <summary>Opens a socket that receives what the kernel tells everybody, such as about links, routes and rules.</summary>
    /// <param name="protocol">NETLINK_ROUTE or NETLINK_NETFILTER.</param>
    /// <param name="groups">Bits of its multicast groups: bit 0 is group 1.</param>
    /// <param name="receiveTimeout">How long a receive waits for news.</param>
    /// <exception cref="LinuxException">The system refused.</exception>
    public static NetlinkSocket Subscribe(int protocol, uint groups, TimeSpan receiveTimeout) =>
        OpenBound(protocol, groups, receiveTimeout);

    private static NetlinkSocket OpenBound(int protocol, uint groups, TimeSpan receiveTimeout)
    {
        var handle = Interop.Socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol);
        try
        {
            Check(handle.IsInvalid ? -1 : 0, "socket");
            Check(Interop.Bind(handle, new() { Family = AF_NETLINK, Groups = groups }, (uint)Unsafe.SizeOf<Interop.SockAddrNl>()), "bind");

            // CAP_ACK: an error does not carry the request back, which may hold a private key. EXT_ACK: the kernel says in words what is
            // wrong.
            Check(SetOption(handle, NETLINK_CAP_ACK), "NETLINK_CAP_ACK");
            Check(SetOption(handle, NETLINK_EXT_ACK), "NETLINK_EXT_ACK");
            if (protocol == NETLINK_ROUTE)
            {
                // Lets the kernel filter a dump by table (kernel 4.20); older ones refuse the option and send more than we need.
                _ = SetOption(handle, NETLINK_GET_STRICT_CHK);
            }

            var timeout = new Interop.TimeVal
            {
                Seconds = (nint)receiveTimeout.TotalSeconds,
                Microseconds = receiveTimeout.Microseconds
                + (1000 * receiveTimeout.Milliseconds)
            };
            Check(Interop.SetSockOpt(handle, SOL_SOCKET, SO_RCVTIMEO, timeout, (uint)Unsafe.SizeOf<Interop.TimeVal>()), "SO_RCVTIMEO");
            return new NetlinkSocket(handle);
        }
        catch
        {
            handle.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    public int Send(ReadOnlySpan<byte> datagram)
    {
        var kernel = new Interop.SockAddrNl { Family = AF_NETLINK };
        for (var interrupts = 0; ; interrupts++)
        {
            if (Interop.SendTo(_handle, datagram, (nuint)datagram.Length, 0, kernel, (uint)Unsafe.SizeOf<Interop.SockAddrNl>()) >= 0)
            {
                return 0;
            }

            var errno = Marshal.GetLastPInvokeError();
            if (errno != EINTR || interrupts == MaxInterrupts)
            {
                return errno;
            }
        }
    }

    /// <inheritdoc/>
    public int Receive(Span<byte> buffer)
    {
        for (var ignored = 0; ; ignored++)
        {
            var addressLength = (uint)Unsafe.SizeOf<Interop.SockAddrNl>();
            var received = Interop.RecvFrom(_handle, buffer, (nuint)buffer.Length, MSG_TRUNC, out var sender, ref addressLength);
            if (received >= 0 && sender.PortId == 0)
            {
                return (int)received;
            }

            // Another process can write to our port; only the kernel has port 0.
            var errno = received >= 0 ? EAGAIN : Marshal.GetLastPInvokeError();
            if ((received < 0 && errno != EINTR) || ignored == MaxInterrupts)
            {
                return -errno;
            }
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _handle.Dispose();

    private static int SetOption(NetlinkSocketHandle handle, int option) =>
        Interop.SetSockOpt(handle, SOL_NETLINK, option, 1, sizeof(int));

    private static void Check(int result, string call)
    {
        if (result < 0)
        {
            var errno = Marshal.GetLastPInvokeError();
            throw new LinuxException($"open netlink socket ({call})", errno, Marshal.GetPInvokeErrorMessage(errno));
        }
    }
}
