namespace Orleans.WireGuard;

/// <summary>
/// What was counted at the links by which a node reaches the others, in packets, since its counters were made; as of the last resync.
/// </summary>
/// <param name="Clear">From pods of this node to pods of other nodes, in clear.</param>
/// <param name="ClearEncapsulated">The same inside VXLAN or Geneve, which hide nothing.</param>
/// <param name="Tunnel">Through this node's tunnels.</param>
/// <param name="ArrivedClear">From pods of other nodes to pods of this node, in clear, before anything dropped them.</param>
/// <param name="ArrivedClearEncapsulated">The same inside VXLAN or Geneve.</param>
/// <param name="ArrivedTunnel">Through other nodes' tunnels.</param>
/// <param name="IsPartial">
/// Whether packets may be missing: the kernel is one before 5.16, which has no hook at the link itself, or programs (BPF) send packets past
/// netfilter (<see cref="FindingCode.SentPastNetfilter"/>).
/// </param>
[GenerateSerializer, Immutable, Alias("owg.WitnessStatus")]
public sealed record WitnessStatus(
    [property: Id(0)] long Clear,
    [property: Id(1)] long ClearEncapsulated,
    [property: Id(2)] long Tunnel,
    [property: Id(3)] long ArrivedClear,
    [property: Id(4)] long ArrivedClearEncapsulated,
    [property: Id(5)] long ArrivedTunnel,
    [property: Id(6)] bool IsPartial);
