using Orleans.WireGuard.Grains.Clocks;
using Orleans.WireGuard.Grains.Delivery;
using Orleans.WireGuard.Grains.Nodes;
using Orleans.WireGuard.Grains.Reasons;

namespace Orleans.WireGuard.Grains;

/// <content>Device first, announcement second.</content>
internal sealed partial class NodeGrain
{
    private void NoteFailure(string problem, Exception? unexpected)
    {
        _own.NoteFailure(problem);
        if (_failures.Note(NodeName, problem) is { } line)
        {
            LogFailed(_logger, line.IsNew ? unexpected : null, NodeName, problem, RotationTiming.RetryDelay, line.Count);
        }
    }

    private void EndFailure()
    {
        _own.NoteFailure(null);
        if (_failures.End(NodeName) is { } end)
        {
            LogRecovered(_logger, NodeName, end.Count, end.Duration);
        }
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
        using var limit = new TimeLimit(_options.ApplyTimeout, _timeProvider, cancellationToken);
        bool isApplied;
        try
        {
            isApplied = await _agent.ReconcileAsync(limit.Token);
        }
        catch (OperationCanceledException) when (limit.IsOver)
        {
            isApplied = false;
        }

        if (!isApplied)
        {
            throw DevicesFailed($"The devices of '{NodeName}' were not brought up to date within {_options.ApplyTimeout}");
        }

        _state = _state with { FailedAtPass = null };

        // Only now have the devices let go of the old keys.
        _retired.ForEach(key => key.KeyPair.Dispose());
        _retired.Clear();
    }

    private RotationFailedException DevicesFailed(string message)
    {
        _state = _state with { FailedAtPass = _agent.Snapshot.CompletedPasses };
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
            Sequence = _own.NextSequence(MeshTime, _clock.Horizon),
            Slots = AnnounceSlots(),
            Endpoints = self.Endpoints,
            AllowedIPs = self.AllowedIPs,
            IssuedAt = OwnTime,
            FrozenUntil = _state.FrozenUntil,
            Extensions = _protocol.Extensions,
        });
    }

    private AnnounceableNode? FindSelf() => _store.Roster?.Find(NodeName) is { } self ? AnnounceableNode.Of(self) : null;

    // The allowed IPs go along with the keys for a silo of the release before, to which a node may be rolled back at any time. Where all
    // take addresses by themselves nobody looks at them, and keys are not announced again because of them.
    private AnnounceableNode? FindWhatDecides() =>
        FindSelf() is { } self && _own.Latest is { } latest && _protocol.Effective >= OwnProtocol.WithAddresses
            ? self with { AllowedIPs = latest.AllowedIPs }
            : FindSelf();
}
