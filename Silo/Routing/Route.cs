namespace Orleans.WireGuard.Silo.Routing;

/// <summary>
/// A route of our own table: packets for <paramref name="Destination"/> leave through <paramref name="DeviceName"/>, or are refused.
/// </summary>
/// <param name="Destination">A remote pod CIDR; for an unreachable route one of the cluster's.</param>
/// <param name="DeviceName">Interface name; empty for an unreachable route.</param>
internal sealed record Route(IPPrefix Destination, string DeviceName)
{
    /// <summary>
    /// Whether packets are refused with "no route to host". Such a route has the largest metric (<see cref="RouteTable.UnreachableMetric"/>), so it
    /// lies below a route to the same destination through a device, and both exist at once.
    /// </summary>
    public bool IsUnreachable => DeviceName.Length == 0;

    /// <summary>The route that refuses packets for <paramref name="destination"/>.</summary>
    public static Route Unreachable(IPPrefix destination) => new(destination, "");
}
