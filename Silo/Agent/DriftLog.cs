using Orleans.WireGuard.Supervision;

namespace Orleans.WireGuard.Silo.Agent;

/// <summary>Counts what others changed since the silo started, and says it in the log.</summary>
internal sealed partial class DriftLog(TimeProvider timeProvider, ILogger logger)
{
    private readonly SortedDictionary<DriftKind, DriftCount> _counts = [];
    private readonly LogPace _pace = new(timeProvider);
    private EquatableArray<DriftCount> _snapshot = [];

    /// <summary>By kind. Read it on the thread that notes.</summary>
    public EquatableArray<DriftCount> Counts => _snapshot;

    /// <summary>Notes changes that are about to be repaired.</summary>
    public void Note(IReadOnlyList<Drift> drifts)
    {
        if (drifts.Count == 0)
        {
            return;
        }

        foreach (var drift in drifts)
        {
            var count = _counts.TryGetValue(drift.Kind, out var last) ? last.Count + 1 : 1;
            _counts[drift.Kind] = new DriftCount(drift.Kind, count, drift.Subject, timeProvider.GetUtcNow());
        }

        _snapshot = _counts.Values.ToEquatableArray();

        // A device of 5,000 peers that somebody cleared is one line for each kind, not 5,000.
        foreach (var kind in drifts.GroupBy(drift => drift.Kind))
        {
            // And whoever changes the same thing again and again is said once a minute.
            var (number, subject) = (kind.Count(), kind.First().Subject);
            if (_pace.Note(kind.Key.ToString(), subject) is > 0 and var times)
            {
                LogDrift(logger, kind.Key, number, subject, times);
            }
        }
    }

    [LoggerMessage(
        Level = LogLevel.Warning,
        Message = "Somebody else changed what this silo configures: {Kind}, {Number} times, first {Subject}. It is repaired now; find out who it was ({Times} repairs since the last such line)")]
    private static partial void LogDrift(ILogger logger, DriftKind kind, int number, string subject, long times);
}
