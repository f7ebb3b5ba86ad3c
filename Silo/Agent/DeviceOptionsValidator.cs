using Microsoft.Extensions.Options;
using Orleans.WireGuard.Grains.Checks;
using Orleans.WireGuard.Linux.Devices;

namespace Orleans.WireGuard.Silo.Agent;

/// <summary>Checks <see cref="DeviceOptions"/>.</summary>
internal sealed class DeviceOptionsValidator : IValidateOptions<DeviceOptions>
{
    private const int MinMtu = 576;
    private const int MaxMtu = ushort.MaxValue - MtuCalculator.IPv6Overhead;

    /// <inheritdoc/>
    public ValidateOptionsResult Validate(string? name, DeviceOptions options) => new RangeCheck(DeviceOptions.SectionName)
        .Within(options.ListenPort, 1, ushort.MaxValue - 1, nameof(options.ListenPort))
        .Within(options.ResyncInterval, TimeSpan.FromSeconds(1), TimeSpan.FromMinutes(10), nameof(options.ResyncInterval))
        .Within(options.PollInterval, TimeSpan.FromMilliseconds(100), TimeSpan.FromMinutes(10), nameof(options.PollInterval))
        .Holds(options.Mtu is 0 or (>= MinMtu and <= MaxMtu), $"Device:Mtu must be 0 or from {MinMtu} to {MaxMtu}, not {options.Mtu}.")
        .Holds(
            KeepaliveInterval.IsValid(options.PersistentKeepalive),
            Describe(nameof(options.PersistentKeepalive), options.PersistentKeepalive))
        .Holds(
            options.PersistentKeepaliveOf.Values.All(KeepaliveInterval.IsValid),
            Describe(
                nameof(options.PersistentKeepaliveOf),
                options.PersistentKeepaliveOf.Values.FirstOrDefault(value => !KeepaliveInterval.IsValid(value))))
        .Holds(options.UserspaceCommand is { Length: > 0 }, "Device:UserspaceCommand is empty; name the userspace implementation, such as wireguard-go.")
        .Result;

    private static string Describe(string member, TimeSpan value) =>
        $"Device:{member} must be whole seconds from 0 to {ushort.MaxValue}, such as 00:00:25, not {value}.";
}
