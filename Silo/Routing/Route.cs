namespace Orleans.WireGuard.Silo.Routing;

/// <summary>A route of our own table: packets for <paramref name="Destination"/> leave through <paramref name="DeviceName"/>.</summary>
/// <param name="Destination">A remote pod CIDR.</param>
/// <param name="DeviceName">Interface name.</param>
internal sealed record Route(IPPrefix Destination, string DeviceName);
