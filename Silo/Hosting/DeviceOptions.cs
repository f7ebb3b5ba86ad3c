namespace Orleans.WireGuard.Silo.Hosting;

/// <summary>The local WireGuard devices (section <c>Device</c>).</summary>
public sealed class DeviceOptions
{
    /// <summary>The name of the configuration section.</summary>
    public const string SectionName = "Device";

    /// <summary>UDP port of slot 0, open between all nodes. Default: 51871, as Cilium uses. Range: 1 to 65535.</summary>
    public int ListenPort { get; set; } = 51871;

    /// <summary>
    /// Whether the silo starts <see cref="UserspaceCommand"/> when the device is missing. Default: <see langword="false"/>: somebody else
    /// has to have made the device, and the silo waits for it.
    /// </summary>
    public bool StartUserspace { get; set; }

    /// <summary>The userspace implementation: a name on the PATH, or a path. Default: <c>wireguard-go</c>.</summary>
    public string UserspaceCommand { get; set; } = "wireguard-go";

    /// <summary>
    /// How often everything is read back and repaired although nothing is known to have changed. Default: 30 seconds.
    /// Range: 1 second to 10 minutes.
    /// </summary>
    public TimeSpan ResyncInterval { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>
    /// MTU of the device in bytes. Default: 0, which calculates it from the routes to the peers. Range: 0, or 576 to 65455.
    /// </summary>
    public int Mtu { get; set; }
}
