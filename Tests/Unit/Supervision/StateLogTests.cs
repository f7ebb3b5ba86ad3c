using Microsoft.Extensions.Time.Testing;
using Orleans.WireGuard.Supervision;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.Unit.Supervision;

/// <summary>What lasts is said when it begins, once a minute, and when it is over.</summary>
public sealed class StateLogTests
{
    private readonly FakeTimeProvider _time = new(TestMesh.Start);
    private readonly StateLog _log;

    public StateLogTests() => _log = new StateLog(_time);

    [Fact]
    public void Note_EverySecondForTwoMinutes_IsThreeLinesAndAnEnd()
    {
        var lines = new List<StateLine>();
        for (var second = 0; second <= 120; second++)
        {
            if (_log.Note("node-2", "gone") is { } line)
            {
                lines.Add(line);
            }

            _time.Advance(TimeSpan.FromSeconds(1));
        }

        // A stack trace is worth its lines the first time.
        Assert.Equal([new StateLine(1, true), new StateLine(60, false), new StateLine(60, false)], lines);
        Assert.Equal(new StateEnd(121, TimeSpan.FromSeconds(121)), _log.End("node-2"));
        Assert.Null(_log.End("node-2"));
    }

    // It fails and works in turns: neither half is news every second.
    // Nodes that left while something was wrong with them have no end; they must not keep those that come from having one.
    [Fact]
    public void Note_ManyThatNeverEnd_AreForgottenForNewOnes()
    {
        for (var node = 0; node < LogPace.MaxReasons; node++)
        {
            _ = _log.Note(TestMesh.Name(node), "gone");
        }

        _time.Advance(LogPace.Interval);
        Assert.NotNull(_log.Note("node-new", "gone"));
        Assert.NotNull(_log.End("node-new"));
        Assert.Null(_log.End(TestMesh.Name(1)));
    }

    [Fact]
    public void Note_ComesAndGoes_IsSaidOnceAMinute()
    {
        var (begun, ended) = (0, 0);
        for (var second = 0; second < 60; second++)
        {
            begun += _log.Note("node-2", "gone") is null ? 0 : 1;
            ended += _log.End("node-2") is null ? 0 : 1;
            _time.Advance(TimeSpan.FromSeconds(1));
        }

        Assert.Equal((1, 1), (begun, ended));
        Assert.Equal(new StateLine(60, false), _log.Note("node-2", "gone"));
    }

    [Fact]
    public void Note_OtherReasonsOfOneSubject_AreOneState()
    {
        Assert.NotNull(_log.Note("node-2", "gone"));
        Assert.NotNull(_log.Note("node-2", "deaf"));
        Assert.NotNull(_log.Note("node-3", "gone"));
        Assert.Null(_log.Note("node-2", "gone"));
        Assert.Equal(3, _log.End("node-2")?.Count);
        Assert.Equal(1, _log.End("node-3")?.Count);
        Assert.Null(_log.End("node-4"));
    }
}
