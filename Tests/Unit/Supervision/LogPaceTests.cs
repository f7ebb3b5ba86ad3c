using Microsoft.Extensions.Time.Testing;
using Orleans.WireGuard.Supervision;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.Unit.Supervision;

/// <summary>A lasting refusal has a line when it is new and then one a minute, which says how often it came.</summary>
public sealed class LogPaceTests
{
    private readonly FakeTimeProvider _time = new(TestMesh.Start);
    private readonly LogPace _pace;

    public LogPaceTests() => _pace = new LogPace(_time);

    [Fact]
    public void Note_EverySecond_IsSaidAtFirstAndOnceAMinute()
    {
        var said = new List<long>();
        for (var second = 0; second <= 150; second++)
        {
            said.Add(_pace.Note("node-2", "BadSignature"));
            _time.Advance(TimeSpan.FromSeconds(1));
        }

        Assert.Equal([(0, 1), (60, 60), (120, 60)], said.Index().Where(line => line.Item > 0));
    }

    [Fact]
    public void Note_AnotherReasonOrNode_IsSaidAtOnce()
    {
        Assert.Equal(1, _pace.Note("node-2", "BadSignature"));
        Assert.Equal(1, _pace.Note("node-2", "ZeroKey"));
        Assert.Equal(1, _pace.Note("node-3", "BadSignature"));
        Assert.Equal(0, _pace.Note("node-2", "BadSignature"));
    }

    [Fact]
    public void Note_MoreReasonsThanItKnows_SaysNothingOfTheRestUntilOthersAreOld()
    {
        Assert.All(Enumerable.Range(0, LogPace.MaxReasons), number => Assert.Equal(1, _pace.Note("node-2", $"reason {number}")));
        Assert.Equal(0, _pace.Note("node-2", "one more"));
        _time.Advance(LogPace.Interval);
        Assert.Equal(1, _pace.Note("node-2", "one more"));
    }
}
