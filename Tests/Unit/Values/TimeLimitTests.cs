using Microsoft.Extensions.Time.Testing;

namespace Orleans.WireGuard.Tests.Unit.Values;

public sealed class TimeLimitTests : IDisposable
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(5);

    private readonly FakeTimeProvider _timeProvider = new();
    private readonly CancellationTokenSource _caller = new();

    public void Dispose() => _caller.Dispose();

    [Fact]
    public void Token_TimePasses_IsCancelledAndOver()
    {
        using var limit = new TimeLimit(Limit, _timeProvider, _caller.Token);
        _timeProvider.Advance(Limit - TimeSpan.FromMilliseconds(1));
        Assert.False(limit.Token.IsCancellationRequested);
        Assert.False(limit.IsOver);

        _timeProvider.Advance(TimeSpan.FromMilliseconds(1));

        Assert.True(limit.Token.IsCancellationRequested);
        Assert.True(limit.IsOver);
    }

    [Fact]
    public void Token_CallerCancels_IsCancelledAndNotOver()
    {
        using var limit = new TimeLimit(Limit, _timeProvider, _caller.Token);

        _caller.Cancel();

        Assert.True(limit.Token.IsCancellationRequested);
        Assert.False(limit.IsOver);
    }

    [Fact]
    public void Token_NoTimeAtAll_IsCancelledAtOnce()
    {
        using var limit = new TimeLimit(TimeSpan.Zero, _timeProvider);

        Assert.True(limit.Token.IsCancellationRequested);
        Assert.True(limit.IsOver);
    }

    [Fact]
    public void Dispose_TimePassesAfterwards_NothingIsCancelled()
    {
        var limit = new TimeLimit(Limit, _timeProvider, _caller.Token);
        var token = limit.Token;
        limit.Dispose();

        _timeProvider.Advance(2 * Limit);
        _caller.Cancel();

        Assert.False(token.IsCancellationRequested);
    }
}
