// The seam between the netlink protocol and the system calls, so that tests can play the kernel.
namespace Orleans.WireGuard.Linux.Netlink;

/// <summary>Sends and receives netlink datagrams. Not thread-safe; one exchange owns it.</summary>
internal interface INetlinkChannel : IDisposable
{
    /// <summary>Sends one datagram to the kernel, which handles it before this returns.</summary>
    /// <returns>0, or the errno.</returns>
    int Send(ReadOnlySpan<byte> datagram);

    /// <summary>Receives one datagram of the kernel.</summary>
    /// <returns>
    /// The datagram's length, which is larger than <paramref name="buffer"/> if its end was cut off; or a negative errno.
    /// </returns>
    int Receive(Span<byte> buffer);
}
