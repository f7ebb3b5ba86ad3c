using System.Globalization;

namespace Orleans.WireGuard.LocalMesh.Setup;

/// <summary>Reads a rotation period as people write one: <c>5s</c>, <c>2m</c>, <c>1h</c>, <c>120</c> (seconds), <c>00:00:10</c>.</summary>
internal static class PeriodParser
{
    /// <summary>Shorter ones leave no time for a handshake between two rotations.</summary>
    public static readonly TimeSpan Min = TimeSpan.FromSeconds(1);

    /// <summary>Longer ones are typing errors.</summary>
    public static readonly TimeSpan Max = TimeSpan.FromDays(1);

    /// <summary>Parses, or says what was expected.</summary>
    /// <exception cref="FormatException">The text is not a period, or it is out of range.</exception>
    public static TimeSpan Parse(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        var period = TryRead(text.Trim()) ?? throw new FormatException(
            $"'{text}' is not a period: expected whole seconds, minutes or hours such as 5s, 2m, 1h, 120 or 00:00:10.");
        return period >= Min && period <= Max
            ? period
            : throw new FormatException($"A period of {text} is out of range: expected 1 second to 24 hours.");
    }

    private static TimeSpan? TryRead(string text)
    {
        if (text.Contains(':'))
        {
            return TimeSpan.TryParseExact(text, ["hh\\:mm\\:ss", "h\\:mm\\:ss"], CultureInfo.InvariantCulture, out var period) ? period : null;
        }

        return DurationParser.TryParse(text.Length > 0 && char.IsAsciiDigit(text[^1]) ? text + "s" : text);
    }
}
