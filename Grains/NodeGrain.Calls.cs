using Orleans.WireGuard.Grains.Rotation;

namespace Orleans.WireGuard.Grains;

/// <content>Keys that are asked for, and for how long who asks may have to wait.</content>
internal sealed partial class NodeGrain
{
    // For how long a caller of Advance waits for peers that are still moving off the slot.
    private static readonly TimeSpan AdvancePatience = TimeSpan.FromSeconds(3);

    // How long a call may take, and one that comes when the devices have just failed. The second may have waited for the turn in which they did, another
    // call's or the timer's, which ends about as soon with the default ApplyTimeout. Both together are less than Orleans' ResponseTimeout of 10 s, or the
    // caller would get an exception that says nothing.
    private static readonly TimeSpan CallPatience = TimeSpan.FromSeconds(7);
    private static readonly TimeSpan CallPatienceAfterFailure = TimeSpan.FromSeconds(2);

    // Until a later pass succeeds, whoever asked for it.
    private bool HaveDevicesFailed => _failedAtPass is { } failed && (_agent.Snapshot.CompletedPasses <= failed || _agent.Snapshot.Problem is not null);

    // Whatever is not done by then the node goes on with by itself, as after any failure.
    private async Task<RotationReceipt> WithinCall(Func<CancellationToken, Task<RotationReceipt>> call, CancellationToken cancellationToken)
    {
        var patience = HaveDevicesFailed ? CallPatienceAfterFailure : CallPatience;
        using var timeout = new CancellationTokenSource(patience, _timeProvider);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(timeout.Token, cancellationToken);
        try
        {
            return await call(either.Token);
        }
        catch (OperationCanceledException) when (timeout.IsCancellationRequested)
        {
            throw DevicesFailed($"The devices of '{NodeName}' were not brought up to date within {patience}");
        }
    }

    private async Task<RotationReceipt> RotateNow(CancellationToken cancellationToken)
    {
        await SettleKeys(_schedule.KeyEpoch(MeshTime), cancellationToken);
        var key = SlotPhases.ActiveKey(_ring.Keys)!;
        MakeKey(key.Slot, key.Epoch);
        return await AnnounceFor(key.Slot, key.KeyPair.PublicKey, cancellationToken);
    }

    private async Task<RotationReceipt> AdvanceNow(CancellationToken cancellationToken)
    {
        var due = _schedule.KeyEpoch(MeshTime);
        await SettleKeys(due, cancellationToken);
        if (_rotation.ActiveFreeze(Now) is { } until)
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
                throw new RotationFailedException($"Peers still depend on the key that '{NodeName}' would replace. {decision.Problem}. Try again later.");
            }

            await Task.Delay(WaitInterval, _timeProvider, cancellationToken);
        }

        MakeKey(slot, next);
        return await AnnounceFor(slot, old?.KeyPair.PublicKey, cancellationToken);
    }
}
