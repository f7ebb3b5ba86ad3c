namespace Orleans.WireGuard.Linux.Routing.Firewall;

/// <summary>How large the segments of a TCP connection may be that uses a device.</summary>
/// <param name="DeviceName">Name of the device.</param>
/// <param name="Mtu">Its MTU in bytes.</param>
public sealed record SegmentLimit(string DeviceName, int Mtu)
{
    // The headers of IP and TCP without options, which count as part of a segment, and the ten bytes that Cilium's programs leave to the
    // device behind them (fib.h): they drop what is larger and tell nobody.
    private const int IPv4Overhead = 50;
    private const int IPv6Overhead = 70;

    /// <summary>The largest segment in bytes over IPv4 or IPv6.</summary>
    public ushort Size(bool isIPv6) => (ushort)Math.Clamp(Mtu - (isIPv6 ? IPv6Overhead : IPv4Overhead), 1, ushort.MaxValue);
}
