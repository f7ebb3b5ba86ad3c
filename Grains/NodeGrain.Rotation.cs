using Orleans.WireGuard.Grains.Reasons;
using Orleans.WireGuard.Grains.Rotation;
using Orleans.WireGuard.Keys;

namespace Orleans.WireGuard.Grains;

/// <content>When a key is made, kept and destroyed.</content>
internal sealed partial class NodeGrain
{
    // Whoever leaves the roster wakes this node, and a member may be there before the roster knows it.
    private void ForgetAbsent()
    {
        if (_store.Roster is { } roster)
        {
            var members = _members.Others.Select(other => other.NodeName).ToHashSet(StringComparer.Ordinal);
            _clock.Forget(IsPresent);
            _survey.Forget(IsPresent);
            bool IsPresent(string name) => roster.Find(name) is not null || members.Contains(name);
        }
    }

    private void FollowClock()
    {
        var correction = _clock.Correction;
        if (correction == TimeSpan.Zero == _isCorrected)
        {
            _isCorrected = !_isCorrected;
            LogClock(_logger, NodeName, correction);
        }

        var skewed = _clock.Skews.Where(skew => MeshClock.IsWorthAWarning(skew.Ahead, _options.Period)).ToList();
        foreach (var skew in skewed.Where(skew => !_skewed.Contains(skew.NodeName)))
        {
            LogSkew(_logger, skew.NodeName, skew.Ahead, NodeName, _options.Period);
        }

        _skewed = [.. skewed.Select(skew => skew.NodeName)];
    }

    /// <summary>Sees to it once that the ring has what the devices have, and that a new node has a key in every slot.</summary>
    private async Task SettleKeysAsync(Epoch due, CancellationToken cancellationToken)
    {
        if (_ring.IsSettled)
        {
            return;
        }

        for (byte index = 0; index < _options.Slots; index++)
        {
            var slot = new Slot(index);
            await AdoptAsync(slot, _schedule.LatestOf(slot, due), cancellationToken);
        }

        if (_ring.Keys.Count == 0)
        {
            for (byte index = 0; index < _options.Slots; index++)
            {
                var slot = new Slot(index);
                _ = _ring.Replace(NewKey(slot, _ring.CreateKeyPair(), _schedule.LatestOf(slot, due)));
            }
        }

        _ring.Settle();
    }

    /// <summary>
    /// Takes over the key that a former silo of this node left on its device, so that a restart costs no packet and changes no key. Until
    /// others say in which epoch it was made it counts for <paramref name="epoch"/>.
    /// </summary>
    /// <exception cref="RotationFailedException">
    /// The device cannot be read or is somebody else's; a new key would not get onto it either.
    /// </exception>
    private async Task AdoptAsync(Slot slot, Epoch epoch, CancellationToken cancellationToken)
    {
        KeyPair? keyPair;
        try
        {
            keyPair = _ring.Find(slot) is null ? await _agent.ReadKeyPairAsync(slot, cancellationToken) : null;
        }
        catch (InvalidOperationException e)
        {
            throw new RotationFailedException($"The key on the device of '{NodeName}' cannot be taken over: {e.Message}");
        }

        if (keyPair is not null)
        {
            var key = Correct(NewKey(slot, keyPair, epoch));
            _ = _ring.Replace(key);
            _hasAdopted = true;
            var publicKey = keyPair.PublicKey.ToShortString();
            LogAdopted(_logger, NodeName, publicKey, key.Epoch, slot);
        }
    }

