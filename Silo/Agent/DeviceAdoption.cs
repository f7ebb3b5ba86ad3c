using Orleans.WireGuard.Keys;
using Orleans.WireGuard.Linux;
using Orleans.WireGuard.Linux.Devices;
using Orleans.WireGuard.Linux.Routing;

namespace Orleans.WireGuard.Silo.Agent;

/// <summary>Tells whose a device is that was found, and whether it may be taken over.</summary>
internal sealed class DeviceAdoption(string deviceName, IWireGuardClient devices, ILinkClient links, DeviceOptions options)
{
    private volatile bool _isOurs;

    /// <summary>This process made the device.</summary>
    public void NoteMade() => _isOurs = true;

    /// <summary>
    /// Whether the device may be written. Asked of the system once: from then on it is ours, and what others do is drift.
    /// </summary>
    /// <returns><see langword="false"/> while that cannot be told yet.</returns>
    /// <exception cref="LinuxException">It is somebody else's.</exception>
    public async Task<bool> IsOursAsync(MeshView view, Device device, CancellationToken cancellationToken)
    {
        if (!_isOurs)
        {
            _isOurs = await JudgeAsync(view, device, cancellationToken) switch
            {
                DeviceOwner.Ours => true,
                DeviceOwner.Unknown => false,
                _ => options.TakeOver ? true : throw await RefuseAsync(view, device, cancellationToken),
            };
        }

        return _isOurs;
    }

    /// <summary>The key pair that a former silo left on the device; the caller disposes it.</summary>
    /// <param name="view">The sources.</param>
    /// <param name="name">What the device is called now.</param>
    /// <param name="device">As it was read under that name.</param>
    /// <param name="cancellationToken">Ends it between two calls.</param>
    /// <returns><see langword="null"/> if there is none, or somebody else made it and knows its private half.</returns>
    /// <exception cref="LinuxException">The device is somebody else's, or it is too early to tell, or it cannot be read.</exception>
    public async Task<KeyPair?> ReadKeyPairAsync(MeshView view, string name, Device device, CancellationToken cancellationToken) =>
        device.PublicKey is null ? null : await JudgeAsync(view, device, cancellationToken) switch
        {
            DeviceOwner.Ours => await devices.GetKeyPairAsync(name, cancellationToken),
            DeviceOwner.Unknown => throw new LinuxException(
                $"adopt {deviceName}", 0, "the node source has not answered yet, so nobody knows whose peers these are"),
            _ => options.TakeOver ? null : throw await RefuseAsync(view, device, cancellationToken),
        };

    /// <summary>Whose the device is, by what is on it.</summary>
    public async Task<DeviceOwner> JudgeAsync(MeshView view, Device device, CancellationToken cancellationToken) => DeviceOwnership.Judge(
        device, view.NodeName, view.Roster, view.Announcements, await FormerTables.ReadAllRoutesAsync(links, cancellationToken));

    private async Task<LinuxException> RefuseAsync(MeshView view, Device device, CancellationToken cancellationToken) => new(
        $"adopt {deviceName}",
        0,
        DeviceOwnership.Describe(device, view.Roster, view.Announcements, await FormerTables.ReadAllRoutesAsync(links, cancellationToken)));
}
