// The descriptor of an AF_NETLINK socket.
using Microsoft.Win32.SafeHandles;

namespace Orleans.WireGuard.Linux.Netlink;

/// <summary>Closes the descriptor exactly once, also when an exception or the finalizer gets there first.</summary>
internal sealed class NetlinkSocketHandle : SafeHandleZeroOrMinusOneIsInvalid
{
    /// <summary>Made by the marshaller around the result of <c>socket(2)</c>.</summary>
    public NetlinkSocketHandle()
        : base(ownsHandle: true)
    {
    }

    /// <inheritdoc/>
    protected override bool ReleaseHandle() => Interop.Close(handle) == 0;
}
