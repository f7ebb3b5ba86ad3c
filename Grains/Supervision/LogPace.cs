namespace Orleans.WireGuard.Supervision;

/// <summary>
/// Says how often a refusal is worth a line: what is refused for a lasting reason is refused every second. Each reason is said when it is
/// new and then once a minute, with how often it came meanwhile. Not thread-safe.
/// </summary>
/// <param name="timeProvider">The clock.</param>
internal sealed class LogPace(TimeProvider timeProvider)
{
    /// <summary>The time from one line of a reason to the next.</summary>
    public static readonly TimeSpan Interval = TimeSpan.FromMinutes(1);

    /// <summary>
    /// How many reasons are known at a time. Whoever invents more in a minute gets no line for them; they are counted elsewhere.
    /// </summary>
    public const int MaxReasons = 1_000;

    private readonly Dictionary<(string Subject, string Reason), (long SaidAt, long Unsaid)> _reasons = [];

    /// <summary>Notes that it came once more.</summary>
    /// <param name="subject">Whom it is about.</param>
    /// <param name="reason">Why, in the words that a line would have.</param>
    /// <returns>How often it came since the last line, this time included; 0 if it is not worth one now.</returns>
    public long Note(string subject, string reason)
    {
        var now = timeProvider.GetTimestamp();
        if (!_reasons.TryGetValue((subject, reason), out var last))
        {
            if (_reasons.Count >= MaxReasons)
            {
                ForgetOld(now);
            }

            return _reasons.Count < MaxReasons && _reasons.TryAdd((subject, reason), (now, 0)) ? 1 : 0;
        }

        var isDue = IsOld(last.SaidAt, now);
        _reasons[(subject, reason)] = isDue ? (now, 0) : last with { Unsaid = last.Unsaid + 1 };
        return isDue ? last.Unsaid + 1 : 0;
    }

    /// <summary>Whether the reason has been said lately, so that only how often it comes is news.</summary>
    public bool IsKnown(string subject, string reason) => _reasons.ContainsKey((subject, reason));

    private void ForgetOld(long now)
    {
        foreach (var (reason, last) in _reasons)
        {
            if (IsOld(last.SaidAt, now))
            {
                _reasons.Remove(reason);
            }
        }
    }

    private bool IsOld(long saidAt, long now) => timeProvider.GetElapsedTime(saidAt, now) >= Interval;
}
