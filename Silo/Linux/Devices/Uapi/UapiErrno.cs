using static Orleans.WireGuard.Linux.Errno;

namespace Orleans.WireGuard.Linux.Devices.Uapi;

/// <summary>What the errno values that a userspace device answers ask for.</summary>
/// <remarks>
/// wireguard-go sends them negative (<c>errno=-22</c>), the protocol page shows them positive; both are read as positive.
/// </remarks>
internal static class UapiErrno
{
    /// <summary>Says what an errno of a device means and what to do.</summary>
    public static string Describe(int errno) => errno switch
    {
        EPERM => "not permitted; the userspace device needs CAP_NET_ADMIN",
        EIO => "the userspace device could not read the request or write its answer; try again",
        EINVAL =>
            "the userspace device refused a key or a value; it may be too old for it, its version is shown by 'wireguard-go --version'",
        ENOANO => "the userspace device failed for a reason it has no number for; start it with LOG_LEVEL=verbose to see why",
        EPROTO => "the userspace device did not understand the request; it may speak another version of the protocol",
        EADDRINUSE => "the UDP port is in use; find its owner with 'ss -lunp', stop it or configure another listen port",
        _ => "the userspace device refused",
    };
}
