// Every native declaration of the netlink transport: socket(2), bind(2), setsockopt(2), sendto(2), recvfrom(2), close(2).
using System.Runtime.InteropServices;

namespace Orleans.WireGuard.Linux.Netlink;

/// <summary>
/// The C library's socket calls. The framework's own <c>Socket</c> can carry AF_NETLINK only through <c>SafeSocketHandle</c> with guesses
/// about the address family, and hides errno behind its own codes; six declarations are less.
/// </summary>
internal static partial class Interop
{
    private const string LibC = "libc";

    /// <summary>struct sockaddr_nl of linux/netlink.h.</summary>
    [StructLayout(LayoutKind.Sequential)]
    internal struct SockAddrNl
    {
        /// <summary>AF_NETLINK.</summary>
        public ushort Family;

        /// <summary>Zero.</summary>
        public ushort Pad;

        /// <summary>Port number; 0 is the kernel.</summary>
        public uint PortId;

        /// <summary>Multicast groups.</summary>
        public uint Groups;
    }

    /// <summary>struct timeval of a 64-bit system.</summary>
    [StructLayout(LayoutKind.Sequential)]
    internal struct TimeVal
    {
        /// <summary>Seconds.</summary>
        public nint Seconds;

        /// <summary>Microseconds, below one million.</summary>
        public nint Microseconds;
    }

    [LibraryImport(LibC, EntryPoint = "socket", SetLastError = true)]
    internal static partial NetlinkSocketHandle Socket(int domain, int type, int protocol);

    [LibraryImport(LibC, EntryPoint = "bind", SetLastError = true)]
    internal static partial int Bind(NetlinkSocketHandle socket, in SockAddrNl address, uint length);

    [LibraryImport(LibC, EntryPoint = "setsockopt", SetLastError = true)]
    internal static partial int SetSockOpt(NetlinkSocketHandle socket, int level, int option, in int value, uint length);

    [LibraryImport(LibC, EntryPoint = "setsockopt", SetLastError = true)]
    internal static partial int SetSockOpt(NetlinkSocketHandle socket, int level, int option, in TimeVal value, uint length);

    [LibraryImport(LibC, EntryPoint = "sendto", SetLastError = true)]
    internal static partial nint SendTo(
        NetlinkSocketHandle socket, ReadOnlySpan<byte> buffer, nuint length, int flags, in SockAddrNl address, uint addressLength);

    [LibraryImport(LibC, EntryPoint = "recvfrom", SetLastError = true)]
    internal static partial nint RecvFrom(
        NetlinkSocketHandle socket, Span<byte> buffer, nuint length, int flags, out SockAddrNl address, ref uint addressLength);

    [LibraryImport(LibC, EntryPoint = "close", SetLastError = true)]
    internal static partial int Close(nint descriptor);
}
