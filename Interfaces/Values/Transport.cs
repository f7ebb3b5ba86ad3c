namespace Orleans.WireGuard;

/// <summary>How a WireGuard device is driven. Numbers are on the wire: new ones go to the end.</summary>
public enum Transport
{
    /// <summary>Nobody said.</summary>
    Unknown,

    /// <summary>The kernel's own WireGuard, by generic netlink.</summary>
    Netlink,

    /// <summary>A program in userspace, by the text protocol of WireGuard's cross-platform interface.</summary>
    Uapi,
}

/// <summary>Why a transport was chosen. Numbers are on the wire: new ones go to the end.</summary>
public enum TransportReason
{
    /// <summary>Nobody said.</summary>
    Unknown,

    /// <summary>It is configured.</summary>
    Configured,

    /// <summary>The kernel has WireGuard.</summary>
    KernelHasWireGuard,

    /// <summary>The kernel has no WireGuard.</summary>
    KernelHasNone,
}
