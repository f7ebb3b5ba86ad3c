using System.Security.Cryptography;
using Orleans.WireGuard.LocalMesh.Capture;
using Orleans.WireGuard.LocalMesh.Probes;
using Orleans.WireGuard.LocalMesh.Secrets;
using Orleans.WireGuard.LocalMesh.Silos;
using Orleans.WireGuard.LocalMesh.Topology;

namespace Orleans.WireGuard.LocalMesh.Check;

/// <summary>Everything that watches a mesh from outside: pings between pods, devices by <c>wg</c>, private keys seen.</summary>
internal sealed class MeshProbes : IAsyncDisposable
{
    /// <summary>How long a reply may take before its ping counts as lost.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(1);

    private static readonly TimeSpan Poll = TimeSpan.FromMilliseconds(100);
    private const int MarkerLength = 16;

    private readonly MeshPlan _plan;
    private readonly TimeProvider _timeProvider;
    private readonly PodPinger _pinger;

    /// <summary>Starts pinging; devices are sampled once <see cref="Observer"/> is started.</summary>
    public MeshProbes(MeshHarness mesh, TimeProvider timeProvider)
    {
        (_plan, _timeProvider) = (mesh.Plan, timeProvider);
        Marker = RandomNumberGenerator.GetBytes(MarkerLength);
        Sampler = new DeviceSampler(mesh, Secrets, timeProvider);
        Observer = new MeshObserver(_plan, Sampler, MeshObserver.PaceFor(_plan), timeProvider);
        _pinger = new PodPinger(_plan, Ledger, Marker, PodPinger.PaceFor(_plan), timeProvider);
    }

    /// <summary>Payload of all pings.</summary>
    public byte[] Marker { get; }

    /// <summary>Books of the pings.</summary>
    public PingLedger Ledger { get; } = new();

    /// <summary>Private keys seen on devices.</summary>
    public SecretCollection Secrets { get; } = new();

    /// <summary>Reads devices on demand.</summary>
    public DeviceSampler Sampler { get; }

    /// <summary>Reads devices all the time.</summary>
    public MeshObserver Observer { get; }

    /// <summary>Recognises the pods of this mesh and the payload of these pings.</summary>
    public FrameClassifier Classifier => new(_plan, Marker);

    /// <summary>What happened to the pings of every pair between two moments.</summary>
    public IReadOnlyDictionary<NodePair, PingReport> Report(DateTimeOffset from, DateTimeOffset until) => _plan.OrderedPairs
        .Select(p => new NodePair(p.From.Name, p.To.Name))
        .ToDictionary(p => p, p => Ledger.Report(p, from, until));

    /// <summary>Waits until every ordered pair has had an answer to a ping sent after <paramref name="since"/>.</summary>
    /// <returns>The pairs that had none in time; empty if all went well.</returns>
    public async Task<IReadOnlyList<NodePair>> WaitReachableAsync(
        DateTimeOffset since, TimeSpan timeout, CancellationToken cancellationToken)
    {
        var start = _timeProvider.GetTimestamp();
        while (true)
        {
            var silent = _plan.OrderedPairs
                .Select(p => new NodePair(p.From.Name, p.To.Name))
                .Where(p => !(Ledger.LastAnswered(p) >= since))
                .ToList();
            if (silent.Count == 0 || _timeProvider.GetElapsedTime(start) > timeout)
            {
                return silent;
            }

            await Task.Delay(Poll, _timeProvider, cancellationToken);
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _pinger.DisposeAsync();
        await Observer.DisposeAsync();
    }
}
