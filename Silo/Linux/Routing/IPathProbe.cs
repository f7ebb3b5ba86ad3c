using System.Net;

namespace Orleans.WireGuard.Linux.Routing;

/// <summary>Makes routers tell what a way carries.</summary>
/// <remarks>
/// WireGuard lets its packets be cut in pieces on the way, so nobody tells of a narrow link (and a pod's packets that fit the device arrive
/// in two). A packet that must not be cut is answered by the router before that link, and the kernel keeps the answer for ten minutes as
/// the route's MTU, where <see cref="ILinkClient.TryGetPathAsync"/> finds it. Where such answers are filtered nothing is learned.
/// </remarks>
public interface IPathProbe
{
    /// <summary>Sends one packet that must not be cut. Waits for nothing.</summary>
    /// <param name="destination">Where to.</param>
    /// <param name="length">Bytes of the packet with its IP header: what the way is believed to carry.</param>
    /// <returns>Whether it was sent.</returns>
    bool TrySend(IPAddress destination, int length);
}
