namespace Orleans.WireGuard.Linux.Devices;

/// <summary>A persistent keepalive as WireGuard keeps it: whole seconds in 16 bits (linux/wireguard.h), 0 for off.</summary>
public static class KeepaliveInterval
{
    /// <summary>18 hours, 12 minutes and 15 seconds.</summary>
    public static TimeSpan Max { get; } = TimeSpan.FromSeconds(ushort.MaxValue);

    /// <summary>Whether a device can have it.</summary>
    public static bool IsValid(TimeSpan interval) =>
        interval >= TimeSpan.Zero && interval <= Max && interval.Ticks % TimeSpan.TicksPerSecond == 0;

    /// <summary>As a device is told.</summary>
    /// <exception cref="ArgumentOutOfRangeException">A device cannot have it.</exception>
    public static ushort ToSeconds(TimeSpan interval) => IsValid(interval)
        ? (ushort)interval.TotalSeconds
        : throw new ArgumentOutOfRangeException(
            nameof(interval), interval, $"A keepalive interval is a whole number of seconds from 0 to {ushort.MaxValue}.");
}
