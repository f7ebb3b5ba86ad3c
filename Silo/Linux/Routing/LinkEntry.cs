namespace Orleans.WireGuard.Linux.Routing;

/// <summary>A link as a dump of the kernel has it.</summary>
/// <param name="Name">Such as <c>eth0</c>; it may change.</param>
/// <param name="Index">The kernel's number for it; 1 or more.</param>
/// <param name="Kind">What it is, such as <c>veth</c>; empty for hardware.</param>
/// <param name="Mtu">Bytes.</param>
/// <param name="IsUp">Whether it is administratively up.</param>
public sealed record LinkEntry(string Name, int Index, string Kind, int Mtu, bool IsUp)
{
    /// <summary>Number of the bridge or bond that it belongs to; 0 if to none.</summary>
    public int MasterIndex { get; init; }

    /// <summary>Whether its other end lies in another network namespace, as that of a pod's cable does.</summary>
    public bool IsPeerElsewhere { get; init; }

    /// <summary>The UDP port to which a <c>vxlan</c> or <c>geneve</c> link sends; 0 for other kinds.</summary>
    public ushort EncapsulationPort { get; init; }

    /// <summary>
    /// Whether a program chooses for every packet where the link sends it (<c>external</c>, IFLA_VXLAN_COLLECT_METADATA).
    /// </summary>
    public bool IsMetadata { get; init; }

    /// <summary>Whether IPv4 packets that come in by it are forwarded; <see langword="null"/> if the kernel does not say.</summary>
    public bool? IsForwardingIPv4 { get; init; }

    /// <summary>
    /// Its own rp_filter, of which the kernel takes the larger one of this and that of all links; <see langword="null"/> as above.
    /// </summary>
    public int? SourceCheck { get; init; }
}
