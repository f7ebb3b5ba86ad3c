using Microsoft.Extensions.Diagnostics.HealthChecks;
using Orleans.WireGuard.Supervision;

namespace Orleans.WireGuard.Silo.Web;

/// <summary>
/// Says in the log why the silo is not ready, as a state and not at every probe. What passes within <see cref="StartTime"/> before it is
/// ready for the first time is a start, and no warning.
/// </summary>
internal sealed partial class ReadinessLog(TimeProvider timeProvider, ILogger<ReadinessLog> logger)
{
    /// <summary>How long a start may take without a warning.</summary>
    public static readonly TimeSpan StartTime = TimeSpan.FromMinutes(2);

    private readonly StateLog _states = new(timeProvider);
    private readonly long _madeAt = timeProvider.GetTimestamp();
    private volatile bool _wasReady;

    /// <summary>Notes what a probe was told.</summary>
    public void Note(HealthReport report)
    {
        var isReady = report.Status != HealthStatus.Unhealthy;
        var isStart = !isReady && !_wasReady && timeProvider.GetElapsedTime(_madeAt) < StartTime;
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
                var (level, problem) = (isStart ? LogLevel.Information : LogLevel.Warning, Printable.Line(entry.Description));
                LogState(logger, level, line.IsNew ? entry.Exception : null, isReady ? "Ready, but" : "Not ready:", check, problem, line.Count);
            }
        }

        if (isReady && !_wasReady)
        {
            _wasReady = true;
            LogReady(logger);
        }
    }

    [LoggerMessage(Message = "{State} {Check}: {Problem} ({Count} probes since the last such line)")]
    private static partial void LogState(
        ILogger logger, LogLevel level, Exception? exception, string state, string check, string problem, long count);

    [LoggerMessage(Level = LogLevel.Information, Message = "Nothing speaks against being ready any more in check {Check}, after {Duration}")]
    private static partial void LogOver(ILogger logger, string check, TimeSpan duration);

    [LoggerMessage(Level = LogLevel.Information, Message = "Ready")]
    private static partial void LogReady(ILogger logger);
}
