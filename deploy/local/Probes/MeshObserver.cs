using Orleans.WireGuard.LocalMesh.Topology;

namespace Orleans.WireGuard.LocalMesh.Probes;

/// <summary>Samples all devices in the background and keeps the history of keys and agreement.</summary>
internal sealed class MeshObserver : IAsyncDisposable
{
    private readonly DeviceSampler _sampler;
    private readonly TimeSpan _interval;
    private readonly TimeProvider _timeProvider;
    private readonly MeshPlan _plan;
    private readonly Lock _lock = new();
    private readonly CancellationTokenSource _stop = new();
    private readonly KeyHistory _keys = new();
    private AgreementHistory _agreement;
    private Task _loop = Task.CompletedTask;

    /// <summary>Prepares; nothing is sampled before <see cref="Start"/>.</summary>
    public MeshObserver(MeshPlan plan, DeviceSampler sampler, TimeSpan interval, TimeProvider timeProvider)
    {
        (_plan, _sampler, _interval, _timeProvider) = (plan, sampler, interval, timeProvider);
        _agreement = new AgreementHistory(plan);
    }

    /// <summary>The newest sample; <see langword="null"/> before the first.</summary>
    public DeviceSample? Latest { get; private set; }

    /// <summary>A pace that leaves most of two cores to the silos: five samples a second of three nodes, one of twenty.</summary>
    public static TimeSpan PaceFor(MeshPlan plan) => TimeSpan.FromMilliseconds(Math.Max(200, 50 * plan.Nodes.Count));

    /// <summary>Starts sampling.</summary>
    public void Start() => _loop = RunAsync(_stop.Token);

    /// <summary>Reads the histories while no sample is being added.</summary>
    public T Read<T>(Func<KeyHistory, AgreementHistory, T> read)
    {
        lock (_lock)
        {
            return read(_keys, _agreement);
        }
    }

    /// <summary>Forgets disagreements so far, such as those of the time before the mesh was ready.</summary>
    public void RestartAgreement()
    {
        lock (_lock)
        {
            _agreement = new AgreementHistory(_plan);
        }
    }

    /// <summary>Stops sampling; a fault of the loop surfaces here.</summary>
    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _loop;
        _stop.Dispose();
    }

    private async Task RunAsync(CancellationToken cancellationToken)
    {
        using var timer = new PeriodicTimer(_interval, _timeProvider);
        try
        {
            do
            {
                var sample = await _sampler.TakeAsync(cancellationToken);
                lock (_lock)
                {
                    _keys.Observe(sample);
                    _agreement.Observe(sample);
                    Latest = sample;
                }
            }
            while (await timer.WaitForNextTickAsync(cancellationToken));
        }
        catch (OperationCanceledException)
        {
            // Disposed.
        }
    }
}
