using Microsoft.Extensions.Options;
using Orleans.WireGuard.Grains.Agent;
using Orleans.WireGuard.Grains.Clocks;
using Orleans.WireGuard.Keys;
using Orleans.WireGuard.Linux;
using Orleans.WireGuard.Linux.Routing;
using Orleans.WireGuard.Supervision;

namespace Orleans.WireGuard.Silo.Agent;

/// <summary>
/// The loop that keeps the local devices what they should be. Whatever happens elsewhere only notes that something changed; this reads,
/// compares and writes.
/// </summary>
/// <remarks>
/// <code>
/// announcement ─┐
/// own key ──────┼─▶ RequestReconcile ─▶ (notes merge) ─▶ one pass: observe, plan, apply, observe ─▶ waiters
/// roster ───────┤
/// resync ───────┤   WireGuard notifies nobody, so the device is read again and again (ReadPace)
/// rtnetlink ────┘   links, routes and rules do notify (NetlinkLinkMonitor): a look whether all is as it was left, else a pass
/// </code>
/// </remarks>
internal sealed partial class MeshAgent : BackgroundService, IMeshAgent
{
    private readonly ReconcilePass _pass;
    private readonly DeviceOptions _options;
    private readonly TimeProvider _timeProvider;
    private readonly ILogger<MeshAgent> _logger;
    private readonly SemaphoreSlim _wake = new(0, 1);
    private readonly Lock _lock = new();
    private readonly ReadPace _pace;
    private readonly StateLog _failing;
    private TaskCompletionSource<bool> _nextPass = NewPassSource();
    private int _isAsked;
    private int _news;
    private volatile AgentSnapshot _snapshot = new([], NodeProblem.Of(NodeProblemCode.NotReconciled), 0)
    {
        Encapsulations = null,
    };

    /// <summary>Makes the agent; <see cref="BackgroundService.StartAsync"/> starts the loop.</summary>
    public MeshAgent(ReconcilePass pass, IOptions<DeviceOptions> options, TimeProvider timeProvider, ILogger<MeshAgent> logger)
    {
        (_pass, _options, _timeProvider, _logger) = (pass, options.Value, timeProvider, logger);
        _failing = new StateLog(timeProvider);
        _pace = new ReadPace(_options.PollInterval);
    }

    /// <inheritdoc/>
    public AgentSnapshot Snapshot => _snapshot;

    /// <inheritdoc/>
    public ushort GetListenPort(Slot slot) => (ushort)(_options.ListenPort + slot.Index);

    /// <inheritdoc/>
    public void RequestReconcile()
    {
        Volatile.Write(ref _isAsked, 1);
        Wake();
    }

    /// <summary>
    /// Notes that something changed in the kernel, by whomever. A look at it follows soon (<see cref="LookPace"/>), and a pass that reads
    /// everything again if it is not as the last pass left it.
    /// </summary>
    public void RequestLook(KernelNews news)
    {
        // Those that came before woke the loop, and it has not looked yet.
        if (Interlocked.Or(ref _news, (int)news) == 0)
        {
            Wake();
        }
    }

    /// <inheritdoc/>
    public async Task<KeyPair?> ReadKeyPairAsync(Slot slot, CancellationToken cancellationToken)
    {
        try
        {
            return await _pass.ReadKeyPairAsync(slot, cancellationToken);
        }
        catch (LinuxException e)
        {
            throw new InvalidOperationException(e.Message, e);
        }
    }

    /// <inheritdoc/>
    public Task<bool> ReconcileAsync(CancellationToken cancellationToken)
    {
        Task<bool> pass;
        lock (_lock)
        {
            pass = _nextPass.Task;
        }

        RequestReconcile();
        return pass.WaitAsync(cancellationToken);
    }

