namespace Orleans.WireGuard.Grains.Reasons;

/// <summary>How a device is driven, and why so, in words. Pure.</summary>
internal static class TransportText
{
    /// <summary>The transport as people know it: <c>netlink</c> or <c>uapi</c>.</summary>
    public static string Describe(Transport transport) => transport switch
    {
        Transport.Netlink => "netlink",
        Transport.Uapi => "uapi",
        _ => "unknown",
    };

    /// <summary>Why it was chosen, in half a sentence; empty if nobody said.</summary>
    public static string Describe(TransportReason reason) => reason switch
    {
        TransportReason.Configured => "Device:Transport says so",
        TransportReason.KernelHasWireGuard => "this kernel has WireGuard",
        TransportReason.KernelHasNone => "this kernel has no WireGuard",
        _ => "",
    };
}
