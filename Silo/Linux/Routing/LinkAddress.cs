using System.Globalization;
using System.Net;

namespace Orleans.WireGuard.Linux.Routing;

/// <summary>An address of a link, with the length of the prefix that is on that link.</summary>
/// <param name="Address">IPv4 or IPv6.</param>
/// <param name="PrefixLength">0 to 32, or 0 to 128.</param>
public sealed record LinkAddress(IPAddress Address, int PrefixLength)
{
    /// <summary>The address, a slash, the length.</summary>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Address}/{PrefixLength}");
}
