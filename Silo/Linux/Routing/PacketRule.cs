namespace Orleans.WireGuard.Linux.Routing;

/// <summary>A rule of ours about packets that another data plane of this node has packed.</summary>
/// <param name="Table">Where they are looked up, and where the rule stands.</param>
/// <param name="Packet">Which packets.</param>
/// <param name="IsIPv6">The family.</param>
public sealed record PacketRule(RouteTable Table, OuterPacket Packet, bool IsIPv6);
