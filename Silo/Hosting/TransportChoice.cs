using Orleans.WireGuard.Silo.Agent;

namespace Orleans.WireGuard.Silo.Hosting;

/// <summary>Which transport drives the devices, and why. Pure.</summary>
/// <param name="UseKernel">Netlink if true, UAPI if false.</param>
/// <param name="Reason">Why.</param>
internal sealed record TransportChoice(bool UseKernel, TransportReason Reason)
{
    /// <summary>The configured transport; if none is, the kernel's before the one in userspace.</summary>
    /// <param name="wanted">What is configured.</param>
    /// <param name="mayStartUserspace">Whether userspace is allowed as a fallback.</param>
    /// <param name="hasKernel">Whether this kernel has WireGuard.</param>
    /// <param name="fault">Why neither will do; <see langword="null"/> if one does.</param>
    public static TransportChoice? Choose(DeviceTransport wanted, bool mayStartUserspace, bool hasKernel, out string? fault)
    {
        fault = null;
        switch (wanted)
        {
            case DeviceTransport.Kernel when !hasKernel:
                fault = "Device:Transport is Kernel, but this kernel has no WireGuard; load the module 'wireguard' (Linux 5.6 or newer), or allow Userspace.";
                return null;
            case DeviceTransport.Auto when !hasKernel && !mayStartUserspace:
                fault = "This kernel has no WireGuard, and Device:StartUserspace is false; load the module 'wireguard' (Linux 5.6 or newer), or set it to true.";
                return null;
            case DeviceTransport.Userspace:
                return new TransportChoice(false, TransportReason.Configured);
            case DeviceTransport.Kernel:
                return new TransportChoice(true, TransportReason.Configured);
            default:
                return hasKernel
                    ? new TransportChoice(true, TransportReason.KernelHasWireGuard)
                    : new TransportChoice(false, TransportReason.KernelHasNone);
        }
    }
}