    private async Task ReplaceIfDueAsync(Epoch due, CancellationToken cancellationToken)
    {
        _isWaiting = false;
        if (SetEpochs(key => KeyEpochs.WithoutFuture(key, due, _schedule)))
        {
            // Others choose their slots by what is announced, so that comes first, and a key that is due in the next turn.
            _isWaiting = true;
            return;
        }

        var slot = _schedule.SlotOf(due);
        if (_ring.Find(slot)?.ServesEpoch >= due)
        {
            return;
        }

        var decision = await DecideAsync(slot, MeshTime - _schedule.RotationAt(due), cancellationToken);
        var key = _ring.Find(slot);
        if (key?.ServesEpoch >= due)
        {
            // A former self has said so meanwhile.
            return;
        }

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
            var problem = RotationReasonText.Describe(decision.Problem);
            LogDeferred(_logger, NodeName, slot, problem);
        }
    }

    private void ShareSlots(Epoch due)
    {
        foreach (var (slot, peer) in FindMissing([.. _ring.Keys.Select(key => key.Slot)], isActiveOnly: true))
        {
            var key = NewKey(slot, _ring.CreateKeyPair(), _schedule.LatestOf(slot, due));
            _ = _ring.Replace(key);
            var publicKey = key.KeyPair.PublicKey.ToShortString();
            LogShared(_logger, NodeName, publicKey, slot, peer);
        }
    }

    private IReadOnlyList<(Slot Slot, string NodeName)> FindMissing(IReadOnlyCollection<Slot> own, bool isActiveOnly)
    {
        var active = _members.Others.Select(other => other.NodeName).ToHashSet(StringComparer.Ordinal);
        return SlotSharing.FindMissing(
            own, _options.Slots, _store.Announcements.Values.Where(
                other => other.NodeName != NodeName && (!isActiveOnly || active.Contains(other.NodeName))));
    }

    // The peer may not have got our key yet, and then nothing else would tell that it depends on the slot.
    private bool IsNeeded(Slot slot) =>
        FindMissing([.. _ring.Keys.Select(key => key.Slot).Where(other => other != slot)], isActiveOnly: true)
            .Any(missing => missing.Slot == slot);

    private async Task<RotationDecision> DecideAsync(Slot slot, TimeSpan overdue, CancellationToken cancellationToken)
    {
        var key = _ring.Find(slot);
        var facts = key is null ? [] : await SurveyAsync(key, cancellationToken);
        _rotation.Lagging = key is null ? [] : FindLagging(key, facts);
        return RotationPlan.Decide(
            new RotationSituation(
                Now - key?.MadeAt, overdue, _rotation.ActiveFreeze(Now) is not null, _rotation.Lagging, facts.Count(peer => peer.IsLive)),
            _options.Period,
            _options.EffectiveMaxKeyAge,
            _options.MaxLaggingFraction);
    }

    private async Task<IReadOnlyList<PeerFacts>> SurveyAsync(SlotKey key, CancellationToken cancellationToken)
    {
        // What the devices show has to be as new as the answers: from an old picture a key that a peer depends on could be replaced.
        var answered = await _survey.AskAsync(_delivery.AttemptTimeout, cancellationToken);
        await ApplyToDevicesAsync(cancellationToken);
        var heard = _ledger.HeldNodes(_members.Others.Select(other => other.Silo));
        var otherServes = _ring.Keys.FirstOrDefault(other => other.Slot != key.Slot)?.ServesEpoch;
        return _survey.Facts(key, otherServes, _agent.Snapshot, answered, heard, _store.Announcements);
    }

    private IReadOnlyList<LaggingNode> FindLagging(SlotKey key, IEnumerable<PeerFacts> facts) =>
        LaggardRules.Find(key.Slot, key.KeyPair.PublicKey, _options.Slots == 1, facts, Now - Grace);

    // The same pairs in new records, so there is nothing to dispose.
    private bool SetEpochs(Func<SlotKey, SlotKey> change)
    {
        var changed = _ring.Keys.Select(key => (Old: key, New: change(key))).Where(key => key.New != key.Old).ToList();
        changed.ForEach(key => _ = _ring.Replace(key.New));
        return changed.Count > 0;
    }

    private SlotKey? FindDraining() =>
        SlotPhases.FindDraining([.. _ring.Keys.Select(key => new SlotEpochs(key.Slot, key.Epoch, key.ServesEpoch))]) is { } slot
            ? _ring.Find(slot)
            : null;

    // Others choose their slots by what is announced, so that comes first.
    private bool MayRetire(Slot slot) =>
        FindDraining()?.Slot == slot && !IsAnnouncementDue() && _rotation.ActiveFreeze(Now) is null && !IsNeeded(slot);

    private async Task RetireIfQuietAsync(CancellationToken cancellationToken)
    {
        if (FindDraining() is not { } key || !MayRetire(key.Slot) || Now < _askAgainAt)
        {
            return;
        }

        // Asking costs a call for each node, so first what can be told from here.
        var activeSince = SlotPhases.ActiveKey(_ring.Keys)!.MadeAt;
        if (!RetireRules.IsQuiet(key.Slot, activeSince, _agent.Snapshot, Now - Grace))
        {
            return;
        }

        _askAgainAt = Now + Grace;
        _rotation.Lagging = FindLagging(key, await SurveyAsync(key, cancellationToken));

        // Meanwhile an operator may have frozen the node, and a former self may have said what the keys serve.
        if (_rotation.Lagging.Count == 0 && MayRetire(key.Slot))
        {
            // Announced as well: a restarted node that finds an old session there must not take the slot for one that works.
            _retired.Add(_ring.Remove(key.Slot)!);
            await ApplyAndAnnounceAsync(cancellationToken);
            var publicKey = key.KeyPair.PublicKey.ToShortString();
            LogRetired(_logger, NodeName, publicKey, key.Slot);
        }
    }

    private SlotKey NewKey(Slot slot, KeyPair keyPair, Epoch epoch) => new(slot, keyPair, epoch, OwnTime) { MadeAt = Now, HeldSince = Now };

    private SlotKey Correct(SlotKey key) => KeyEpochs.Correct(key, _formerSelf, _ledger.Announcement, _schedule, MeshTime, Now);

    private void MakeKey(Slot slot, Epoch epoch)
    {
        if (_ring.Replace(NewKey(slot, _ring.CreateKeyPair(), epoch)) is { } old)
        {
            _retired.Add(old);
        }

        _rotation.Rotations++;
        _rotation.ReplacedAt = Now;
    }

    private TimeSpan WaitInterval => Clamp(_options.Period / 40, TimeSpan.FromMilliseconds(50), TimeSpan.FromSeconds(3));

    private TimeSpan NextDelay(Epoch due)
    {
        // This turn may have corrected the clock.
        var next = Clamp(_schedule.DelayUntil(new Epoch(due.Value + 1), MeshTime), TimeSpan.Zero, _options.Period);
        next = (_isWaiting || _requests.Count > 0) && WaitInterval < next ? WaitInterval : next;
        var look = Clamp(Grace / 4, TimeSpan.FromMilliseconds(50), TimeSpan.FromSeconds(2));

        // A node without a slot in common may be announced before it is seen to be an active member.
        var isLooking = FindDraining() is not null || FindMissing([.. _ring.Keys.Select(key => key.Slot)], isActiveOnly: false).Count > 0;
        return isLooking && look < next ? look : next;
    }

    private static TimeSpan Clamp(TimeSpan value, TimeSpan min, TimeSpan max) => value < min ? min : value > max ? max : value;
}
