using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Orleans.Placement;
using Orleans.WireGuard.Grains.Delivery;
using Orleans.WireGuard.Grains.Hosting;
using Orleans.WireGuard.Grains.Keys;
using Orleans.WireGuard.Grains.Nodes;
using Orleans.WireGuard.Grains.Placement;
using Orleans.WireGuard.Grains.Rotation;

namespace Orleans.WireGuard.Grains;

/// <summary>
/// Owns this node's key pairs: adopts those that its devices have, or makes them, has them put on the devices, announces them, replaces one in
/// every epoch and destroys the one that nobody uses any more.
/// </summary>
/// <remarks>
/// The order is what keeps a fault harmless: key ring, device, announcement. Nothing is announced that the node's own device does not use,
/// and an old key pair is overwritten only when the device has let go of it.
/// <code>
/// due ─▶ ask the others through which slot they send ─▶ nobody depends on the slot ─▶ new key ─▶ device ─▶ announce
/// other slot quiet for the grace period ─▶ ask again ─▶ nobody depends on it ─▶ key destroyed, peers removed
/// </code>
/// </remarks>
[NodeLocal, Immovable, KeepAlive]
internal sealed partial class NodeGrain : Grain, INodeGrain, INodeKeeper
{
    // After a failed rotation or announcement.
    private static readonly TimeSpan RetryDelay = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan SyncInterval = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan MaxFreeze = TimeSpan.FromDays(1);

    // For how long a caller of Advance waits for peers that are still moving off the slot. Well below Orleans' ResponseTimeout of 10 s.
    private static readonly TimeSpan AdvancePatience = TimeSpan.FromSeconds(3);

    private readonly ILocalSiloDetails _silo;
    private readonly KeyRing _ring;
    private readonly Identity _identity;
    private readonly AnnouncementStore _store;
    private readonly DeliveryLedger _ledger;
    private readonly MeshMembers _members;
    private readonly INodeRosterSource _roster;
    private readonly IMeshAgent _agent;
    private readonly RotationOptions _options;
    private readonly DeliveryOptions _delivery;
    private readonly RotationSchedule _schedule;
    private readonly RotationState _rotation = new();
    private readonly MeshClock _clock;
    private readonly PathSurvey _survey;
    private readonly TimeProvider _timeProvider;
    private readonly ILogger<NodeGrain> _logger;
    private readonly List<SlotKey> _retired = [];
    private IGrainTimer? _timer;
    private AnnouncementSequence? _floor;
    private PeerAnnouncement? _formerSelf;
    private DateTimeOffset _askAgainAt;
    private TimeSpan _correction;
    private bool _isWaiting;
    private bool _hasAdopted;

    /// <summary>Made by Orleans on the node's own silo.</summary>
    public NodeGrain(
        ILocalSiloDetails silo,
        KeyRing ring,
        Identity identity,
        AnnouncementStore store,
        DeliveryLedger ledger,
        MeshMembers members,
        INodeRosterSource roster,
        IMeshAgent agent,
        IPeerServiceClient client,
        MeshClock clock,
        IOptions<RotationOptions> options,
        IOptions<DeliveryOptions> delivery,
        TimeProvider timeProvider,
        ILogger<NodeGrain> logger)
    {
        (_silo, _ring, _identity, _store, _ledger, _members, _clock) = (silo, ring, identity, store, ledger, members, clock);
        (_roster, _agent, _options, _delivery, _timeProvider, _logger) = (roster, agent, options.Value, delivery.Value, timeProvider, logger);
        _schedule = new RotationSchedule(silo.Name, _options.Period, _options.Slots);
        _survey = new PathSurvey(members, client, clock, timeProvider);
    }

    private string NodeName => _silo.Name;

    // The node's own clock, by which durations and ages are told.
    private DateTimeOffset OwnTime => _timeProvider.GetUtcNow();

    // The time by which epochs are told.
    private DateTimeOffset MeshTime => OwnTime + _correction;

    private TimeSpan Grace => _options.GracePeriod < _options.Period / 8 ? _options.GracePeriod : _options.Period / 8;

