namespace Orleans.WireGuard.Supervision;

/// <summary>
/// Says a lasting fault as what it is, a state: a line when it begins, one a minute while it lasts (<see cref="LogPace"/>), and one when it
/// is over. Whoever tries again every second has nothing new to say each time.
/// </summary>
/// <param name="timeProvider">The clock.</param>
internal sealed class StateLog(TimeProvider timeProvider)
{
    private readonly Lock _lock = new();
    private readonly LogPace _pace = new(timeProvider);
    private readonly Dictionary<string, State> _states = [];

    /// <summary>Notes that it is so, once more.</summary>
    /// <param name="subject">Whom it is about.</param>
    /// <param name="reason">Why, without what differs from one time to the next.</param>
    /// <returns>What a line has to say; <see langword="null"/> if it is not worth one now.</returns>
    public StateLine? Note(string subject, string reason)
    {
        lock (_lock)
        {
            var now = timeProvider.GetTimestamp();
            var isNew = !_pace.IsKnown(subject, reason);
            var count = _pace.Note(subject, reason);
            if (_states.TryGetValue(subject, out var state))
            {
                _states[subject] = state with { NotedAt = now, Count = state.Count + 1, IsSaid = state.IsSaid || count > 0 };
            }
            else if (_states.Count < LogPace.MaxReasons || ForgetOld(now))
            {
                _states.Add(subject, new State(now, now, 1, count > 0));
            }

            return count > 0 ? new StateLine(count, isNew) : null;
        }
    }

    /// <summary>Notes that it is over.</summary>
    /// <param name="subject">Whom it was about.</param>
    /// <returns>How often and for how long it was so; <see langword="null"/> if no line said that it was.</returns>
    public StateEnd? End(string subject)
    {
        lock (_lock)
        {
            return _states.Remove(subject, out var state) && state.IsSaid
                ? new StateEnd(state.Count, timeProvider.GetElapsedTime(state.Since))
                : null;
        }
    }

    // Of whom nobody speaks any more, because it is gone, there is no end either.
    private bool ForgetOld(long now)
    {
        foreach (var (subject, state) in _states.Where(state => timeProvider.GetElapsedTime(state.Value.NotedAt, now) >= LogPace.Interval)
            .ToList())
        {
            _states.Remove(subject);
        }

        return _states.Count < LogPace.MaxReasons;
    }

    private readonly record struct State(long Since, long NotedAt, long Count, bool IsSaid);
}

/// <summary>A line about a state that lasts.</summary>
/// <param name="Count">How often it came since the last line, this time included.</param>
/// <param name="IsNew">Whether nothing has been said of this reason; only then is a stack trace worth its lines.</param>
internal readonly record struct StateLine(long Count, bool IsNew);

/// <summary>A state that is over.</summary>
/// <param name="Count">How often it came.</param>
/// <param name="Duration">For how long.</param>
internal readonly record struct StateEnd(long Count, TimeSpan Duration);
