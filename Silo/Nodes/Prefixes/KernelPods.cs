using System.Net;
using Orleans.WireGuard.Grains.Clocks;
using Orleans.WireGuard.Linux;
using Orleans.WireGuard.Linux.Routing;
using Orleans.WireGuard.Silo.Findings;
using Orleans.WireGuard.Supervision;

namespace Orleans.WireGuard.Silo.Nodes.Prefixes;

/// <summary>Follows what the kernel shows of this node's pods.</summary>
/// <param name="dump">Reads the kernel.</param>
/// <param name="ranges">Where pods have their addresses; merged.</param>
/// <param name="isSource">Whether others are told what the kernel shows, which is then in a hurry.</param>
/// <param name="nodeAddresses">Where this node is reached.</param>
/// <param name="timeProvider">Clock of the pauses.</param>
/// <param name="logger">Hears that the kernel cannot be read.</param>
internal sealed partial class KernelPods(
    INetworkDump dump,
    EquatableArray<IPPrefix> ranges,
    bool isSource,
    Func<IReadOnlyCollection<IPAddress>> nodeAddresses,
    TimeProvider timeProvider,
    ILogger logger)
{
    private readonly Lock _lock = new();
    private readonly AsyncSignal _heard = new();
    private readonly StateLog _failing = new(timeProvider);
    private volatile KernelView? _current;
    private volatile string? _problem;
    private PodNews _news;
    private SteadyTime _newsAt;
    private SteadyTime _readAt;
    private TimeSpan _cost;

    /// <summary>Raised when <see cref="Current"/> or <see cref="Problem"/> changed. Handlers only note it.</summary>
    public event Action? Changed;

    /// <summary>What it showed; <see langword="null"/> until it was read.</summary>
    public KernelView? Current => _current;

    /// <summary>Why it could not be read the last time; <see langword="null"/> if it could.</summary>
    public string? Problem => _problem;

    /// <summary>How often it was read.</summary>
    public int Reads { get; private set; }

    /// <summary>Notes what the kernel told. For every thread.</summary>
    public void Hear(PodNews news)
    {
        lock (_lock)
        {
            if (_news == PodNews.None)
            {
                _newsAt = SteadyTime.Now(timeProvider);
            }
            else if ((_news | news) == _news)
            {
                return;
            }

            _news |= news;
        }

        _heard.Set();
    }

    /// <summary>Reads it when it is time, until cancelled.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        while (!cancellationToken.IsCancellationRequested)
        {
            var heard = _heard.Next;
            if (Reads > 0 && DueIn() is var pause && pause > TimeSpan.Zero)
            {
                await Task.WhenAny(heard, Task.Delay(pause, timeProvider, cancellationToken));
                continue;
            }

            await ReadAsync(cancellationToken);
        }
    }

    private TimeSpan DueIn()
    {
        lock (_lock)
        {
            var now = SteadyTime.Now(timeProvider);
            return KernelPace.DueIn(_news, now - _newsAt, now - _readAt, _cost, isSource);
        }
    }

    private async Task ReadAsync(CancellationToken cancellationToken)
    {
        var began = SteadyTime.Now(timeProvider);
        lock (_lock)
        {
            _news = PodNews.None;
        }

        try
        {
            var shown = await dump.ReadAsync(cancellationToken);
            var addresses = nodeAddresses();
            var pods = LocalPods.Find(shown, KernelPrefixes.FindUnderlay(shown, addresses));
            Publish(new KernelView(pods.ToEquatableArray(), KernelPrefixes.Find(shown, pods, ranges, addresses)), null);
            if (_failing.End("") is { } end)
            {
                LogReadable(logger, end.Count);
            }
        }
        catch (LinuxException e)
        {
            // What was told before has not been seen. Not in a hurry, because nobody knows how long it lasts.
            lock (_lock)
            {
                (_news, _newsAt) = (_news | PodNews.Other, SteadyTime.Now(timeProvider));
            }

            Publish(_current, e.Message);
            if (_failing.Note("", e.Operation) is { } line)
            {
                LogUnreadable(logger, e.Message, line.Count);
            }
        }
        finally
        {
            lock (_lock)
            {
                _readAt = SteadyTime.Now(timeProvider);
                _cost = _readAt - began;
                Reads++;
            }
        }
    }

    private void Publish(KernelView? view, string? problem)
    {
        if (view != _current || problem != _problem)
        {
            (_current, _problem) = (view, problem);
            Changed?.Invoke();
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "Which pods are here cannot be read from the kernel; what is known is kept: {Problem} ({Count} times since the last such line)")]
    private static partial void LogUnreadable(ILogger logger, string problem, long count);

    [LoggerMessage(Level = LogLevel.Information, Message = "Which pods are here can be read again, after {Count} failures")]
    private static partial void LogReadable(ILogger logger, long count);
}
