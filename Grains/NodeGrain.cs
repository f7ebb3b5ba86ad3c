using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Orleans.Placement;
using Orleans.WireGuard.Grains.Addresses;
using Orleans.WireGuard.Grains.Agent;
using Orleans.WireGuard.Grains.Clocks;
using Orleans.WireGuard.Grains.Delivery;
using Orleans.WireGuard.Grains.Placement;
using Orleans.WireGuard.Grains.Rotation;
using Orleans.WireGuard.Keys;
using Orleans.WireGuard.Supervision;

namespace Orleans.WireGuard.Grains;

/// <summary>
/// Owns this node's key pairs: adopts those that its devices have, or makes them, has them put on the devices, announces them, replaces one
/// in every epoch and destroys the one that nobody uses any more.
/// </summary>
/// <remarks>
/// The order is what keeps a fault harmless: key ring, device, announcement. Nothing is announced that the node's own device does not use,
/// and an old key pair is overwritten only when the device has let go of it.
/// <code>
/// due ─▶ ask the others through which slot they send ─▶ nobody depends on the slot ─▶ new key ─▶ device ─▶ announce
/// other slot quiet for the grace period ─▶ ask again ─▶ nobody depends on it ─▶ key destroyed, peers removed
/// a node announces keys in none of our slots ─▶ new key in an empty slot that it has ─▶ device ─▶ announce
/// </code>
/// </remarks>
[NodeLocal, Immovable, KeepAlive]
internal sealed partial class NodeGrain : Grain, INodeGrain, INodeKeeper
{
    private readonly ILocalSiloDetails _silo;
    private readonly KeyRing _ring;
    private readonly Identity _identity;
    private readonly AnnouncementStore _store;
    private readonly OwnAnnouncement _own;
    private readonly MeshMembers _members;
    private readonly IMeshAgent _agent;
    private readonly RotationOptions _options;
    private readonly DeliveryOptions _delivery;
    private readonly RotationSchedule _schedule;
    private readonly RotationTurn _turn;
    private readonly MeshClock _clock;
    private readonly ClockLog _clockLog;
    private readonly ClockSurvey _clocks;
    private readonly PathSurvey _survey;
    private readonly MeshProtocol _protocol;
    private readonly Acceptance _acceptance;
    private readonly AddressReport _addresses;
    private readonly TimeProvider _timeProvider;
    private readonly ILogger<NodeGrain> _logger;
    private readonly StateLog _failures;
    private readonly List<SlotKey> _retired = [];
    private RotationState _state = new();
    private IGrainTimer? _timer;
    private bool _isWoken;

    /// <summary>Made by Orleans on the node's own silo.</summary>
    public NodeGrain(
        IGrainContext context,
        ILocalSiloDetails silo,
        KeyRing ring,
        Identity identity,
        AnnouncementStore store,
        OwnAnnouncement own,
        MeshMembers members,
        IMeshAgent agent,
        IPeerServiceClient client,
        MeshClock clock,
        ClockSurvey clocks,
        MeshProtocol protocol,
        Acceptance acceptance,
        AddressReport addresses,
        IOptions<RotationOptions> options,
        IOptions<DeliveryOptions> delivery,
        TimeProvider timeProvider,
        ILogger<NodeGrain> logger)
        : base(context)
    {
        (_silo, _ring, _identity, _store, _own, _members, _clock, _clocks) =
            (silo, ring, identity, store, own, members, clock, clocks);
        (_agent, _options, _delivery, _timeProvider, _logger) = (agent, options.Value, delivery.Value, timeProvider, logger);
        (_protocol, _acceptance, _addresses) = (protocol, acceptance, addresses);
        _failures = new StateLog(timeProvider);
        var timing = new RotationTiming(_options.Period, _options.GracePeriod);
        _schedule = new RotationSchedule(silo.Name, _options.Period, _options.Slots);
        _turn = new RotationTurn(silo.Name, _schedule, timing, _options);
        _clockLog = new ClockLog(silo.Name, clock, _options.Period, logger);
        _survey = new PathSurvey(members, client, clock, protocol, timeProvider);
    }

    private string NodeName => _silo.Name;

    // By which durations and ages are told.
    private SteadyTime Now => SteadyTime.Now(_timeProvider);

    // The node's own clock, for people.
    private DateTimeOffset OwnTime => _timeProvider.GetUtcNow();

    // The time by which epochs are told.
    private DateTimeOffset MeshTime => _clock.MeshTime;

    /// <inheritdoc/>
    public override Task OnActivateAsync(CancellationToken cancellationToken)
    {
        NodeLocalGuard.ThrowIfElsewhere(this.GetPrimaryKeyString(), _silo);
        _timer = this.RegisterGrainTimer(
            static (self, token) => self.OnTimerAsync(token),
            this,
            new GrainTimerCreationOptions(TimeSpan.Zero, Timeout.InfiniteTimeSpan) { KeepAlive = true });
        return Task.CompletedTask;
    }

    /// <inheritdoc/>
    public Task Begin() => Task.CompletedTask;

