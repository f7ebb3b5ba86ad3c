using Orleans.WireGuard.Grains.Delivery;
using Orleans.WireGuard.Grains.Nodes;
using Orleans.WireGuard.Grains.Reasons;

namespace Orleans.WireGuard.Grains;

/// <content>Device first, announcement second.</content>
internal sealed partial class NodeGrain
{
    private void NoteFailure(string problem, Exception? unexpected)
    {
        _ledger.NoteFailure(problem);
        if (_failures.Note(NodeName, problem) is { } line)
        {
            LogFailed(_logger, line.IsNew ? unexpected : null, NodeName, problem, RetryDelay, line.Count);
        }
    }

    private void EndFailure()
    {
        _ledger.NoteFailure(null);
        if (_failures.End(NodeName) is { } end)
        {
            LogRecovered(_logger, NodeName, end.Count, end.Duration);
        }
    }

    private bool IsAnnouncementDue()
    {
        var announced = _ledger.Announcement;
        return announced is null
            || (_floor is { } floor && IsPossible(floor) && announced.Sequence <= floor)
            || !IsPossible(announced.Sequence)
            || announced.Slots != AnnounceSlots()
            || announced.FrozenUntil != _rotation.FrozenUntil
            || (FindSelf() is { } self && (self.Endpoints != announced.Endpoints || self.AllowedIPs != announced.AllowedIPs));
    }

    private async Task<AnnouncementSequence> ApplyAndAnnounceAsync(CancellationToken cancellationToken)
    {
        await ApplyToDevicesAsync(cancellationToken);
        var announcement = BuildAnnouncement();
        var receipt = await GrainFactory.GetGrain<IPeerGrain>(NodeName).Publish(announcement, cancellationToken);
        if (receipt.Outcome is not (AnnouncementOutcome.Held or AnnouncementOutcome.Applied))
        {
            throw new RotationFailedException(
                $"The PeerGrain of '{NodeName}' refused announcement {announcement.Sequence}: {receipt.Outcome}.");
        }

        var slots = string.Join(
            ", ", announcement.Slots.Select(slot => $"slot {slot.Slot} {slot.PublicKey.ToShortString()} of epoch {slot.KeyEpoch}"));
        LogAnnounced(_logger, NodeName, announcement.Sequence, slots);
        return announcement.Sequence;
    }

    private async Task ApplyToDevicesAsync(CancellationToken cancellationToken)
    {
        using var timeout = new CancellationTokenSource(_options.ApplyTimeout, _timeProvider);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(timeout.Token, cancellationToken);
        bool isApplied;
        try
        {
            isApplied = await _agent.ReconcileAsync(either.Token);
        }
        catch (OperationCanceledException) when (timeout.IsCancellationRequested)
        {
            isApplied = false;
        }

        if (!isApplied)
        {
            throw DevicesFailed($"The devices of '{NodeName}' were not brought up to date within {_options.ApplyTimeout}");
        }

        _failedAtPass = null;

        // Only now have the devices let go of the old keys.
        _retired.ForEach(key => key.KeyPair.Dispose());
        _retired.Clear();
    }

    private RotationFailedException DevicesFailed(string message)
    {
        _failedAtPass = _agent.Snapshot.CompletedPasses;
        var problem = _agent.Snapshot.Problem is { } known ? NodeProblemText.Describe(known) : "no answer";
        return new RotationFailedException($"{message}: {problem}");
    }

    private EquatableArray<SlotAnnouncement> AnnounceSlots() => _ring.Keys
        .Select(key => new SlotAnnouncement(
            key.Slot, key.KeyPair.PublicKey, key.Epoch, _agent.GetListenPort(key.Slot))
        { ServesEpoch = key.ServesEpoch })
        .ToEquatableArray();

    private PeerAnnouncement BuildAnnouncement()
    {
        if (FindSelf() is not { } self)
        {
            throw new RotationFailedException(
                $"The roster does not list this node '{NodeName}' yet, so its addresses and pod CIDRs are unknown.");
        }

        if (self.Endpoints.Count == 0)
        {
            throw new RotationFailedException($"The roster lists no address of this node '{NodeName}' by which others could reach it.");
        }

        return _identity.Sign(new PeerAnnouncement
        {
            NodeName = NodeName,
            Identity = _identity.PublicKey,
            Sequence = AnnouncementSequence.Next(Highest, MeshTime),
            Slots = AnnounceSlots(),
            Endpoints = self.Endpoints,
            AllowedIPs = self.AllowedIPs,
            IssuedAt = OwnTime,
            FrozenUntil = _rotation.FrozenUntil,
        });
    }

    private bool IsDisputed() =>
        _store.Roster?.Conflicts.Any(conflict => conflict.Keeper.NodeName == NodeName || conflict.Loser.NodeName == NodeName) ?? false;

    private AnnounceableNode? FindSelf() => _store.Roster?.Find(NodeName) is { } self ? AnnounceableNode.Of(self) : null;

    /// <summary>The highest sequence of this node that is known.</summary>
    /// <remarks>
    /// Of a clock that has been set back since, one may lie further ahead than anybody takes. Nobody counts it any more
    /// (<see cref="AnnouncementRules"/>), and above it the node could announce nothing until the clock has come there.
    /// </remarks>
    private AnnouncementSequence? Highest =>
        new[] { _ledger.Announcement?.Sequence, _floor, _store.Announcements.GetValueOrDefault(NodeName)?.Sequence }
        .Where(sequence => sequence is { } known && IsPossible(known)).Max();

    private bool IsPossible(AnnouncementSequence sequence) => AnnouncementRules.IsPossible(sequence, _clock.Horizon);
}
