namespace Orleans.WireGuard.Linux.Routing.Witness;

/// <summary>What is counted.</summary>
public enum WitnessClass
{
    /// <summary>A packet from a pod of ours to a pod of another node, as it is.</summary>
    Clear,

    /// <summary>The same inside VXLAN or Geneve, which hide nothing.</summary>
    ClearEncapsulated,

    /// <summary>Our own WireGuard.</summary>
    Tunnel,
}
