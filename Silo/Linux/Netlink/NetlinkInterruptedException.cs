// An exchange that has to be made again.
namespace Orleans.WireGuard.Linux.Netlink;

/// <summary>The kernel could not finish an answer (NLM_F_DUMP_INTR, ENOBUFS, EINTR, a cut-off datagram); asking again is right.</summary>
/// <param name="errno">What happened, as an errno.</param>
/// <param name="reason">What happened, in words.</param>
/// <param name="wantedBuffer">Bytes that the next receive buffer needs; 0 if it was large enough.</param>
internal sealed class NetlinkInterruptedException(int errno, string reason, int wantedBuffer = 0) : Exception(reason)
{
    /// <summary>What happened, as an errno.</summary>
    public int Errno { get; } = errno;

    /// <summary>Bytes that the next receive buffer needs; 0 if it was large enough.</summary>
    public int WantedBuffer { get; } = wantedBuffer;
}
