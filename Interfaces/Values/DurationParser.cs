using System.Globalization;

namespace Orleans.WireGuard;

/// <summary>Durations as people type them: <c>90s</c>, <c>10m</c>, <c>2h</c>. Pure.</summary>
internal static class DurationParser
{
    /// <summary>Parses a whole number and its unit.</summary>
    /// <returns><see langword="null"/> if it is something else, or longer than a <see cref="TimeSpan"/>.</returns>
    public static TimeSpan? TryParse(string text)
    {
        if (text.Length < 2 || !int.TryParse(text.AsSpan(..^1), NumberStyles.None, CultureInfo.InvariantCulture, out var number))
        {
            return null;
        }

        var unit = text[^1] switch
        {
            's' => TimeSpan.TicksPerSecond,
            'm' => TimeSpan.TicksPerMinute,
            'h' => TimeSpan.TicksPerHour,
            _ => 0,
        };
        return unit > 0 && number <= TimeSpan.MaxValue.Ticks / unit ? TimeSpan.FromTicks(number * unit) : null;
    }
}
