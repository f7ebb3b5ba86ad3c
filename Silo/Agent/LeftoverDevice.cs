using Orleans.WireGuard.Grains.Clocks;
using Orleans.WireGuard.Grains.Rotation;
using Orleans.WireGuard.Linux.Devices;
using Orleans.WireGuard.Linux.Routing;

namespace Orleans.WireGuard.Silo.Agent;

/// <summary>
/// Removes the device of slot 1 where a former silo of this node used two slots and this one uses one: its private key would stay for ever.
/// </summary>
/// <remarks>
/// <code>
/// start ─▶ routes lead through it ─▶ synced: the peers' routes move to slot 0 ─▶ nothing came in for the grace period ─▶ removed
/// </code>
/// A peer moves when it hears that this node has one slot left. One whose silo is away does not hear it, and is waited for as long as a key
/// may become old. Not thread-safe: the agent runs one pass at a time.
/// </remarks>
internal sealed partial class LeftoverDevice(
    string deviceName, IWireGuardClient devices, RotationOptions rotation, TimeProvider timeProvider, ILogger logger)
{
    private bool _isOver = rotation.Slots == Slot.Count;
    private bool _isOurs;
    private SteadyTime? _foundAt;
    private SteadyTime _quietSince;
    private long _received;

    /// <summary>Removes it if it is there, it is ours, and nobody needs it any more. Called in every pass.</summary>
    /// <param name="view">The sources.</param>
    /// <param name="routes">The routes of our table as they are.</param>
    /// <param name="cancellationToken">Ends it between two calls.</param>
    public async Task RemoveIfUnusedAsync(MeshView view, EquatableArray<Route> routes, CancellationToken cancellationToken)
    {
        if (_isOver)
        {
            return;
        }

        if (await devices.TryGetDeviceAsync(deviceName, cancellationToken) is not { } device)
        {
            _isOver = true;
            return;
        }

        // Asked while its routes are there, because they tell whose it is.
        if (IsOurs(device, view, routes) && view.MayRemove && !routes.Any(route => route.DeviceName == deviceName) && IsUnused(device))
        {
            await devices.DeleteDeviceAsync(deviceName, cancellationToken);
            _isOver = true;
            LogRemoved(logger, deviceName);
        }
    }

    private bool IsOurs(Device device, MeshView view, EquatableArray<Route> routes)
    {
        var owner = _isOurs ? DeviceOwner.Ours : DeviceOwnership.Judge(device, view.NodeName, view.Roster, view.Announcements, routes);
        _isOurs = owner == DeviceOwner.Ours;
        if (owner == DeviceOwner.SomebodyElse)
        {
            _isOver = true;
            LogLeft(logger, deviceName);
        }

        return _isOurs;
    }

    private bool IsUnused(Device device)
    {
        var now = SteadyTime.Now(timeProvider);
        var received = device.Peers.Sum(peer => peer.ReceiveBytes);
        if (_foundAt is null || received != _received)
        {
            (_foundAt, _quietSince, _received) = (_foundAt ?? now, now, received);
        }

        return now - _quietSince >= rotation.GracePeriod || now - _foundAt >= rotation.EffectiveMaxKeyAge;
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "Removed {Device} with its key: this silo uses one slot (Rotation:Slots)")]
    private static partial void LogRemoved(ILogger logger, string device);

    [LoggerMessage(Level = LogLevel.Information, Message = "Left {Device}, which this silo does not use: somebody else configures it")]
    private static partial void LogLeft(ILogger logger, string device);
}
