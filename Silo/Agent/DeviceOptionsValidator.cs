using Microsoft.Extensions.Options;
using Orleans.WireGuard.Grains.Checks;
using Orleans.WireGuard.Linux.Devices;

namespace Orleans.WireGuard.Silo.Agent;

/// <summary>Checks <see cref="DeviceOptions"/>.</summary>
internal sealed class DeviceOptionsValidator : IValidateOptions<DeviceOptions>
{
    private const int MinMtu = 576;
    private const int MaxNameLength = 15;
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
        .Holds(
            options.Names.Count is 0 or 2 && options.Names.All(IsName) && options.Names.Distinct().Count() == options.Names.Count,
            $"Device:Names must be empty or two different names of links that begin with '{DeviceNames.Prefix}' and have at most 15 characters, such as cilium_wg1 and cilium_wg2, not '{string.Join("', '", options.Names)}'.")
        .Holds(options.UserspaceCommand is { Length: > 0 }, "Device:UserspaceCommand is empty; name the userspace implementation, such as wireguard-go.")
        .Result;

    // What the kernel and a path take; IFNAMSIZ counts a zero behind it.
    private static bool IsName(string name) =>
        name.StartsWith(DeviceNames.Prefix, StringComparison.Ordinal) && name.Length > DeviceNames.Prefix.Length
        && name.Length <= MaxNameLength && name.All(c => char.IsAsciiLetterOrDigit(c) || c is '_' or '-' or '.');

    private static string Describe(string member, TimeSpan value) =>
        $"Device:{member} must be whole seconds from 0 to {ushort.MaxValue}, such as 00:00:25, not {value}.";
}
