using System.Globalization;

namespace Orleans.WireGuard.Silo.Cli;

/// <summary>Durations as people type them: <c>90s</c>, <c>10m</c>, <c>2h</c>. Pure.</summary>
internal static class DurationParser
{
    /// <summary>Parses a whole, positive number and its unit.</summary>
    /// <returns><see langword="null"/> if it is something else.</returns>
    public static TimeSpan? TryParse(string text)
    {
        if (text.Length < 2
            || !int.TryParse(text.AsSpan(..^1), NumberStyles.None, CultureInfo.InvariantCulture, out var number) || number == 0)
        {
            return null;
        }

        return text[^1] switch
        {
            's' => TimeSpan.FromSeconds(number),
            'm' => TimeSpan.FromMinutes(number),
            'h' => TimeSpan.FromHours(number),
            _ => null,
        };
    }
}
