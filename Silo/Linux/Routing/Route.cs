using System.Net;

namespace Orleans.WireGuard.Linux.Routing;

/// <summary>
/// A route of our own table: packets for <paramref name="Destination"/> leave through <paramref name="DeviceName"/>, are refused, or are
/// none of our business.
/// </summary>
/// <param name="Destination">
/// A remote pod CIDR; for an unreachable route also one of the cluster's; for a throw route one of our own.
/// </param>
/// <param name="DeviceName">Interface name; empty for an unreachable or throw route.</param>
/// <param name="IsThrow">Whether the lookup ends here and goes on with the next rule (RTN_THROW), so that the main table decides.</param>
public sealed record Route(IPPrefix Destination, string DeviceName, bool IsThrow = false)
{
    /// <summary>
    /// The address of this node that its own packets get on this way, unless they have one; <see langword="null"/> leaves the choice to
    /// the kernel.
    /// </summary>
    public IPAddress? Source { get; init; }

    /// <summary>
    /// Whether packets are refused with "no route to host". Such a route has the largest metric
    /// (<see cref="RouteTable.UnreachableMetric"/>), so it lies below a route to the same destination through a device, and both exist at
    /// once.
    /// </summary>
    public bool IsUnreachable => DeviceName.Length == 0 && !IsThrow;

    /// <summary>
    /// What the kernel replaces a route by: the same destination at the same metric, whatever the type. Routes of different keys exist at
    /// once.
    /// </summary>
    public (IPPrefix Destination, bool IsUnreachable) Key => (Destination, IsUnreachable);

    /// <summary>The route that refuses packets for <paramref name="destination"/>.</summary>
    public static Route Unreachable(IPPrefix destination) => new(destination, "");

    /// <summary>
    /// The route that leaves <paramref name="destination"/> to the tables behind ours, although a wider route here refuses it.
    /// </summary>
    public static Route Throw(IPPrefix destination) => new(destination, "", IsThrow: true);
}
