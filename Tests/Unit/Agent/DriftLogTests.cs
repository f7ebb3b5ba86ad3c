using Microsoft.Extensions.Time.Testing;
using Orleans.WireGuard.Silo.Agent;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.Unit.Agent;

/// <summary>Every change by others counts; whoever makes the same one again and again is said once a minute.</summary>
public sealed class DriftLogTests : IDisposable
{
    private static readonly Drift Endpoint = new(DriftKind.EndpointChanged, "AAAA");

    private readonly FakeTimeProvider _time = new(TestMesh.Start);
    private readonly LogRecorder _logs = new();
    private readonly DriftLog _drifts;

    public DriftLogTests() => _drifts = new DriftLog(_time, _logs);

    public void Dispose() => _logs.Dispose();

    [Fact]
    public void Note_TheSameEverySecond_IsCountedEachTimeAndSaidOnceAMinute()
    {
        for (var second = 0; second < 90; second++)
        {
            _drifts.Note([Endpoint]);
            _time.Advance(TimeSpan.FromSeconds(1));
        }

        Assert.Equal(90, Assert.Single(_drifts.Counts).Count);
        Assert.Equal(2, _logs.Lines.Count);
        Assert.Contains("(60 repairs since the last such line)", _logs.Lines[^1], StringComparison.Ordinal);
    }

    [Fact]
    public void Note_AnotherKindOrSubject_IsSaidAtOnce()
    {
        _drifts.Note([Endpoint, Endpoint with { Subject = "BBBB" }]);
        _drifts.Note([Endpoint with { Subject = "BBBB" }]);
        _drifts.Note([new Drift(DriftKind.LinkDown, "cilium_wg0")]);
        Assert.Equal(3, _logs.Lines.Count);
        Assert.Contains("EndpointChanged, 2 times, first AAAA", _logs.Lines[0], StringComparison.Ordinal);
    }
}
