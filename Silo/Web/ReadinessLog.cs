using Microsoft.Extensions.Diagnostics.HealthChecks;
using Orleans.WireGuard.Supervision;

namespace Orleans.WireGuard.Silo.Web;

/// <summary>
/// Says in the log why the silo is not ready, as a state and not at every probe. What comes before it is ready for the first time is a
/// start, and no warning.
/// </summary>
internal sealed partial class ReadinessLog(TimeProvider timeProvider, ILogger<ReadinessLog> logger)
{
    private readonly StateLog _states = new(timeProvider);
    private volatile bool _wasReady;

    /// <summary>Notes what a probe was told.</summary>
    public void Note(HealthReport report)
    {
        var isReady = report.Status != HealthStatus.Unhealthy;
        foreach (var (check, entry) in report.Entries)
        {
            if (entry.Status == HealthStatus.Healthy)
            {
                if (_states.End(check) is { } end)
                {
                    LogOver(logger, check, end.Duration);
                }
            }
            else if (_states.Note(check, entry.Description ?? "") is { } line)
            {
                var (level, problem) = (isReady || _wasReady ? LogLevel.Warning : LogLevel.Information, Printable.Line(entry.Description));
                LogState(logger, level, isReady ? "Ready, but" : "Not ready:", problem, line.Count);
            }
        }

        if (isReady && !_wasReady)
        {
            _wasReady = true;
            LogReady(logger);
        }
    }

    [LoggerMessage(Message = "{State} {Problem} ({Count} probes since the last such line)")]
    private static partial void LogState(ILogger logger, LogLevel level, string state, string problem, long count);

    [LoggerMessage(Level = LogLevel.Information, Message = "Nothing speaks against being ready any more in check {Check}, after {Duration}")]
    private static partial void LogOver(ILogger logger, string check, TimeSpan duration);

    [LoggerMessage(Level = LogLevel.Information, Message = "Ready")]
    private static partial void LogReady(ILogger logger);
}
