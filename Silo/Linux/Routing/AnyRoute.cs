using System.Net;

namespace Orleans.WireGuard.Linux.Routing;

/// <summary>A route, whoever added it.</summary>
/// <param name="Destination">Where to; <see langword="null"/> if it is of neither family of IP.</param>
/// <param name="Table">The table that it is in.</param>
/// <param name="Type">What it does, such as RTN_UNICAST.</param>
/// <param name="Protocol">Who added it.</param>
internal sealed record AnyRoute(IPPrefix? Destination, uint Table, byte Type, byte Protocol)
{
    /// <summary>Number of its link, the first one of several; 0 for none.</summary>
    public int Index { get; init; }

    /// <summary>Its metric.</summary>
    public uint Metric { get; init; }

    /// <summary>The router that it leads to, if it has one of the same family.</summary>
    public IPAddress? Gateway { get; init; }

    /// <summary>The address of this node that it prefers.</summary>
    public IPAddress? PreferredSource { get; init; }

    /// <summary>Whether it leads to routers.</summary>
    public bool HasHops { get; init; }

    /// <summary>Whether it is a memory of the kernel and nobody's route.</summary>
    public bool IsCached { get; init; }
}
