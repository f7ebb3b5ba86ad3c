using System.Globalization;
using static Orleans.WireGuard.Linux.Netlink.NetlinkConstants;

namespace Orleans.WireGuard.Linux.Routing;

/// <summary>What the packets of an encapsulation look like from outside.</summary>
/// <param name="Protocol">Number of the protocol above IP: 17 for UDP, 4 for IP in IP.</param>
/// <param name="Port">Destination port of UDP; 0 for others.</param>
public readonly record struct OuterPacket(byte Protocol, ushort Port)
{
    /// <summary>IP in IP, which is of IPv4 alone.</summary>
    public static OuterPacket IPInIP { get; } = new(IPPROTO_IPIP, 0);

    /// <summary>Whether it is over UDP.</summary>
    public bool IsUdp => Protocol == IPPROTO_UDP;

    /// <summary>UDP to this port, such as 8472 of VXLAN.</summary>
    public static OuterPacket Udp(ushort port) => new(IPPROTO_UDP, port);

    /// <summary>The order in which they are kept.</summary>
    public static IComparer<OuterPacket> Order { get; } =
        Comparer<OuterPacket>.Create((left, right) => (left.Protocol, left.Port).CompareTo((right.Protocol, right.Port)));

    /// <inheritdoc/>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{(IsUdp ? "udp" : "protocol")} {(IsUdp ? Port : Protocol)}");
}
