using System.Net;

namespace Orleans.WireGuard.Linux.Routing;

/// <summary>One of our routes as it was read, with the number of its link.</summary>
/// <param name="Destination">Where to.</param>
/// <param name="Index">The kernel's number of the link; 0 for an unreachable or throw route.</param>
/// <param name="IsThrow">Whether it is a throw route.</param>
/// <param name="Source">The address of this node that it prefers.</param>
internal readonly record struct ObservedRoute(IPPrefix Destination, int Index, bool IsThrow = false, IPAddress? Source = null);
