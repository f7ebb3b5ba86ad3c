using Microsoft.Extensions.Options;
using Orleans.WireGuard.Grains;
using Orleans.WireGuard.Grains.Keys;
using Orleans.WireGuard.Silo.Devices;
using Orleans.WireGuard.Silo.Hosting;

namespace Orleans.WireGuard.Silo.Agent;

/// <summary>
/// The loop that keeps the local devices what they should be. Whatever happens elsewhere only notes that something changed; this reads,
/// compares and writes.
/// </summary>
/// <remarks>
/// <code>
/// announcement ─┐
/// own key ──────┼─▶ RequestReconcile ─▶ (notes merge) ─▶ one pass: observe, diff, apply, read back ─▶ waiters
/// roster ───────┤
/// resync ───────┤   WireGuard notifies nobody, so the device is read again and again (ReadPace)
/// rtnetlink ────┘   links, routes and rules do notify (NetlinkLinkMonitor)
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
    private TaskCompletionSource<bool> _nextPass = NewPassSource();
    private int _resyncWanted;
    private volatile AgentSnapshot _snapshot = new([], "has not reconciled its device yet", 0);

    /// <summary>Makes the agent; <see cref="BackgroundService.StartAsync"/> starts the loop.</summary>
    public MeshAgent(ReconcilePass pass, IOptions<DeviceOptions> options, TimeProvider timeProvider, ILogger<MeshAgent> logger)
    {
        (_pass, _options, _timeProvider, _logger) = (pass, options.Value, timeProvider, logger);
        _pace = new ReadPace(_options.PollInterval);
    }

    /// <inheritdoc/>
    public AgentSnapshot Snapshot => _snapshot;

    /// <inheritdoc/>
    public ushort GetListenPort(Slot slot) => (ushort)(_options.ListenPort + slot.Index);

    /// <inheritdoc/>
    public void RequestReconcile()
    {
        lock (_lock)
        {
            if (_wake.CurrentCount == 0)
            {
                _wake.Release();
            }
        }
    }

    /// <summary>Notes that links, routes or rules changed, by whomever. A pass that reads them again follows soon.</summary>
    public void RequestResync()
    {
        Volatile.Write(ref _resyncWanted, 1);
        RequestReconcile();
    }

    /// <inheritdoc/>
    public async Task<KeyPair?> ReadKeyPair(Slot slot, CancellationToken cancellationToken)
    {
        try
        {
            return await _pass.ReadKeyPair(slot, cancellationToken);
        }
        catch (DeviceException e)
        {
            throw new InvalidOperationException(e.Message, e);
        }
    }

    /// <inheritdoc/>
    public Task<bool> Reconcile(CancellationToken cancellationToken)
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
            await Loop(stoppingToken);
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

    private async Task Loop(CancellationToken stoppingToken)
    {
        var failures = 0;
        var nextResync = _timeProvider.GetUtcNow();
        while (!stoppingToken.IsCancellationRequested)
        {
            var isDue = failures > 0 || _timeProvider.GetUtcNow() >= nextResync;

            // Taken back before the pass reads: what is noted while it runs may have come too late for it.
            var isResync = Interlocked.Exchange(ref _resyncWanted, 0) == 1 || isDue;
            var started = _timeProvider.GetTimestamp();
            TaskCompletionSource<bool> pass;
            lock (_lock)
            {
                // Who asks from here on wants a pass that begins after it asked, which is the next one.
                (pass, _nextPass) = (_nextPass, NewPassSource());
            }

            var delay = TimeSpan.Zero;
            try
            {
                var result = await _pass.Run(isResync, stoppingToken);
                Publish(result);
                if (isDue)
                {
                    nextResync = _timeProvider.GetUtcNow() + _options.ResyncInterval;
                }

                if (failures > 0)
                {
                    LogRecovered(_logger, failures);
                }

                failures = 0;
                _pace.Note(_timeProvider.GetElapsedTime(started));
                delay = Min(Min(nextResync - _timeProvider.GetUtcNow(), _pace.Next), result.LookAgainAfter);
                pass.SetResult(result.IsApplied);
            }
            catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
            {
                pass.SetCanceled(stoppingToken);
                break;
            }
            catch (Exception e)
            {
                failures++;
                delay = RetryDelay.After(failures, isAsked: false);
                _snapshot = _snapshot with { Problem = e.Message, CompletedPasses = _snapshot.CompletedPasses + 1 };
                LogFailed(_logger, e, failures, delay);
                pass.SetResult(false);
            }

            await (failures > 0 ? WaitAfterFailure(failures, stoppingToken) : WaitForWork(delay, stoppingToken));
        }
    }

    private static TaskCompletionSource<bool> NewPassSource() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    private static TimeSpan Min(TimeSpan left, TimeSpan? right) => right is { } other && other < left ? other : left;

    // Whoever asks may have changed what the pass failed on, so asking shortens the wait, but not to nothing.
    private async Task WaitAfterFailure(int failures, CancellationToken stoppingToken)
    {
        var failedAt = _timeProvider.GetTimestamp();
        var isAsked = false;
        while (!stoppingToken.IsCancellationRequested && RetryDelay.After(failures, isAsked) - _timeProvider.GetElapsedTime(failedAt) is var rest && rest > TimeSpan.Zero)
        {
            isAsked |= await WaitForWork(rest, stoppingToken);
        }
    }

    private async Task<bool> WaitForWork(TimeSpan delay, CancellationToken stoppingToken)
    {
        using var timeout = new CancellationTokenSource(delay > TimeSpan.Zero ? delay : TimeSpan.Zero, _timeProvider);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(timeout.Token, stoppingToken);
        try
        {
            await _wake.WaitAsync(either.Token);
            return true;
        }
        catch (OperationCanceledException)
        {
            // The delay is over, or the host stops; the loop looks which.
            return false;
        }
    }

    private void Publish(PassResult result) => _snapshot = new AgentSnapshot(result.Devices, result.Problem, _snapshot.CompletedPasses + 1)
    {
        Drifts = result.Drifts,
        DroppedPackets = result.DroppedPackets,
        Paths = result.Paths,
        Receptions = result.Receptions,
        HandshakeRetries = result.HandshakeRetries,
        LastMovedAt = result.LastMovedAt,
    };

    [LoggerMessage(Level = LogLevel.Warning, Message = "Reconcile failed, the {Failures}. time in a row; trying again in {Delay}")]
    private static partial void LogFailed(ILogger logger, Exception exception, int failures, TimeSpan delay);

    [LoggerMessage(Level = LogLevel.Information, Message = "Reconcile succeeded again after {Failures} failures")]
    private static partial void LogRecovered(ILogger logger, int failures);
}
