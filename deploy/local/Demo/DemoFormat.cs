using System.Globalization;

namespace Orleans.WireGuard.LocalMesh.Demo;

/// <summary>Numbers of the demo as people read them.</summary>
internal static class DemoFormat
{
    private static readonly string[] Units = ["B", "KiB", "MiB", "GiB"];

    /// <summary>Seconds below two minutes, then minutes; a dash for unknown.</summary>
    public static string Age(TimeSpan? age) => age switch
    {
        null => "-",
        { TotalSeconds: < 0 } => "0 s",
        { TotalSeconds: < 120 } a => Text($"{a.TotalSeconds:0} s"),
        { } a => Text($"{a.TotalMinutes:0} min"),
    };

    /// <summary>Bytes in the largest unit that leaves a number of 1 or more.</summary>
    public static string Bytes(long bytes)
    {
        var (value, unit) = ((double)bytes, 0);
        while (value >= 1024 && unit < Units.Length - 1)
        {
            (value, unit) = (value / 1024, unit + 1);
        }

        return unit == 0 ? Text($"{bytes} B") : Text($"{value:0.0} {Units[unit]}");
    }

    /// <summary>Answered pings of those sent, in per cent.</summary>
    public static string Answered(Probes.PingReport report) => report.Sent == 0 ? "-" : Text($"{100 - report.LossPercent:0} %");

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
