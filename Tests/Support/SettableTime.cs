namespace Orleans.WireGuard.Tests.Support;

/// <summary>A clock that can be set while timestamps go on. FakeTimeProvider takes its timestamps from the clock.</summary>
internal sealed class SettableTime : TimeProvider
{
    /// <summary>How far the clock was set forward, or back.</summary>
    public TimeSpan SetBy { get; set; }

    /// <summary>What has really passed.</summary>
    public TimeSpan Elapsed { get; set; }

    /// <inheritdoc/>
    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    /// <inheritdoc/>
    public override DateTimeOffset GetUtcNow() => TestMesh.Start + SetBy + Elapsed;

    /// <inheritdoc/>
    public override long GetTimestamp() => Elapsed.Ticks;
}
