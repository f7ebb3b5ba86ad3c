namespace Orleans.WireGuard.Tests.Support;

/// <summary>The machine's clock as it would be if somebody had set it wrong. Timestamps and timers are the machine's.</summary>
/// <param name="start">What it says at first.</param>
internal sealed class ShiftedTime(DateTimeOffset start) : TimeProvider
{
    private readonly TimeSpan _offset = start - System.GetUtcNow();

    /// <inheritdoc/>
    public override DateTimeOffset GetUtcNow() => System.GetUtcNow() + _offset;
}
