using System.Diagnostics;
using Orleans.WireGuard.Grains.Nodes;
using Orleans.WireGuard.Grains.Reasons;
using Orleans.WireGuard.Grains.Rotation;
using Orleans.WireGuard.Keys;

namespace Orleans.WireGuard.Grains;

/// <content>Executes what <see cref="RotationTurn"/> decides: keys are made, kept and destroyed here and nowhere else.</content>
internal sealed partial class NodeGrain
{
    // Whoever leaves the roster wakes this node, and a member may be there before the roster knows it.
    private void ForgetAbsent()
    {
        if (_store.Roster is { } roster)
        {
            var members = _members.OtherNames;
            _clock.Forget(IsPresent);
            _survey.Forget(IsPresent);
            _protocol.Forget(IsPresent);
            bool IsPresent(string name) => roster.Find(name) is not null || members.Contains(name);
        }
    }

    /// <returns>When the next turn begins.</returns>
    private async Task<TimeSpan> TakeTurnAsync(CancellationToken cancellationToken)
    {
        _state = _state.Begin(_schedule.KeyEpoch(MeshTime));
        while (true)
        {
            // Calls change the state too while a command is awaited, so it is read and written without anything between.
            (_state, var command) = _turn.Decide(_state, TakeFacts());
            if (command is TurnCommand.Rest rest)
            {
                return rest.Delay;
            }

            try
            {
                await ExecuteAsync(command, cancellationToken);
            }
            catch (Exception e) when (command.Request is { } request)
            {
                // The caller hears of it; the node goes on trying without the caller.
                EndCall(request, call => call.TrySetException(e));
                _state = _state.Without(request);
                throw;
            }
        }
    }

    private TurnFacts TakeFacts()
    {
        var roster = _store.Roster;
        return new TurnFacts
        {
            MeshTime = MeshTime,
            Now = Now,
            Keys = [.. _ring.Keys.Select(key => key.ToOwnKey())],
            IsSettled = _ring.IsSettled,
            Agent = _agent.Snapshot,
            Others = _store.Announcements.Values.Where(announcement => announcement.NodeName != NodeName),
            Active = _members.OtherNames,
            IsAnnouncementDue = _own.IsDue(
                AnnounceSlots(), _state.FrozenUntil, FindWhatDecides(), _protocol.Extensions, _clock.Horizon),
            IsSynced = _store.IsSynced,
            IsDisputed = roster is not null && roster.Conflicts.Any(conflict => IsOurs(conflict.Keeper) || IsOurs(conflict.Loser)),
            IsFormerSelfKnown = _own.FormerSelf is not null,
        };

        bool IsOurs(RosterNode node) => node.NodeName == NodeName;
    }

    private async Task ExecuteAsync(TurnCommand command, CancellationToken cancellationToken)
    {
        switch (command)
        {
            case TurnCommand.Adopt adopt:
                foreach (var (slot, epoch) in adopt.Slots)
                {
                    await AdoptAsync(slot, epoch, cancellationToken);
                }

                break;
            case TurnCommand.Settle settle:
                settle.Keys.ToList().ForEach(key => MakeKey(key.Slot, key.Epoch));
                _ring.Settle();
                break;
            case TurnCommand.Survey survey:
                var key = _ring.Find(survey.Slot)!;
                var peers = await SurveyAsync(key, cancellationToken);
                _state = _state with { Survey = new SurveyAnswer(key.Slot, key.KeyPair.PublicKey, peers) };
                break;
            case TurnCommand.Replace replace:
                await ReplaceAsync(replace, cancellationToken);
                break;
            case TurnCommand.Reckon reckon:
                // The same pairs in new records, so there is nothing to dispose.
                reckon.Keys.ToList().ForEach(key =>
                    _ring.Replace(_ring.Find(key.Slot)! with { Epoch = key.Made, ServesEpoch = key.Serves }));
                TellDeferred(reckon.Keys[0].Slot, reckon.Problem);
                break;
            case TurnCommand.Share share:
                var shared = MakeKey(share.Slot, share.Epoch).PublicKey.ToShortString();
                LogShared(_logger, NodeName, shared, share.Slot, share.Peer);
                break;
            case TurnCommand.Retire retire:
                var retired = _ring.Remove(retire.Slot)!;
                _retired.Add(retired);
                var publicKey = retired.KeyPair.PublicKey.ToShortString();
                await ApplyAndAnnounceAsync(cancellationToken);
                LogRetired(_logger, NodeName, publicKey, retire.Slot);
                break;
            case TurnCommand.Refuse refuse:
                EndCall(refuse.Request!, call => call.TrySetException(
                    new RotationRefusedException(refuse.Refusal, RotationReasonText.Describe(refuse.Refusal))));
                break;
            case TurnCommand.Announce:
                await ApplyAndAnnounceAsync(cancellationToken);
                break;
            default:
                throw new UnreachableException($"{command} is not executed.");
        }
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
            keyPair = await _agent.ReadKeyPairAsync(slot, cancellationToken);
        }
        catch (InvalidOperationException e)
        {
            throw new RotationFailedException($"The key on the device of '{NodeName}' cannot be taken over: {e.Message}");
        }

