using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Time.Testing;
using Orleans.WireGuard.Silo.Web;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.Unit.Hosting;

public sealed class ReadinessLogTests : IDisposable
{
    private readonly FakeTimeProvider _time = new(TestMesh.Start);
    private readonly LogRecorder _log = new();
    private readonly LoggerFactory _loggers;
    private readonly ReadinessLog _readiness;

    public ReadinessLogTests()
    {
        _loggers = new LoggerFactory([_log]);
        _readiness = new ReadinessLog(_time, _loggers.CreateLogger<ReadinessLog>());
    }

    public void Dispose()
    {
        _loggers.Dispose();
        _log.Dispose();
    }

    // A start is no fault.
    [Fact]
    public void Note_Start_SaysEachReasonOnceAndWhenItIsReady()
    {
        Probe(HealthStatus.Unhealthy, "has no key yet");
        Probe(HealthStatus.Unhealthy, "has no key yet");
        Probe(HealthStatus.Unhealthy, "node-2 has not accepted it");
        Probe(HealthStatus.Healthy);
        Probe(HealthStatus.Healthy);
        Assert.Equal(
            [
                "Information: Not ready: mesh: has no key yet (1 probes since the last such line)",
                "Information: Not ready: mesh: node-2 has not accepted it (1 probes since the last such line)",
                "Information: Nothing speaks against being ready any more in check mesh, after 00:00:03",
                "Information: Ready",
            ],
            _log.Lines);
    }

    [Fact]
    public void Note_ReadyBefore_WarnsOnceAMinute()
    {
        Probe(HealthStatus.Healthy);
        for (var i = 0; i < 90; i++)
        {
            Probe(HealthStatus.Unhealthy, "the device is gone");
        }

        Probe(HealthStatus.Healthy);
        Assert.Equal(
            [
                "Information: Ready",
                "Warning: Not ready: mesh: the device is gone (1 probes since the last such line)",
                "Warning: Not ready: mesh: the device is gone (60 probes since the last such line)",
                "Information: Nothing speaks against being ready any more in check mesh, after 00:01:30",
            ],
            _log.Lines);
    }

    [Fact]
    public void Note_StartThatLasts_Warns()
    {
        Probe(HealthStatus.Unhealthy, "waits for the API server");
        _time.Advance(ReadinessLog.StartTime);
        Probe(HealthStatus.Unhealthy, "waits for the API server");
        Assert.StartsWith("Information: ", _log.Lines[0], StringComparison.Ordinal);
        Assert.StartsWith("Warning: Not ready: mesh: waits", _log.Lines[1], StringComparison.Ordinal);
    }

    [Fact]
    public void Note_CheckThrew_HasTheTraceOnce()
    {
        var fault = new InvalidOperationException("no luck");
        Probe(HealthStatus.Unhealthy, fault.Message, fault);
        _time.Advance(TimeSpan.FromMinutes(1));
        Probe(HealthStatus.Unhealthy, fault.Message, fault);
        Assert.Equal(2, _log.Lines.Count);
        Assert.Same(fault, Assert.Single(_log.Exceptions));
    }

    // What others tell must not be able to write lines of its own.
    [Fact]
    public void Note_NoteWithLineBreak_IsReadyAndOneLine()
    {
        Probe(HealthStatus.Degraded, "node-9 says\nReady");
        Assert.Equal(2, _log.Lines.Count);
        Assert.StartsWith("Warning: Ready, but mesh: node-9 says", _log.Lines[0], StringComparison.Ordinal);
        Assert.DoesNotContain('\n', _log.Lines[0]);
    }

    // A probe a second.
    private void Probe(HealthStatus status, string? description = null, Exception? exception = null)
    {
        var entry = new HealthReportEntry(status, description, TimeSpan.Zero, exception, data: null);
        _readiness.Note(new HealthReport(new Dictionary<string, HealthReportEntry> { ["mesh"] = entry }, TimeSpan.Zero));
        _time.Advance(TimeSpan.FromSeconds(1));
    }
}
