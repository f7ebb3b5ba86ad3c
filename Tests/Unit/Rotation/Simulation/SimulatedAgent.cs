using Orleans.WireGuard.Grains;
using Orleans.WireGuard.Keys;
using Orleans.WireGuard.Silo.Agent;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.Unit.Rotation.Simulation;

/// <summary>The loop of an agent: the product's passes, at moments of virtual time.</summary>
internal sealed class SimulatedAgent(Simulation simulation, SimulatedSilo silo, SimulatedClock clock) : IMeshAgent
{
    private static readonly TimeSpan MaxPassDelay = TimeSpan.FromMilliseconds(30);
    private static readonly TimeSpan PollInterval = TimeSpan.FromSeconds(1);

    // The product looks every 100 ms; what matters here is only that it looks before the next attempt.
    private static readonly TimeSpan AwaitingInterval = TimeSpan.FromMilliseconds(500);

    private TaskCompletionSource<bool> _nextPass = new();
    private bool _isRequested;
    private bool _isNoticing;
    private bool _isAwaiting;
    private bool _hasResynced;
    private long _packets;

    /// <inheritdoc/>
    public AgentSnapshot Snapshot { get; private set; } = new([], "has not reconciled its device yet", 0);

    /// <inheritdoc/>
    public ushort GetListenPort(Slot slot) => (ushort)(TestMesh.ListenPort + slot.Index);

    /// <inheritdoc/>
    public void RequestReconcile()
    {
        if (!_isRequested)
        {
            _isRequested = true;
            clock.Schedule(simulation.Jitter(MaxPassDelay), RunPass);
        }
    }

    /// <summary>A handshake is complete; the agent sees that when it reads its devices the next time.</summary>
    public void NoticeSoon()
    {
        if (!_isNoticing)
        {
            _isNoticing = true;
            clock.Schedule(simulation.Jitter(_isAwaiting ? TimeSpan.FromMilliseconds(100) : PollInterval), RequestReconcile);
        }
    }

    /// <summary>Looks now and then without a reason. Rarer than the product, which looks every second.</summary>
    public void Poll(TimeSpan interval)
    {
        RequestReconcile();
        clock.Schedule(interval, () => Poll(interval));
    }

    /// <inheritdoc/>
    public Task<bool> ReconcileAsync(CancellationToken cancellationToken)
    {
        var pass = _nextPass.Task;
        RequestReconcile();
        return pass.WaitAsync(cancellationToken);
    }

    /// <inheritdoc/>
    public Task<KeyPair?> ReadKeyPairAsync(Slot slot, CancellationToken cancellationToken) =>
        silo.Pass.ReadKeyPairAsync(slot, cancellationToken);

    private void RunPass()
    {
        (_isRequested, _isNoticing) = (false, false);
        var pass = _nextPass;
        _nextPass = new TaskCompletionSource<bool>();
        ShowCounters();
        silo.Machine.ForgetRoutes();
        var run = silo.Pass.RunAsync(isResync: !_hasResynced, CancellationToken.None);
        Assert.True(run.IsCompleted);
        var result = run.GetAwaiter().GetResult();
        var snapshot = result.Snapshot;
        _hasResynced = true;
        silo.Machine.ForgetRoutes();
        foreach (var path in snapshot.Paths.Except(Snapshot.Paths))
        {
            simulation.Trace(
                () => $"{silo.Machine.Name} sends to {path.NodeName} through slot {path.Slot}{(path.IsProven ? "" : ", unproven")}");
        }

        Snapshot = new AgentSnapshot(snapshot.Devices, snapshot.Problem, Snapshot.CompletedPasses + 1)
        {
            Paths = simulation.Broken == SimulationBreak.NobodySaysThatItSends
                ? snapshot.Paths.Select(path => path with { Slot = new Slot((byte)(1 - path.Slot.Index)), IsProven = true })
                    .ToEquatableArray()
                : snapshot.Paths,
            Receptions = simulation.Broken == SimulationBreak.NobodySaysThatItSends ? [] : snapshot.Receptions,
            HandshakeRetries = snapshot.HandshakeRetries,
            Moves = snapshot.Moves,
        };
        simulation.Check();
        _isAwaiting = result.LookAgainAfter is not null;
        if (_isAwaiting)
        {
            clock.Schedule(AwaitingInterval, RequestReconcile);
        }

        pass.SetResult(result.IsApplied);
    }

    // A packet of 96 bytes for everything that came in.
    private void ShowCounters()
    {
        foreach (var slot in SlotDevices.Slots(Slot.Count))
        {
            if (silo.Machine.Device(slot) is not { PublicKey: { } local } device)
            {
                continue;
            }

            foreach (var peer in device.Peers)
            {
                var received = simulation.Tunnels.TakeReceived(local, peer.PublicKey);
                if (received > 0)
                {
                    _packets += received;
                    silo.Machine.Links.SetReceivedPackets(device.Name, _packets);
                    silo.Machine.Kernel.ChangePeer(
                        device.Name, peer.PublicKey, known => known with { ReceiveBytes = known.ReceiveBytes + (96 * received) });
                }
            }
        }
    }
}