        if (keyPair is not null)
        {
            var key = Correct(NewKey(slot, keyPair, epoch));
            _ = _ring.Replace(key);
            _state = _state with { HasAdopted = true };
            var publicKey = keyPair.PublicKey.ToShortString();
            LogAdopted(_logger, NodeName, publicKey, key.Epoch, slot);
        }
    }

    private async Task ReplaceAsync(TurnCommand.Replace command, CancellationToken cancellationToken)
    {
        var old = _ring.Find(command.Slot)?.KeyPair.PublicKey;
        var key = MakeKey(command.Slot, command.Epoch).PublicKey;
        TellDeferred(command.Slot, command.Problem);
        if (command.Request is { } request)
        {
            var sequence = await ApplyAndAnnounceAsync(cancellationToken);
            EndCall(request, call => call.TrySetResult(new RotationReceipt(NodeName, old, key, sequence)));
        }
    }

    private async Task<IReadOnlyList<PeerFacts>> SurveyAsync(SlotKey key, CancellationToken cancellationToken)
    {
        // What the devices show has to be as new as the answers: from an old picture a key that a peer depends on could be replaced.
        var answered = await _survey.AskAsync(_delivery.AttemptTimeout, cancellationToken);
        await ApplyToDevicesAsync(cancellationToken);
        var heard = _own.HeldNodes(_members.Others.Select(other => other.Silo));
        var otherServes = _ring.Keys.FirstOrDefault(other => other.Slot != key.Slot)?.ServesEpoch;
        return _survey.Facts(key, otherServes, _agent.Snapshot, answered, heard, _store.Announcements);
    }

    private void TellDeferred(Slot slot, RotationProblem? problem)
    {
        if (problem is not null)
        {
            var text = RotationReasonText.Describe(problem);
            LogDeferred(_logger, NodeName, slot, text);
        }
    }

    private SlotKey NewKey(Slot slot, KeyPair keyPair, Epoch epoch) => new(slot, keyPair, epoch, OwnTime) { MadeAt = Now, HeldSince = Now };

    // The one that it replaces goes when the devices have let go of it.
    private KeyPair MakeKey(Slot slot, Epoch epoch)
    {
        var keyPair = _ring.CreateKeyPair();
        if (_ring.Replace(NewKey(slot, keyPair, epoch)) is { } old)
        {
            _retired.Add(old);
        }

        return keyPair;
    }

    private SlotKey Correct(SlotKey key) => KeyEpochs.Correct(key, _own.FormerSelf, _own.Latest, _schedule, MeshTime, Now);

    // A former self has told what the keys serve; one may be due for replacement now.
    private bool CorrectKeys()
    {
        var changed = _ring.Keys.Select(key => (Old: key, New: Correct(key))).Where(key => key.New != key.Old).ToList();
        changed.ForEach(key => _ = _ring.Replace(key.New));
        return changed.Count > 0;
    }
}
