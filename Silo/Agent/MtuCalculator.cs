namespace Orleans.WireGuard.Silo.Agent;

/// <summary>The MTU of a device: what the narrowest way to any peer carries, less what WireGuard adds. Pure.</summary>
internal static class MtuCalculator
{
    /// <summary>IPv4 header 20, UDP 8, WireGuard data message 32.</summary>
    public const int IPv4Overhead = 60;

    /// <summary>IPv6 header 40, UDP 8, WireGuard data message 32.</summary>
    public const int IPv6Overhead = 80;

    /// <summary>The least MTU of a link that carries IPv6 (RFC 8200 section 5).</summary>
    public const int MinIPv6Mtu = 1280;

    /// <summary>Calculates the MTU in bytes.</summary>
    /// <param name="paths">For each peer: the MTU of the route to it, and whether that route is IPv6.</param>
    /// <param name="carriesIPv6">Whether any pod CIDR is IPv6.</param>
    /// <returns>
    /// <see langword="null"/> if there is no path to calculate from. <c>IsClamped</c> says that the underlay is too narrow for IPv6, so
    /// full packets will be fragmented.
    /// </returns>
    public static (int Mtu, bool IsClamped)? Calculate(IEnumerable<(int PathMtu, bool IsIPv6)> paths, bool carriesIPv6)
    {
        int? narrowest = null;
        foreach (var (pathMtu, isIPv6) in paths)
        {
            var carried = pathMtu - (isIPv6 ? IPv6Overhead : IPv4Overhead);
            narrowest = narrowest is { } least && least < carried ? least : carried;
        }

        return narrowest is not { } mtu ? null : carriesIPv6 && mtu < MinIPv6Mtu ? (MinIPv6Mtu, true) : (mtu, false);
    }
}
