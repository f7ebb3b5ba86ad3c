using Orleans.WireGuard.Linux.Devices;

namespace Orleans.WireGuard.Silo.Agent;

/// <summary>
/// Removes devices that a silo with other <see cref="DeviceOptions.Names"/> left and that could not be carried over: their ports are wanted,
/// and their private keys would stay for ever.
/// </summary>
/// <remarks>
/// A device of the kernel is found by its port and gets its new name (<see cref="RenamedLink"/>), with its peers and routes. That of a
/// process answers to the name that it was started with, so it is made anew. Of former names the default ones are known. Not thread-safe:
/// the agent runs one pass at a time.
/// </remarks>
internal sealed partial class FormerDevices(IWireGuardClient devices, DeviceNames names, ILogger logger)
{
    private readonly List<string> _names = [.. DeviceNames.Default.All.Where(name => !names.Contains(name))];

    /// <summary>Removes them if they are ours. Called in every pass, before devices are made.</summary>
    /// <param name="view">The sources.</param>
    /// <param name="routes">The routes of our table as they are: they tell whose a device is.</param>
    /// <param name="cancellationToken">Ends it between two calls.</param>
    public async Task RemoveAsync(MeshView view, EquatableArray<Linux.Routing.Route> routes, CancellationToken cancellationToken)
    {
        foreach (var name in _names.ToList())
        {
            if (await devices.TryGetDeviceAsync(name, cancellationToken) is { } device)
            {
                var owner = DeviceOwnership.Judge(device, view.NodeName, view.Roster, view.Announcements, routes);
                if (owner == DeviceOwner.Unknown)
                {
                    continue;
                }

                if (owner == DeviceOwner.Ours)
                {
                    await devices.DeleteDeviceAsync(name, cancellationToken);
                    LogRemoved(logger, name);
                }
            }

            _ = _names.Remove(name);
        }
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "Removed {Device}, which a silo with other names left (Device:Names)")]
    private static partial void LogRemoved(ILogger logger, string device);
}
