using System.Globalization;

namespace Orleans.WireGuard.LocalMesh.Demo;

/// <summary>Numbers of the demo as people read them.</summary>
internal static class DemoFormat
{
    /// <summary>How long something has lasted; a dash for unknown.</summary>
    public static string Age(TimeSpan? age) => age is { } known ? Format.Duration(known) : "-";

    /// <summary>Answered pings of those sent, in per cent.</summary>
    public static string Answered(Probes.PingReport report) =>
        report.Sent == 0 ? "-" : string.Create(CultureInfo.InvariantCulture, $"{100 - report.LossPercent:0} %");
}