    /// <inheritdoc/>
    public Task<NodeStatus> GetStatus(CancellationToken cancellationToken)
    {
        var agent = _agent.Snapshot;
        var keys = _ring.Keys;
        return Task.FromResult(new NodeStatus
        {
            NodeName = NodeName,
            TakenAt = OwnTime,
            Epoch = Epoch.At(MeshTime, _options.Period),
            RotationPeriod = _options.Period,
            NextRotationAt = _schedule.NextRotationAt(MeshTime) - _clock.Correction,
            Rotations = _state.Rotations,
            Slots = RotationState.ToStatus(keys, agent),
            Devices = agent.Devices,
            Delivery = _own.ToStatus(_members.Others),
            Refusals = _store.Refusals,
            Drifts = agent.Drifts,
            Problems = FindProblems(agent),
            DroppedPackets = agent.DroppedPackets,
            DroppedOutgoingPackets = agent.DroppedOutgoingPackets,
            Paths = agent.Paths,
            Findings = agent.Findings,
            Witness = agent.Witness,
            IsStrictWithheld = agent.IsStrictWithheld,
            Rotation = _state.ToStatus(keys, agent, _clock, Now),
            Version = OwnProtocol.Version,
            Protocol = OwnProtocol.Range,
            EffectiveProtocol = _protocol.Effective,
            Addresses = _addresses.ToStatus(),
        });
    }

    // A device does not fail because of a clock, so neither hides the other.
    private EquatableArray<NodeProblem> FindProblems(AgentSnapshot agent) => (_clock.FindProblem(), agent.FindProblem()) switch
    {
        ({ } ofClock, { } ofAgent) => [ofClock, ofAgent],
        var (ofClock, ofAgent) => (ofClock ?? ofAgent ?? _own.Problem ?? _acceptance.FindProblem()) is { } problem
            ? [problem]
            : _addresses.FindProblems(),
    };

    /// <inheritdoc/>
    public Task<RotationReceipt> Rotate(CancellationToken cancellationToken) => AskAsync(isAdvance: false, cancellationToken);

    /// <inheritdoc/>
    public Task<RotationReceipt> Advance(CancellationToken cancellationToken) => AskAsync(isAdvance: true, cancellationToken);

    /// <inheritdoc/>
    public Task<DateTimeOffset> Freeze(TimeSpan duration, CancellationToken cancellationToken)
    {
        ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(duration, TimeSpan.Zero);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(duration, RotationTiming.MaxFreeze);
        var until = MeshTime + duration;
        KeepFrozen(until, duration);
        _state = _state with { IsFreezeKnown = true };
        LogFrozen(_logger, NodeName, until);
        return Task.FromResult(until);
    }

    /// <inheritdoc/>
    public Task Unfreeze(CancellationToken cancellationToken)
    {
        if (_state.ActiveFreeze(Now) is not null)
        {
            LogUnfrozen(_logger, NodeName);
        }

        _state = _state.Unfreeze() with { IsFreezeKnown = true };
        WakeUp();
        return Task.CompletedTask;
    }

    /// <inheritdoc/>
    public Task AnnounceAbove(AnnouncementSequence sequence)
    {
        // Whoever reaches a gateway can call this, and above what nobody takes a node could announce nothing any more.
        if (!SequenceBounds.IsPossible(sequence, _clock.Horizon))
        {
            throw new ArgumentOutOfRangeException(
                nameof(sequence), sequence, $"No silo takes a sequence above that of {_clock.Horizon:u}.");
        }

        if (_own.RaiseFloor(sequence, _clock.Horizon))
        {
            WakeUp();
        }

        return Task.CompletedTask;
    }

    /// <inheritdoc/>
    public Task MeetFormerSelf()
    {
        // Whoever reaches a gateway can call this, so it brings nothing along: the silo's own PeerService has judged and noted it.
        if (_own.FormerSelf is not { } former)
        {
            return Task.CompletedTask;
        }

        var now = MeshTime;
        var isNew = former.Sequence != _state.FormerSelf;
        _state = _state with { FormerSelf = former.Sequence };
        if (isNew && !_state.IsFreezeKnown && former.FrozenUntil is { } said && said > now)
        {
            // It may have been said by a clock that was years ahead.
            var until = said - now < RotationTiming.MaxFreeze ? said : now + RotationTiming.MaxFreeze;
            KeepFrozen(until, until - now);
        }

        if (CorrectKeys())
        {
            WakeUp();
        }

        // The clock may have been set back since it was noted, and then nobody counts it.
        return SequenceBounds.IsPossible(former.Sequence, _clock.Horizon) ? AnnounceAbove(former.Sequence) : Task.CompletedTask;
    }

    /// <inheritdoc/>
    public Task AnnounceAgain()
    {
        WakeUp();
        return Task.CompletedTask;
    }

    private void KeepFrozen(DateTimeOffset until, TimeSpan rest)
    {
        _state = _state.Freeze(until, Now + rest);
        WakeUp();
    }

    // Also in the middle of a turn, whose end sets the timer.
    private void WakeUp()
    {
        _isWoken = true;
        _timer!.Change(TimeSpan.Zero, Timeout.InfiniteTimeSpan);
    }

    private async Task OnTimerAsync(CancellationToken cancellationToken)
    {
        var delay = RotationTiming.RetryDelay;
        _isWoken = false;
        try
        {
            ForgetAbsent();
            await _clocks.AskFirstAsync(_delivery.AttemptTimeout).WaitAsync(cancellationToken);
            _clockLog.Follow();
            delay = await TakeTurnAsync(cancellationToken);
            EndFailure();
        }
        catch (RotationFailedException e)
        {
            NoteFailure(e.Message, null);
        }
        catch (Exception e) when (!cancellationToken.IsCancellationRequested)
        {
            // The grain timer must be armed again whatever happened, or the node would keep its key for ever.
            NoteFailure($"{e.GetType().Name}: {e.Message}", e);
        }

        _timer!.Change(_isWoken ? TimeSpan.Zero : delay, Timeout.InfiniteTimeSpan);
    }
}
