namespace Orleans.WireGuard.Linux.Routing;

/// <summary>What a link has counted since it was made: struct rtnl_link_stats64.</summary>
/// <param name="ReceivedPackets">Packets that came in.</param>
/// <param name="SentPackets">Packets that left; most links count what they cut a large one into.</param>
/// <param name="SentBytes">Their bytes; a WireGuard device of the kernel counts what it made of them.</param>
public readonly record struct LinkTraffic(long ReceivedPackets, long SentPackets, long SentBytes);
