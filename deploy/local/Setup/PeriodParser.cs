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
        if (!TryRead(text.Trim(), out var period))
        {
            throw new FormatException(
                $"'{text}' is not a period: expected whole seconds, minutes or hours such as 5s, 2m, 1h, 120 or 00:00:10.");
        }

        return period >= Min && period <= Max
            ? period
            : throw new FormatException($"A period of {text} is out of range: expected 1 second to 24 hours.");
    }

    private static bool TryRead(string text, out TimeSpan period)
    {
        period = default;
        if (text.Contains(':'))
        {
            return TimeSpan.TryParseExact(text, ["hh\\:mm\\:ss", "h\\:mm\\:ss"], CultureInfo.InvariantCulture, out period);
        }

        var unit = text.Length > 0 && char.IsAsciiLetterLower(text[^1]) ? text[^1] : 's';
        var digits = text.TrimEnd('s', 'm', 'h');
        if (text.Length - digits.Length > 1 || !int.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out var number))
        {
            return false;
        }

        switch (unit)
        {
            case 's':
                period = TimeSpan.FromSeconds(number);
                return true;
            case 'm':
                period = TimeSpan.FromMinutes(number);
                return true;
            case 'h':
                period = TimeSpan.FromHours(number);
                return true;
            default:
                return false;
        }
    }
}
