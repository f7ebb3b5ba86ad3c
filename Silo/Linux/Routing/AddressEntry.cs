using System.Net;

namespace Orleans.WireGuard.Linux.Routing;

/// <summary>An address of a link.</summary>
/// <param name="LinkIndex">Number of the link.</param>
/// <param name="Address">With the bits of the host.</param>
/// <param name="PrefixLength">How many of its bits are the network's.</param>
public sealed record AddressEntry(int LinkIndex, IPAddress Address, int PrefixLength)
{
    /// <summary>The network that the link is in by this address.</summary>
    public IPPrefix Network => IPPrefix.Host(Address).Shorten(PrefixLength);
}
