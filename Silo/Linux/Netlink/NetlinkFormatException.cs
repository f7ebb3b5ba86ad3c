// A message that is not what the protocol says.
namespace Orleans.WireGuard.Linux.Netlink;

/// <summary>Bytes that came from the kernel, or that we are about to send, are not a netlink message as the headers describe it.</summary>
internal sealed class NetlinkFormatException(string message) : Exception(message);
