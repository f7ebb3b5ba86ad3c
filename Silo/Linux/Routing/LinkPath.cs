namespace Orleans.WireGuard.Linux.Routing;

/// <summary>How the system would send to an address.</summary>
/// <param name="LinkIndex">The kernel's number for the link that it would send through.</param>
/// <param name="Mtu">Bytes: of the link, or of the way if that is known to carry less.</param>
/// <param name="LinkMtu">Bytes: of the link.</param>
public sealed record LinkPath(int LinkIndex, int Mtu, int LinkMtu)
{
    /// <summary>
    /// The least MTU in bytes that is believed of a way because a router said so: a forged message must not make packets tiny. Every
    /// network that carries IPv6 has it (RFC 8200 section 5).
    /// </summary>
    public const int LeastLearned = 1280;

    /// <summary>What follows from what the system says of a link and of a route.</summary>
    /// <param name="linkIndex">The kernel's number for the link.</param>
    /// <param name="linkMtu">Bytes: of the link.</param>
    /// <param name="routeMtu">Bytes: of the route; <see langword="null"/> if it has none of its own.</param>
    /// <param name="isLearned">Whether the route has it from a router, and not from who made it.</param>
    internal static LinkPath Of(int linkIndex, int linkMtu, int? routeMtu, bool isLearned)
    {
        var carried = routeMtu is { } mtu ? isLearned ? Math.Max(mtu, LeastLearned) : mtu : linkMtu;
        return new LinkPath(linkIndex, Math.Min(linkMtu, carried), linkMtu);
    }
}
