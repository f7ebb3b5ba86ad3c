using System.Net;

namespace Orleans.WireGuard;

/// <summary>One spelling for an IPv4 address, which may come as IPv6 too: <c>::ffff:192.0.2.1</c>.</summary>
internal static class IPAddressExtensions
{
    /// <summary>The IPv4 address that is mapped into this one, else this one.</summary>
    public static IPAddress Unmap(this IPAddress address) => address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : address;

    /// <summary>The same port at <see cref="Unmap(IPAddress)"/>.</summary>
    /// <remarks>
    /// The IPv6 socket of a WireGuard device is IPV6_V6ONLY (drivers/net/wireguard/socket.c): it never reaches a mapped address.
    /// </remarks>
    public static IPEndPoint Unmap(this IPEndPoint endpoint) =>
        endpoint.Address.IsIPv4MappedToIPv6 ? new(endpoint.Address.MapToIPv4(), endpoint.Port) : endpoint;
}
