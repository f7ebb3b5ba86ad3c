namespace Orleans.WireGuard.Silo.Agent;

/// <summary>A clock that nobody sets: the time at its start, and what has passed since. For how long something has been so, not for what people read.</summary>
internal sealed class SteadyClock(TimeProvider timeProvider)
{
    private readonly DateTimeOffset _startedAt = timeProvider.GetUtcNow();
    private readonly long _start = timeProvider.GetTimestamp();

    /// <summary>The time by it.</summary>
    public DateTimeOffset Now => _startedAt + timeProvider.GetElapsedTime(_start);
}
