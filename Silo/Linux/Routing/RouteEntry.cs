using System.Net;

namespace Orleans.WireGuard.Linux.Routing;

/// <summary>What a route does with its packets.</summary>
public enum RouteAction
{
    /// <summary>They leave by a link.</summary>
    Forward,

    /// <summary>They are dropped, or refused with a message.</summary>
    Refuse,

    /// <summary>The lookup goes on with the next rule.</summary>
    Throw,
}

/// <summary>A route of any table.</summary>
/// <param name="Table">Number of the table; 254 is main.</param>
/// <param name="Destination">Where to.</param>
/// <param name="LinkIndex">Number of the link, the first one of several; 0 if there is none.</param>
/// <param name="Action">What becomes of the packets.</param>
public sealed record RouteEntry(uint Table, IPPrefix Destination, int LinkIndex, RouteAction Action)
{
    /// <summary>Whether the next hop is a router, not the destination itself.</summary>
    public bool HasGateway { get; init; }

    /// <summary>Who added it (<c>rtm_protocol</c>), such as 80 for Calico's Felix; 0 if that was not told.</summary>
    public byte Protocol { get; init; }

    /// <summary>The source of the node's own packets; <see langword="null"/> if the link's address is.</summary>
    public IPAddress? PreferredSource { get; init; }
}