    /// <inheritdoc/>
    public override Task OnActivateAsync(CancellationToken cancellationToken)
    {
        NodeLocalGuard.ThrowIfElsewhere(this.GetPrimaryKeyString(), _silo);
        _timer = this.RegisterGrainTimer(
            static (self, token) => self.OnTimer(token),
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
            NextRotationAt = _schedule.NextRotationAt(MeshTime) - _correction,
            Rotations = _rotation.Rotations,
            Slots = RotationState.ToStatus(keys, agent),
            Devices = agent.Devices,
            Delivery = _ledger.ToStatus(_members.Others),
            Refusals = _store.Refusals,
            Drifts = agent.Drifts,
            Problem = agent.Problem ?? (_ledger.Announcement is null ? "has not announced its key yet" : null),
            DroppedPackets = agent.DroppedPackets,
            Paths = agent.Paths,
            Rotation = _rotation.ToStatus(keys, agent, _clock, _options.Period, OwnTime),
        });
    }

    /// <inheritdoc/>
    public async Task<RotationReceipt> Rotate(CancellationToken cancellationToken)
    {
        await SettleKeys(_schedule.KeyEpoch(MeshTime), cancellationToken);
        var key = _ring.Keys.MaxBy(key => key.ServesEpoch)!;
        MakeKey(key.Slot, key.Epoch);
        return await AnnounceFor(key.Slot, key.KeyPair.PublicKey, cancellationToken);
    }

    /// <inheritdoc/>
    public async Task<RotationReceipt> Advance(CancellationToken cancellationToken)
    {
        var due = _schedule.KeyEpoch(MeshTime);
        await SettleKeys(due, cancellationToken);
        if (_rotation.ActiveFreeze(OwnTime) is { } until)
        {
            throw new RotationFailedException($"'{NodeName}' is frozen until {until:u}; unfreeze it first.");
        }

        var next = new Epoch(due.Value + 1);
        var slot = _schedule.SlotOf(next);
        var old = _ring.Find(slot);
        if (old?.ServesEpoch >= next)
        {
            throw new RotationFailedException(
                $"'{NodeName}' has the key of the next epoch already; the one after it can be brought forward from {_schedule.RotationAt(next):u} on.");
        }

        var started = _timeProvider.GetTimestamp();
        for (var decision = await Decide(slot, TimeSpan.Zero, cancellationToken);
            decision.Action != RotationAction.Replace;
            decision = await Decide(slot, TimeSpan.Zero, cancellationToken))
        {
            if (_timeProvider.GetElapsedTime(started) > AdvancePatience)
            {
                throw new RotationFailedException($"Peers still depend on the key that '{NodeName}' would replace. {decision.Problem} Try again later.");
            }

            await Task.Delay(WaitInterval, _timeProvider, cancellationToken);
        }

        MakeKey(slot, next);
        return await AnnounceFor(slot, old?.KeyPair.PublicKey, cancellationToken);
    }

    /// <inheritdoc/>
    public Task<DateTimeOffset> Freeze(TimeSpan duration, CancellationToken cancellationToken)
    {
        ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(duration, TimeSpan.Zero);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(duration, MaxFreeze);
        var until = OwnTime + duration;
        SetFreeze(until);
        LogFrozen(_logger, NodeName, until);
        return Task.FromResult(until);
    }

    /// <inheritdoc/>
    public Task Unfreeze(CancellationToken cancellationToken)
    {
        if (_rotation.ActiveFreeze(OwnTime) is not null)
        {
            LogUnfrozen(_logger, NodeName);
        }

        SetFreeze(null);
        return Task.CompletedTask;
    }

    /// <inheritdoc/>
    public Task AnnounceAbove(AnnouncementSequence sequence)
    {
        if (_floor is null || sequence > _floor)
        {
            _floor = sequence;
        }

        if (_ledger.Announcement is { } current && current.Sequence <= _floor)
        {
            WakeUp();
        }

        return Task.CompletedTask;
    }

    /// <inheritdoc/>
    public Task MeetFormerSelf(PeerAnnouncement announcement)
    {
        if (_formerSelf is null || announcement.Sequence > _formerSelf.Sequence)
        {
            _formerSelf = announcement;
            if (!_rotation.IsFreezeKnown && announcement.FrozenUntil > OwnTime)
            {
                _rotation.FrozenUntil = announcement.FrozenUntil;
                WakeUp();
            }
        }

        foreach (var key in _ring.Keys)
        {
            if (CorrectEpoch(key) is var corrected && corrected != key)
            {
                // The same pair in a new record, so there is nothing to dispose. It may be due for replacement now.
                _ = _ring.Replace(corrected);
                WakeUp();
            }
        }

        return AnnounceAbove(announcement.Sequence);
    }

    /// <inheritdoc/>
    public Task AnnounceAgain()
    {
        WakeUp();
        return Task.CompletedTask;
    }

    private void WakeUp() => _timer!.Change(TimeSpan.Zero, Timeout.InfiniteTimeSpan);

    private async Task OnTimer(CancellationToken cancellationToken)
    {
        var delay = RetryDelay;
        try
        {
            FollowClock();
            var due = _schedule.KeyEpoch(MeshTime);
            await SettleKeys(due, cancellationToken);
            await ReplaceIfDue(due, cancellationToken);
            await RetireIfQuiet(cancellationToken);
            // Others may know that an adopted key is older than it seems, and what is announced once is not taken back.
            var isHeard = !_hasAdopted || _formerSelf is not null || _store.IsSynced;
            if (isHeard && IsAnnouncementDue())
            {
                await ApplyAndAnnounce(cancellationToken);
            }

            delay = isHeard ? NextDelay(due) : SyncInterval;
        }
        catch (RotationFailedException e)
        {
            LogRotationFailed(_logger, NodeName, e.Message, RetryDelay);
        }
        catch (Exception e) when (!cancellationToken.IsCancellationRequested)
        {
            // The grain timer must be armed again whatever happened, or the node would keep its key for ever.
            LogUnexpected(_logger, e, NodeName, RetryDelay);
        }

        _timer!.Change(delay, Timeout.InfiniteTimeSpan);
    }

    private TimeSpan WaitInterval => Clamp(_options.Period / 40, TimeSpan.FromMilliseconds(50), TimeSpan.FromSeconds(3));

    private TimeSpan NextDelay(Epoch due)
    {
        var next = _schedule.DelayUntil(new Epoch(due.Value + 1), MeshTime);
        next = _isWaiting && WaitInterval < next ? WaitInterval : next;
        var look = Clamp(Grace / 4, TimeSpan.FromMilliseconds(50), TimeSpan.FromSeconds(2));
        return FindDraining() is not null && look < next ? look : next;
    }

    private static TimeSpan Clamp(TimeSpan value, TimeSpan min, TimeSpan max) => value < min ? min : value > max ? max : value;

    private void FollowClock()
    {
        var correction = _clock.Correction(_options.Period);
        if ((correction - _correction).Duration() > _options.Period * MeshClock.WarnFraction)
        {
            LogClock(_logger, NodeName, correction);
        }

        _correction = correction;
    }

    /// <summary>Sees to it once that the ring has what the devices have, and that a new node has a key in every slot.</summary>
    private async Task SettleKeys(Epoch due, CancellationToken cancellationToken)
    {
        if (_ring.IsSettled)
        {
            return;
        }

        for (byte index = 0; index < _options.Slots; index++)
        {
            var slot = new Slot(index);
            await Adopt(slot, _schedule.LatestOf(slot, due), cancellationToken);
        }

        if (_ring.Keys.Count == 0)
        {
            for (byte index = 0; index < _options.Slots; index++)
            {
                var slot = new Slot(index);
                _ = _ring.Replace(new SlotKey(slot, KeyPair.Create(), _schedule.LatestOf(slot, due), OwnTime));
            }
        }

        _ring.Settle();
    }

    /// <summary>
    /// Takes over the key that a former silo of this node left on its device, so that a restart costs no packet and changes no key. Until
    /// others say in which epoch it was made it counts for <paramref name="epoch"/>.
    /// </summary>
    /// <exception cref="RotationFailedException">The device cannot be read or is somebody else's; a new key would not get onto it either.</exception>
    private async Task Adopt(Slot slot, Epoch epoch, CancellationToken cancellationToken)
    {
        KeyPair? keyPair;
        try
        {
            keyPair = _ring.Find(slot) is null ? await _agent.ReadKeyPair(slot, cancellationToken) : null;
        }
        catch (InvalidOperationException e)
        {
            throw new RotationFailedException($"The key on the device of '{NodeName}' cannot be taken over: {e.Message}");
        }

        if (keyPair is not null)
        {
            var key = CorrectEpoch(new SlotKey(slot, keyPair, epoch, OwnTime));
            _ = _ring.Replace(key);
            _hasAdopted = true;
            var publicKey = keyPair.PublicKey.ToShortString();
            LogAdopted(_logger, NodeName, publicKey, key.Epoch, slot);
        }
    }

    // Only ever to an earlier epoch: one to come, of a clock that was ahead, would keep the key for too long. What this silo has announced since stays,
    // and its slot's next turn is its next one: peers that heard of it move to the slot, and a key that is due again would go while they do.
    private SlotKey CorrectEpoch(SlotKey key)
    {
        var announced = _formerSelf?.Slots.FirstOrDefault(slot => slot?.PublicKey == key.KeyPair.PublicKey);
        var isPublished = _ledger.Announcement?.Find(key.Slot) is { } published
            && published.PublicKey == key.KeyPair.PublicKey && published.ServesEpoch == key.ServesEpoch;
        var isKept = isPublished || key.ServesEpoch > key.Epoch;
        return announced is not null && announced.KeyEpoch.Value >= 0 && announced.ServesEpoch < key.ServesEpoch
            ? key with
            {
                Epoch = announced.KeyEpoch,
                ServesEpoch = isKept ? key.ServesEpoch : announced.ServesEpoch,
                CreatedAt = _schedule.RotationAt(announced.KeyEpoch),
            }
            : key;
    }

    private async Task ReplaceIfDue(Epoch due, CancellationToken cancellationToken)
    {
        _isWaiting = false;
        ForgetFuture(due);
        var slot = _schedule.SlotOf(due);
        var key = _ring.Find(slot);
        if (key?.ServesEpoch >= due)
        {
            return;
        }

        var decision = await Decide(slot, MeshTime - _schedule.RotationAt(due), cancellationToken);
        _isWaiting = decision.Action == RotationAction.Wait;
        _rotation.Problem = decision.Problem;
        if (decision.Action == RotationAction.Replace)
        {
            MakeKey(slot, due);
        }
        else if (decision.Action == RotationAction.Keep)
        {
            _ = _ring.Replace(key! with { ServesEpoch = due });
            if (decision.Problem is not null)
            {
                _rotation.Deferrals++;
            }
        }

        if (decision.Problem is not null && !_isWaiting)
        {
            LogDeferred(_logger, NodeName, slot, decision.Problem);
        }
    }

    private async Task<RotationDecision> Decide(Slot slot, TimeSpan overdue, CancellationToken cancellationToken)
    {
        var key = _ring.Find(slot);
        var facts = key is null ? [] : await Survey(slot, cancellationToken);
        _rotation.Lagging = key is null ? [] : FindLagging(key, facts, Grace);
        return RotationPlan.Decide(
            new RotationSituation(
                OwnTime - key?.CreatedAt, overdue, _rotation.ActiveFreeze(OwnTime) is not null, _rotation.Lagging, facts.Count(peer => peer.IsLive)),
            _options.Period,
            _options.MaxKeyAge,
            _options.MaxLaggingFraction);
    }

    private async Task<IReadOnlyList<PeerFacts>> Survey(Slot slot, CancellationToken cancellationToken)
    {
        // What the devices show has to be as new as the answers.
        var answered = await _survey.Ask(_delivery.AttemptTimeout);
        Task pass = _agent.Reconcile(cancellationToken).WaitAsync(_options.ApplyTimeout, _timeProvider, cancellationToken);
        await pass.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ContinueOnCapturedContext);
        return _survey.Facts(slot, _agent.Snapshot, answered);
    }

    private IReadOnlyList<LaggingNode> FindLagging(SlotKey key, IEnumerable<PeerFacts> facts, TimeSpan quietTime) =>
        LaggardRules.Find(key.Slot, key.KeyPair.PublicKey, _options.Slots == 1, facts, OwnTime - quietTime);

    // A key of an epoch to come was made by a clock that was ahead, or with a shorter period. Waiting for that epoch could take months.
    private void ForgetFuture(Epoch due)
    {
        foreach (var key in _ring.Keys.Where(key => key.ServesEpoch.Value > due.Value + 1))
        {
            var epoch = _schedule.LatestOf(key.Slot, due);
            _ = _ring.Replace(key with { Epoch = epoch, ServesEpoch = epoch });
        }
    }

    private SlotKey? FindDraining() =>
        SlotPhases.FindDraining([.. _ring.Keys.Select(key => new SlotEpochs(key.Slot, key.Epoch, key.ServesEpoch))]) is { } slot ? _ring.Find(slot) : null;

    private async Task RetireIfQuiet(CancellationToken cancellationToken)
    {
        // Before its own first announcement a node does not know who will use which slot.
        if (FindDraining() is not { } key || _ledger.Announcement is null || _rotation.ActiveFreeze(OwnTime) is not null || OwnTime < _askAgainAt)
        {
            return;
        }

        // Asking costs a call for each node, so first what can be told from here.
        var agent = _agent.Snapshot;
        var activeSince = _ring.Keys.MaxBy(other => other.ServesEpoch)!.CreatedAt;
        var quietSince = OwnTime - Grace;
        if (activeSince > quietSince || agent.LastMovedAt > quietSince || agent.Paths.Any(path => path.Slot == key.Slot)
            || agent.Receptions.Any(reception => reception.Slot == key.Slot && reception.LastAt > quietSince))
        {
            return;
        }

        _askAgainAt = OwnTime + Grace;
        _rotation.Lagging = FindLagging(key, await Survey(key.Slot, cancellationToken), Grace);
        if (_rotation.Lagging.Count == 0)
        {
            // Announced as well: a restarted node that finds an old session there must not take the slot for one that works.
            _retired.Add(_ring.Remove(key.Slot)!);
            await ApplyAndAnnounce(cancellationToken);
            var publicKey = key.KeyPair.PublicKey.ToShortString();
            LogRetired(_logger, NodeName, publicKey, key.Slot);
        }
    }

    private void MakeKey(Slot slot, Epoch epoch)
    {
        if (_ring.Replace(new SlotKey(slot, KeyPair.Create(), epoch, OwnTime)) is { } old)
        {
            _retired.Add(old);
        }

        _rotation.Rotations++;
        _rotation.ReplacedAt = OwnTime;
    }

    private void SetFreeze(DateTimeOffset? until)
    {
        (_rotation.FrozenUntil, _rotation.IsFreezeKnown) = (until, true);
        WakeUp();
    }

    private bool IsAnnouncementDue()
    {
        var announced = _ledger.Announcement;
        return announced is null
            || announced.Sequence <= _floor
            || announced.Slots != AnnounceSlots()
            || announced.FrozenUntil != _rotation.FrozenUntil
            || (_roster.Current?.Find(NodeName) is { } self && (self.Addresses != announced.Endpoints || self.PodCIDRs != announced.AllowedIPs));
    }

    private async Task<RotationReceipt> AnnounceFor(Slot slot, PublicKey? old, CancellationToken cancellationToken)
    {
        try
        {
            var sequence = await ApplyAndAnnounce(cancellationToken);
            WakeUp();
            return new RotationReceipt(NodeName, old, _ring.Find(slot)!.KeyPair.PublicKey, sequence);
        }
        catch
        {
            // The caller hears of it; the node goes on trying without the caller.
            _timer!.Change(RetryDelay, Timeout.InfiniteTimeSpan);
            throw;
        }
    }

    private async Task<AnnouncementSequence> ApplyAndAnnounce(CancellationToken cancellationToken)
    {
        await ApplyToDevice(cancellationToken);
        var announcement = BuildAnnouncement();
        var receipt = await GrainFactory.GetGrain<IPeerGrain>(NodeName).Publish(announcement, cancellationToken);
        if (receipt.Outcome is not (AnnouncementOutcome.Held or AnnouncementOutcome.Applied))
        {
            throw new RotationFailedException($"The PeerGrain of '{NodeName}' refused announcement {announcement.Sequence}: {receipt.Outcome}.");
        }

        var slots = string.Join(", ", announcement.Slots.Select(slot => $"slot {slot.Slot} {slot.PublicKey.ToShortString()} of epoch {slot.KeyEpoch}"));
        LogAnnounced(_logger, NodeName, announcement.Sequence, slots);
        return announcement.Sequence;
    }

    private async Task ApplyToDevice(CancellationToken cancellationToken)
    {
        using var timeout = new CancellationTokenSource(_options.ApplyTimeout, _timeProvider);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(timeout.Token, cancellationToken);
        bool isApplied;
        try
        {
            isApplied = await _agent.Reconcile(either.Token);
        }
        catch (OperationCanceledException) when (timeout.IsCancellationRequested)
        {
            isApplied = false;
        }

        if (!isApplied)
        {
            throw new RotationFailedException(
                $"The device of '{NodeName}' did not take the new key within {_options.ApplyTimeout}: {_agent.Snapshot.Problem ?? "no answer"}");
        }

        // Only now has the device let go of the old key.
        _retired.ForEach(key => key.KeyPair.Dispose());
        _retired.Clear();
    }

    private EquatableArray<SlotAnnouncement> AnnounceSlots() => _ring.Keys
        .Select(key => new SlotAnnouncement(key.Slot, key.KeyPair.PublicKey, key.Epoch, _agent.GetListenPort(key.Slot)) { ServesEpoch = key.ServesEpoch })
        .ToEquatableArray();

    private PeerAnnouncement BuildAnnouncement()
    {
        if (_roster.Current?.Find(NodeName) is not { } self)
        {
            throw new RotationFailedException($"The roster does not list this node '{NodeName}' yet, so its addresses and pod CIDRs are unknown.");
        }

        if (self.Addresses.Count == 0)
        {
            throw new RotationFailedException($"The roster lists no address of this node '{NodeName}', by which others could reach it.");
        }

        var highest = Max(Max(_ledger.Announcement?.Sequence, _floor), _store.Announcements.GetValueOrDefault(NodeName)?.Sequence);
        return _identity.Sign(new PeerAnnouncement
        {
            NodeName = NodeName,
            Identity = _identity.PublicKey,
            Sequence = AnnouncementSequence.Next(highest, MeshTime, _options.Period),
            Slots = AnnounceSlots(),
            Endpoints = self.Addresses,
            AllowedIPs = self.PodCIDRs,
            IssuedAt = OwnTime,
            FrozenUntil = _rotation.FrozenUntil,
        });
    }

    private static AnnouncementSequence? Max(AnnouncementSequence? left, AnnouncementSequence? right) =>
        left is null || right > left ? right : left;

    [LoggerMessage(Level = LogLevel.Information, Message = "{NodeName} announced {Sequence}: {Slots}")]
    private static partial void LogAnnounced(ILogger logger, string nodeName, AnnouncementSequence sequence, string slots);

    [LoggerMessage(Level = LogLevel.Information, Message = "{NodeName} adopted the key of its device: {PublicKey}, of epoch {Epoch}, in slot {Slot}")]
    private static partial void LogAdopted(ILogger logger, string nodeName, string publicKey, Epoch epoch, Slot slot);

    [LoggerMessage(Level = LogLevel.Information, Message = "{NodeName} destroyed key {PublicKey} of slot {Slot}: nobody uses it any more")]
    private static partial void LogRetired(ILogger logger, string nodeName, string publicKey, Slot slot);

    [LoggerMessage(Level = LogLevel.Warning, Message = "{NodeName}, slot {Slot}: {Problem}")]
    private static partial void LogDeferred(ILogger logger, string nodeName, Slot slot, string problem);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The clock of {NodeName} is off: it rotates by the mesh's time, {Correction} from its own. Set the clock")]
    private static partial void LogClock(ILogger logger, string nodeName, TimeSpan correction);

    [LoggerMessage(Level = LogLevel.Warning, Message = "{NodeName} keeps its keys until {Until:u}: an operator froze it")]
    private static partial void LogFrozen(ILogger logger, string nodeName, DateTimeOffset until);

    [LoggerMessage(Level = LogLevel.Information, Message = "{NodeName} rotates again: an operator ended the freeze")]
    private static partial void LogUnfrozen(ILogger logger, string nodeName);

    [LoggerMessage(Level = LogLevel.Warning, Message = "{NodeName} could not rotate: {Problem} Trying again in {Delay}")]
    private static partial void LogRotationFailed(ILogger logger, string nodeName, string problem, TimeSpan delay);

    [LoggerMessage(Level = LogLevel.Error, Message = "{NodeName} could not rotate; trying again in {Delay}")]
    private static partial void LogUnexpected(ILogger logger, Exception exception, string nodeName, TimeSpan delay);
}
