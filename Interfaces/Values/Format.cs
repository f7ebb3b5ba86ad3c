using System.Globalization;

namespace Orleans.WireGuard;

/// <summary>How times and amounts are printed for people, in the manner of <c>wg(8)</c>.</summary>
internal static class Format
{
    private static readonly string[] Units = ["B", "KiB", "MiB", "GiB", "TiB"];

    /// <summary>A duration in its two largest units: <c>1 h 5 min</c>, <c>2 min 3 s</c>, <c>4.2 s</c>.</summary>
    public static string Duration(TimeSpan duration) => duration switch
    {
        { TotalDays: >= 1 } => Invariant($"{(int)duration.TotalDays} d {duration.Hours} h"),
        { TotalHours: >= 1 } => Invariant($"{duration.Hours} h {duration.Minutes} min"),
        { TotalMinutes: >= 1 } => Invariant($"{duration.Minutes} min {duration.Seconds} s"),
        { TotalSeconds: >= 10 } => Invariant($"{duration.Seconds} s"),
        _ => Invariant($"{Math.Max(0, duration.TotalSeconds):0.0} s"),
    };

    /// <summary>How long ago, or <c>never</c>.</summary>
    public static string Ago(DateTimeOffset? time, DateTimeOffset now) => time is { } moment ? $"{Duration(now - moment)} ago" : "never";

    /// <summary>An amount of bytes: <c>999 B</c>, <c>1.5 KiB</c>.</summary>
    public static string Bytes(long bytes)
    {
        var (amount, unit) = ((double)bytes, 0);
        for (; amount >= 1024 && unit < Units.Length - 1; unit++)
        {
            amount /= 1024;
        }

        return unit == 0 ? Invariant($"{bytes} B") : Invariant($"{amount:0.0} {Units[unit]}");
    }

    private static string Invariant(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
