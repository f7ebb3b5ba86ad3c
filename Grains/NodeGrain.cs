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
/// Owns this node's key pair: adopts the one that its device has, or makes it, has it put on the device, announces it, and replaces it in
/// every epoch.
/// </summary>
/// <remarks>
/// The order is what keeps a fault harmless: key ring, device, announcement. Nothing is announced that the node's own device does not use,
/// and the old key pair is overwritten only when the device has let go of it.
/// </remarks>
[NodeLocal, Immovable, KeepAlive]
internal sealed partial class NodeGrain : Grain, INodeGrain, INodeKeeper
{
    // After a failed rotation or announcement.
    private static readonly TimeSpan RetryDelay = TimeSpan.FromSeconds(1);

    private readonly ILocalSiloDetails _silo;
    private readonly KeyRing _ring;
    private readonly Identity _identity;
    private readonly AnnouncementStore _store;
    private readonly DeliveryLedger _ledger;
    private readonly MeshMembers _members;
    private readonly INodeRosterSource _roster;
    private readonly IMeshAgent _agent;
    private readonly RotationOptions _options;
    private readonly RotationSchedule _schedule;
    private readonly TimeProvider _timeProvider;
    private readonly ILogger<NodeGrain> _logger;
    private readonly List<SlotKey> _retired = [];
    private IGrainTimer? _timer;
    private AnnouncementSequence? _floor;
    private PeerAnnouncement? _formerSelf;
    private long _rotations;

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
        IOptions<RotationOptions> options,
        TimeProvider timeProvider,
        ILogger<NodeGrain> logger)
    {
        (_silo, _ring, _identity, _store, _ledger, _members) = (silo, ring, identity, store, ledger, members);
        (_roster, _agent, _options, _timeProvider, _logger) = (roster, agent, options.Value, timeProvider, logger);
        _schedule = new RotationSchedule(silo.Name, _options.Period);
    }

    private string NodeName => _silo.Name;

    private DateTimeOffset Now => _timeProvider.GetUtcNow();

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
        var now = Now;
        var agent = _agent.Snapshot;
        return Task.FromResult(new NodeStatus
        {
            NodeName = NodeName,
            TakenAt = now,
            Epoch = Epoch.At(now, _options.Period),
            RotationPeriod = _options.Period,
            NextRotationAt = _schedule.NextRotationAt(now),
            Rotations = _rotations,
            Slots = _ring.Keys.Select(key => new SlotStatus(key.Slot, key.KeyPair.PublicKey, key.Epoch, key.CreatedAt)).ToEquatableArray(),
            Devices = agent.Devices,
            Delivery = _ledger.ToStatus(_members.Others),
            Refusals = _store.Refusals,
            Drifts = agent.Drifts,
            Problem = agent.Problem ?? (_ledger.Announcement is null ? "has not announced its key yet" : null),
            DroppedPackets = agent.DroppedPackets,
        });
    }

    /// <inheritdoc/>
    public async Task<RotationReceipt> Rotate(CancellationToken cancellationToken)
    {
        var due = _schedule.KeyEpoch(Now);
        if (_ring.Find(Slot.Zero) is null)
        {
            await Adopt(due, cancellationToken);
        }

        var old = _ring.Find(Slot.Zero)?.KeyPair.PublicKey;
        MakeKey(due);
        AnnouncementSequence sequence;
        try
        {
            sequence = await ApplyAndAnnounce(cancellationToken);
        }
        catch
        {
            // The caller hears of it; the node goes on trying without the caller.
            _timer!.Change(RetryDelay, Timeout.InfiniteTimeSpan);
            throw;
        }

        return new RotationReceipt(NodeName, old, _ring.Find(Slot.Zero)!.KeyPair.PublicKey, sequence);
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
            _timer!.Change(TimeSpan.Zero, Timeout.InfiniteTimeSpan);
        }

        return Task.CompletedTask;
    }

    /// <inheritdoc/>
    public Task MeetFormerSelf(PeerAnnouncement announcement)
    {
        if (_formerSelf is null || announcement.Sequence > _formerSelf.Sequence)
        {
            _formerSelf = announcement;
        }

        if (_ring.Find(Slot.Zero) is { } key && CorrectEpoch(key) is var corrected && corrected != key)
        {
            // The same pair in a new record, so there is nothing to dispose. It may be due for replacement now.
            _ = _ring.Replace(corrected);
            _timer!.Change(TimeSpan.Zero, Timeout.InfiniteTimeSpan);
        }

        return AnnounceAbove(announcement.Sequence);
    }

    /// <inheritdoc/>
    public Task AnnounceAgain()
    {
        _timer!.Change(TimeSpan.Zero, Timeout.InfiniteTimeSpan);
        return Task.CompletedTask;
    }

    private async Task OnTimer(CancellationToken cancellationToken)
    {
        var retry = false;
        try
        {
            var due = _schedule.KeyEpoch(Now);
            if (_ring.Find(Slot.Zero) is null)
            {
                await Adopt(due, cancellationToken);
            }

            // A key of an epoch that has not come was made by a clock that was ahead. Waiting for that epoch could take months.
            if (_ring.Find(Slot.Zero) is not { } key || key.Epoch < due || key.Epoch.Value > due.Value + 1)
            {
                MakeKey(due);
            }

            if (IsAnnouncementDue())
            {
                await ApplyAndAnnounce(cancellationToken);
            }
        }
        catch (RotationFailedException e)
        {
            LogRotationFailed(_logger, NodeName, e.Message, RetryDelay);
            retry = true;
        }
        catch (Exception e) when (!cancellationToken.IsCancellationRequested)
        {
            // The grain timer must be armed again whatever happened, or the node would keep its key for ever.
            LogUnexpected(_logger, e, NodeName, RetryDelay);
            retry = true;
        }

        _timer!.Change(retry ? RetryDelay : _schedule.DelayAfter(_ring.Find(Slot.Zero)!.Epoch, Now), Timeout.InfiniteTimeSpan);
    }

    /// <summary>
    /// Takes over the key that a former silo of this node left on its device, so that a restart costs no packet and changes no key. Until
    /// others say in which epoch it was made it counts for <paramref name="due"/>.
    /// </summary>
    /// <exception cref="RotationFailedException">The device cannot be read or is somebody else's; a new key would not get onto it either.</exception>
    private async Task Adopt(Epoch due, CancellationToken cancellationToken)
    {
        KeyPair? keyPair;
        try
        {
            keyPair = await _agent.ReadKeyPair(Slot.Zero, cancellationToken);
        }
        catch (InvalidOperationException e)
        {
            throw new RotationFailedException($"The key on the device of '{NodeName}' cannot be taken over: {e.Message}");
        }

        if (keyPair is not null)
        {
            var key = CorrectEpoch(new SlotKey(Slot.Zero, keyPair, due, Now));
            _ = _ring.Replace(key);
            var publicKey = keyPair.PublicKey.ToShortString();
            LogAdopted(_logger, NodeName, publicKey, key.Epoch);
        }
    }

    // Only ever to an earlier epoch: one to come, of a clock that was ahead, would keep the key for too long.
    private SlotKey CorrectEpoch(SlotKey key)
    {
        var announced = _formerSelf?.Slots.FirstOrDefault(slot => slot?.PublicKey == key.KeyPair.PublicKey);
        return announced is not null && announced.KeyEpoch.Value >= 0 && announced.KeyEpoch < key.Epoch
            ? key with { Epoch = announced.KeyEpoch, CreatedAt = _schedule.RotationAt(announced.KeyEpoch) }
            : key;
    }

    private void MakeKey(Epoch epoch)
    {
        var key = new SlotKey(Slot.Zero, KeyPair.Create(), epoch, Now);
        if (_ring.Replace(key) is { } old)
        {
            _retired.Add(old);
        }
    }

    private bool IsAnnouncementDue()
    {
        var announced = _ledger.Announcement;
        return announced is null
            || announced.Sequence <= _floor
            || announced.Find(Slot.Zero)?.PublicKey != _ring.Find(Slot.Zero)!.KeyPair.PublicKey
            || (_roster.Current?.Find(NodeName) is { } self && (self.Addresses != announced.Endpoints || self.PodCIDRs != announced.AllowedIPs));
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

        var publicKey = announcement.Slots[0].PublicKey.ToShortString();
        LogAnnounced(_logger, NodeName, announcement.Sequence, publicKey, announcement.Slots[0].KeyEpoch);
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
        _rotations += _retired.Count;
        _retired.ForEach(key => key.KeyPair.Dispose());
        _retired.Clear();
    }

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
            Sequence = AnnouncementSequence.Next(highest, Now, _options.Period),
            Slots = _ring.Keys
                .Select(key => new SlotAnnouncement(key.Slot, key.KeyPair.PublicKey, key.Epoch, _agent.GetListenPort(key.Slot)))
                .ToEquatableArray(),
            Endpoints = self.Addresses,
            AllowedIPs = self.PodCIDRs,
            IssuedAt = Now,
        });
    }

    private static AnnouncementSequence? Max(AnnouncementSequence? left, AnnouncementSequence? right) =>
        left is null || right > left ? right : left;

    [LoggerMessage(Level = LogLevel.Information, Message = "{NodeName} announced {Sequence}: key {PublicKey} of epoch {Epoch}")]
    private static partial void LogAnnounced(ILogger logger, string nodeName, AnnouncementSequence sequence, string publicKey, Epoch epoch);

    [LoggerMessage(Level = LogLevel.Information, Message = "{NodeName} adopted the key of its device: {PublicKey}, of epoch {Epoch}")]
    private static partial void LogAdopted(ILogger logger, string nodeName, string publicKey, Epoch epoch);

    [LoggerMessage(Level = LogLevel.Warning, Message = "{NodeName} could not rotate: {Problem} Trying again in {Delay}")]
    private static partial void LogRotationFailed(ILogger logger, string nodeName, string problem, TimeSpan delay);

    [LoggerMessage(Level = LogLevel.Error, Message = "{NodeName} could not rotate; trying again in {Delay}")]
    private static partial void LogUnexpected(ILogger logger, Exception exception, string nodeName, TimeSpan delay);
}
