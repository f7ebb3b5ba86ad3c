namespace Orleans.WireGuard.Tests.Unit.Rotation.Simulation;

/// <summary>The clock of a node: virtual time and the node's skew. Timers of a silo end with it.</summary>
internal sealed class SimulatedClock(Simulation simulation, SimulatedMachine machine) : TimeProvider
{
    /// <summary>Whether the silo runs.</summary>
    public bool IsRunning { get; private set; } = true;

    /// <inheritdoc/>
    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    /// <inheritdoc/>
    public override DateTimeOffset GetUtcNow() => machine.Time;

    /// <inheritdoc/>
    public override long GetTimestamp() => simulation.Now.Ticks;

    /// <summary>From now on nothing of this silo happens any more.</summary>
    public void Stop() => IsRunning = false;

    /// <summary>Does something later, if the silo still runs then.</summary>
    public void Schedule(TimeSpan delay, Action action) => simulation.Schedule(delay, () =>
    {
        if (IsRunning)
        {
            action();
        }
    });

    /// <inheritdoc/>
    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        var timer = new SimulatedTimer(this, () => callback(state));
        _ = timer.Change(dueTime, period);
        return timer;
    }
}

/// <summary>A timer, also that of a grain.</summary>
internal sealed class SimulatedTimer(SimulatedClock clock, Action callback) : ITimer, IGrainTimer
{
    private int _generation;

    /// <inheritdoc/>
    public bool Change(TimeSpan dueTime, TimeSpan period)
    {
        var generation = ++_generation;
        if (dueTime != Timeout.InfiniteTimeSpan)
        {
            clock.Schedule(dueTime, () => Fire(generation, period));
        }

        return true;
    }

    /// <inheritdoc/>
    void IGrainTimer.Change(TimeSpan dueTime, TimeSpan period) => Change(dueTime, period);

    /// <inheritdoc/>
    public void Dispose() => _generation++;

    /// <inheritdoc/>
    public ValueTask DisposeAsync()
    {
        Dispose();
        return ValueTask.CompletedTask;
    }

    private void Fire(int generation, TimeSpan period)
    {
        if (generation != _generation)
        {
            return;
        }

        if (period > TimeSpan.Zero)
        {
            _ = Change(period, period);
        }

        callback();
    }
}
