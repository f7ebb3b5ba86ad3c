namespace Orleans.WireGuard.Linux.Devices.Uapi;

/// <summary>How userspace devices are started and reached.</summary>
public sealed class UserspaceDeviceOptions
{
    /// <summary>
    /// The command that makes a device; the device's name is added to it. It must daemonize itself, exit with 0 once the device exists, and
    /// speak the userspace protocol. Default: <c>wireguard-go</c>, looked up on PATH.
    /// </summary>
    public IReadOnlyList<string> Command { get; init; } = ["wireguard-go"];

    /// <summary>
    /// Whether we start processes. If not, somebody else runs them, such as the kubelet, and starts one that ends again; then making a
    /// device is an error until it is there. Default: <see langword="true"/>.
    /// </summary>
    public bool MayStart { get; init; } = true;

    /// <summary>Where the command puts its sockets. Default: <c>/var/run/wireguard</c>, as the protocol says.</summary>
    public string SocketDirectory { get; init; } = "/var/run/wireguard";

    /// <summary>The kernel's TUN device. Default: <c>/dev/net/tun</c>.</summary>
    public string TunPath { get; init; } = "/dev/net/tun";

    /// <summary>The network namespace in which the command makes devices. Default: <c>/proc/self/ns/net</c>, our own.</summary>
    public string NetworkNamespace { get; init; } = "/proc/self/ns/net";

    /// <summary>How long a device may take to answer a request. Default: 5 s; writing 10,000 peers takes less than one.</summary>
    public TimeSpan RequestTimeout { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>How long a new device may take until it answers. Default: 10 s.</summary>
    public TimeSpan StartTimeout { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>How long a device may take to end before its process is killed. Default: 5 s.</summary>
    public TimeSpan StopTimeout { get; init; } = TimeSpan.FromSeconds(5);
}
