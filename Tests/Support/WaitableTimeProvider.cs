using System.Threading.Channels;
using Microsoft.Extensions.Time.Testing;

namespace Orleans.WireGuard.Tests.Support;

/// <summary>
/// A clock that the test moves, and that tells the test when somebody begins to wait for it. Moving it before that would be lost: the wait
/// would begin at the new time.
/// </summary>
internal sealed class WaitableTimeProvider(DateTimeOffset start) : FakeTimeProvider(start)
{
    private readonly Channel<TimeSpan> _waits = Channel.CreateUnbounded<TimeSpan>();

    /// <summary>How far the clock was set forward, or back. Timestamps and timers go on.</summary>
    public TimeSpan SetBy { get; set; }

    /// <inheritdoc/>
    public override DateTimeOffset GetUtcNow() => base.GetUtcNow() + SetBy;

    // The base takes it from the clock.
    /// <inheritdoc/>
    public override long GetTimestamp() => base.GetUtcNow().Ticks;

    /// <inheritdoc/>
    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        var timer = base.CreateTimer(callback, state, dueTime, period);
        _waits.Writer.TryWrite(dueTime);
        return timer;
    }

    /// <summary>The next wait that began, in order of their beginning.</summary>
    /// <returns>How long it will be.</returns>
    public ValueTask<TimeSpan> NextWaitAsync(CancellationToken cancellationToken) => _waits.Reader.ReadAsync(cancellationToken);
}
