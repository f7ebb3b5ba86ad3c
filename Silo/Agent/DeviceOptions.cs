namespace Orleans.WireGuard.Silo.Agent;

/// <summary>How WireGuard devices are driven.</summary>
public enum DeviceTransport
{
    /// <summary>The kernel's WireGuard if there is one, else userspace if <see cref="DeviceOptions.StartUserspace"/> allows it.</summary>
    Auto,

    /// <summary>The kernel's, by netlink. A kernel without WireGuard is a fault.</summary>
    Kernel,

    /// <summary>A userspace implementation, by the UAPI text protocol.</summary>
    Userspace,
}

/// <summary>The local WireGuard devices (section <c>Device</c>).</summary>
public sealed class DeviceOptions
{
    /// <summary>The name of the configuration section.</summary>
    public const string SectionName = "Device";

    /// <summary>Default: <see cref="DeviceTransport.Auto"/>.</summary>
    [Since("0.1")]
    public DeviceTransport Transport { get; set; } = DeviceTransport.Auto;

    /// <summary>
    /// Names of the devices of slot 0 and slot 1: none, or two that begin with <c>cilium_</c>. Where a cilium-agent runs without its own
    /// encryption it deletes <c>cilium_wg0</c> at each of its starts; any other name survives. After a change the next start renames the
    /// devices that are there. Default: none, which is <c>cilium_wg0</c> and <c>cilium_wg1</c>.
    /// </summary>
    [Since("0.1")]
    public IList<string> Names { get; } = [];

    /// <summary>
    /// UDP port of slot 0; slot 1 has the next one. Both open between all nodes. Default: 51871, as Cilium uses. Range: 1 to 65534.
    /// </summary>
    [Since("0.1")]
    public int ListenPort { get; set; } = 51871;

    /// <summary>
    /// Whether the silo may start <see cref="UserspaceCommand"/> where the kernel has no WireGuard. Default: <see langword="false"/>,
    /// because userspace costs throughput and the operator should know. With <see cref="DeviceTransport.Userspace"/> and without this the
    /// silo waits for devices that somebody else runs.
    /// </summary>
    [Since("0.1")]
    public bool StartUserspace { get; set; }

    /// <summary>The userspace implementation: a name on the PATH, or a path. Default: <c>wireguard-go</c>.</summary>
    [Since("0.1")]
    public string UserspaceCommand { get; set; } = "wireguard-go";

    /// <summary>
    /// How often everything is read back and repaired although nothing is known to have changed. Default: 30 seconds.
    /// Range: 1 second to 10 minutes.
    /// </summary>
    [Since("0.1")]
    public TimeSpan ResyncInterval { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>
    /// How often the device alone is read back, because WireGuard notifies nobody of what others do to it; less often where that would cost
    /// more than half a percent of a core. Default: 1 second. Range: 100 ms to 10 minutes.
    /// </summary>
    [Since("0.1")]
    public TimeSpan PollInterval { get; set; } = TimeSpan.FromSeconds(1);

    /// <summary>
    /// Whether a device that somebody else configures is taken over: its key and peers are replaced. Default: <see langword="false"/>,
    /// which refuses to start on one.
    /// </summary>
    [Since("0.1")]
    public bool TakeOver { get; set; }

    /// <summary>
    /// MTU of the device in bytes. Default: 0, which calculates it from the routes to the peers and from what routers on the way say; the
    /// log names each change. Range: 0, or 576 to 65455.
    /// </summary>
    [Since("0.1")]
    public int Mtu { get; set; }

    /// <summary>
    /// How often an empty packet keeps the way to every peer open, for nodes behind NAT or a stateful firewall. Default: 0, off.
    /// Range: whole seconds, 0 to 65535; 25 seconds suits most.
    /// </summary>
    [Since("0.1")]
    public TimeSpan PersistentKeepalive { get; set; }

    /// <summary>
    /// The same towards single nodes, by node name; takes the place of <see cref="PersistentKeepalive"/>. Default: empty.
    /// </summary>
    [Since("0.1")]
    public IDictionary<string, TimeSpan> PersistentKeepaliveOf { get; } = new Dictionary<string, TimeSpan>(StringComparer.Ordinal);

    /// <summary><see cref="Names"/> as one; what is none is left to the validator.</summary>
    internal DeviceNames DeviceNames => Names is [var zero, var one] ? new DeviceNames(zero, one) : DeviceNames.Default;
}
