using Microsoft.Extensions.Diagnostics.HealthChecks;
using Orleans.WireGuard.Supervision;

namespace Orleans.WireGuard.Silo.Web;

/// <summary>A problem as a result.</summary>
internal static class Health
{
    /// <summary>Unhealthy with a problem, degraded with a note, healthy with neither.</summary>
    public static HealthCheckResult Of(string? problem, string? note = null) => problem is not null ? HealthCheckResult.Unhealthy(problem)
        : note is not null ? HealthCheckResult.Degraded(note) : HealthCheckResult.Healthy();

    /// <summary>What a probe reads: <c>ready</c> unless there is a problem, then a line for each problem and note.</summary>
    public static string Describe(HealthReport report) => (report.Status == HealthStatus.Unhealthy ? "" : "ready\n")
        + string.Concat(report.Entries.Values.Where(entry => entry.Status != HealthStatus.Healthy)
            .Select(entry => Printable.Line(entry.Description) + "\n"));
}
