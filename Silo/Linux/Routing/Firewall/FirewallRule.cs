namespace Orleans.WireGuard.Linux.Routing.Firewall;

/// <summary>A rule of our table.</summary>
/// <param name="Chain">Where it is.</param>
/// <param name="Comment">
/// What nft shows behind it. It tells that the rule is ours, and everything in which rules of one chain differ.
/// </param>
internal abstract record FirewallRule(FirewallChain Chain, string Comment);

/// <summary>Counts and drops packets that take another link than ours.</summary>
/// <param name="Chain">Where it is.</param>
/// <param name="Comment">As above.</param>
/// <param name="Devices">Names of our devices.</param>
/// <param name="Remote">The set that holds the address of another node's pod.</param>
/// <param name="Local">The set that holds the source of what leaves: this node's pods.</param>
/// <param name="Spared">The set of addresses that are no pods to be protected, although <paramref name="Remote"/> holds them.</param>
/// <param name="IsOutgoing">
/// Whether the remote pod is the destination, and the link is the one that the packet leaves by; else it is the source, and the link is the
/// one that it came in by.
/// </param>
/// <param name="Counter">The named counter.</param>
internal sealed record DropRule(
    FirewallChain Chain,
    string Comment,
    IReadOnlyList<string> Devices,
    FirewallSet Remote,
    FirewallSet Local,
    FirewallSet Spared,
    bool IsOutgoing,
    string Counter)
    : FirewallRule(Chain, Comment);

/// <summary>Lets pass what a link has unpacked, past the rules behind this one.</summary>
/// <param name="Chain">Where it is.</param>
/// <param name="Comment">As above.</param>
/// <param name="LinkName">Name of the link.</param>
internal sealed record UnpackedRule(FirewallChain Chain, string Comment, string LinkName) : FirewallRule(Chain, Comment);

/// <summary>Counts and drops packed packets that take another link than ours.</summary>
/// <param name="Chain">Where it is.</param>
/// <param name="Comment">As above.</param>
/// <param name="Devices">Names of our devices.</param>
/// <param name="Packet">Which packets.</param>
/// <param name="Nodes">The set of nodes from and to which they have to take the tunnels.</param>
/// <param name="IsOutgoing">Whether they leave, to one of the nodes; else they come in from one.</param>
/// <param name="Counter">The named counter.</param>
internal sealed record PacketDropRule(
    FirewallChain Chain,
    string Comment,
    IReadOnlyList<string> Devices,
    OuterPacket Packet,
    FirewallSet Nodes,
    bool IsOutgoing,
    string Counter)
    : FirewallRule(Chain, Comment);

/// <summary>Lowers the segment size that a TCP connection begins with.</summary>
/// <param name="Chain">Where it is.</param>
/// <param name="Comment">As above.</param>
/// <param name="Limit">The device by which the packet came in, and what it carries.</param>
/// <param name="IsIPv6">The family.</param>
internal sealed record SegmentRule(FirewallChain Chain, string Comment, SegmentLimit Limit, bool IsIPv6) : FirewallRule(Chain, Comment);
