namespace Orleans.WireGuard.Linux.Routing;

/// <summary>How the system would send to an address.</summary>
/// <param name="LinkIndex">The kernel's number for the link that it would send through.</param>
/// <param name="Mtu">Bytes: of the link, or of the route if that is known to carry less.</param>
public sealed record LinkPath(int LinkIndex, int Mtu);