    /// <inheritdoc/>
    public override void Dispose()
    {
        _wake.Dispose();
        base.Dispose();
    }

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        try
        {
            await LoopAsync(stoppingToken);
        }
        finally
        {
            // No pass begins any more, so nobody shall wait for one.
            lock (_lock)
            {
                _nextPass.TrySetCanceled(stoppingToken);
            }
        }
    }

    private async Task LoopAsync(CancellationToken stoppingToken)
    {
        var failures = 0;
        var nextResync = SteadyTime.Now(_timeProvider);
        var (nextPass, nextLook) = (Pause.None, Pause.None);
        while (!stoppingToken.IsCancellationRequested)
        {
            var isDue = failures > 0 || SteadyTime.Now(_timeProvider) >= nextResync;

            // Taken back before anything is read: what is noted while it is read may have come too late for it.
            var isAsked = Interlocked.Exchange(ref _isAsked, 0) == 1;
            var news = isDue || nextLook.Rest <= TimeSpan.Zero ? (KernelNews)Interlocked.Exchange(ref _news, 0) : KernelNews.None;
            var started = _timeProvider.GetTimestamp();
            TaskCompletionSource<bool>? pass = null;
            try
            {
                var isResync = isDue || await _pass.HasChangedAsync(news, stoppingToken);
                if (isResync || isAsked || nextPass.Rest <= TimeSpan.Zero)
                {
                    pass = TakePass();
                    var began = _timeProvider.GetTimestamp();
                    var result = await _pass.RunAsync(isResync, stoppingToken);
                    _snapshot = result.Snapshot with { CompletedPasses = _snapshot.CompletedPasses + 1 };
                    if (isDue)
                    {
                        nextResync = SteadyTime.Now(_timeProvider) + _options.ResyncInterval;
                    }

                    if (_failing.End("") is { } end)
                    {
                        LogRecovered(_logger, end.Count, end.Duration);
                    }

                    failures = 0;
                    _pace.Note(_timeProvider.GetElapsedTime(began));
                    nextPass = Pause.For(
                        Min(Min(nextResync - SteadyTime.Now(_timeProvider), _pace.Next), result.LookAgainAfter), _timeProvider);
                    pass.SetResult(result.IsApplied);
                }

                if (news != KernelNews.None)
                {
                    nextLook = Pause.For(LookPace.After(_timeProvider.GetElapsedTime(started)), _timeProvider);
                }
            }
            catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
            {
                pass?.SetCanceled(stoppingToken);
                break;
            }
            catch (Exception e)
            {
                failures++;
                var delay = RetryDelay.After(failures, isAsked: false);
                _snapshot = _snapshot with
                {
                    Problem = NodeProblem.Of(NodeProblemCode.DevicesFailed, e.Message),
                    CompletedPasses = _snapshot.CompletedPasses + 1,
                };
                if (_failing.Note("", e.Message) is { } line)
                {
                    LogFailed(_logger, line.IsNew ? e : null, e.Message, delay, line.Count);
                }

                pass?.SetResult(false);
            }

            // News that came too early wait for their turn, and wake nobody.
            await (failures > 0 ? WaitAfterFailureAsync(failures, stoppingToken)
                : WaitForWorkAsync(Volatile.Read(ref _news) == 0 ? nextPass.Rest : Min(nextPass.Rest, nextLook.Rest), stoppingToken));
        }
    }

    private TaskCompletionSource<bool> TakePass()
    {
        lock (_lock)
        {
            // Who asks from here on wants a pass that begins after it asked, which is the next one.
            (var pass, _nextPass) = (_nextPass, NewPassSource());
            return pass;
        }
    }

    private void Wake()
    {
        lock (_lock)
        {
            if (_wake.CurrentCount == 0)
            {
                _wake.Release();
            }
        }
    }

    private static TaskCompletionSource<bool> NewPassSource() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    private static TimeSpan Min(TimeSpan left, TimeSpan? right) => right is { } other && other < left ? other : left;

    // Whoever asks may have changed what the pass failed on, so asking shortens the wait, but not to nothing.
    private async Task WaitAfterFailureAsync(int failures, CancellationToken stoppingToken)
    {
        var failedAt = _timeProvider.GetTimestamp();
        var isAsked = false;
        while (!stoppingToken.IsCancellationRequested
            && RetryDelay.After(failures, isAsked) - _timeProvider.GetElapsedTime(failedAt) is var rest && rest > TimeSpan.Zero)
        {
            isAsked |= await WaitForWorkAsync(rest, stoppingToken);
        }
    }

    private async Task<bool> WaitForWorkAsync(TimeSpan delay, CancellationToken stoppingToken)
    {
        // A timer counts whole milliseconds and cuts the rest off: the loop would turn until it is over.
        var milliseconds = TimeSpan.FromMilliseconds(Math.Ceiling(delay.TotalMilliseconds));
        using var limit = new TimeLimit(delay > TimeSpan.Zero ? milliseconds : TimeSpan.Zero, _timeProvider, stoppingToken);
        try
        {
            await _wake.WaitAsync(limit.Token);
            return true;
        }
        catch (OperationCanceledException)
        {
            // The delay is over, or the host stops; the loop looks which.
            return false;
        }
    }

    /// <summary>A time to wait, from when it was made. By the clock that nobody sets.</summary>
    private readonly record struct Pause(TimeSpan Length, long From, TimeProvider? TimeProvider)
    {
        public static Pause None => default;

        public TimeSpan Rest => TimeProvider is null ? TimeSpan.Zero : Length - TimeProvider.GetElapsedTime(From);

        public static Pause For(TimeSpan length, TimeProvider timeProvider) => new(length, timeProvider.GetTimestamp(), timeProvider);
    }

    [LoggerMessage(
        Level = LogLevel.Warning,
        Message = "Reconcile failed: {Problem} Trying again in {Delay} and from then on ({Count} times since the last such line)")]
    private static partial void LogFailed(ILogger logger, Exception? exception, string problem, TimeSpan delay, long count);

    [LoggerMessage(Level = LogLevel.Information, Message = "Reconcile succeeded again after {Failures} failures in {Duration}")]
    private static partial void LogRecovered(ILogger logger, long failures, TimeSpan duration);
}
