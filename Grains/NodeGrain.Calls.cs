using Orleans.WireGuard.Grains.Reasons;
using Orleans.WireGuard.Grains.Rotation;

namespace Orleans.WireGuard.Grains;

/// <content>Keys that are asked for, and for how long who asks may have to wait.</content>
/// <remarks>
/// A call only notes what it wants, and waits outside of the grain's turns, as every call of this grain does: one that waited within them
/// would keep everything else from being answered, a freeze above all. The timer's turn alone makes and destroys keys.
/// </remarks>
internal sealed partial class NodeGrain
{
    // For how long a caller of Advance waits for peers that are still moving off the slot.
    private static readonly TimeSpan AdvancePatience = TimeSpan.FromSeconds(3);

    // How long a call may take, and one that comes when the devices have just failed. The second may have waited for the turn in which they
    // did, another call's or the timer's, which ends about as soon with the default ApplyTimeout. Both together are less than Orleans'
    // ResponseTimeout of 10 s, or the caller would get an exception that says nothing.
    private static readonly TimeSpan CallPatience = TimeSpan.FromSeconds(7);
    private static readonly TimeSpan CallPatienceAfterFailure = TimeSpan.FromSeconds(2);

    private readonly Queue<KeyRequest> _requests = [];

    // Until a later pass succeeds, whoever asked for it.
    private bool HaveDevicesFailed =>
        _failedAtPass is { } failed && (_agent.Snapshot.CompletedPasses <= failed || _agent.Snapshot.Problem is not null);

    // Whatever is not done by then the node goes on with by itself, as after any failure.
    private async Task<RotationReceipt> AskAsync(bool isAdvance, CancellationToken cancellationToken)
    {
        var patience = HaveDevicesFailed ? CallPatienceAfterFailure : CallPatience;
        var request = new KeyRequest(isAdvance, Now);
        _requests.Enqueue(request);
        WakeUp();
        try
        {
            return await request.Done.Task.WaitAsync(patience, _timeProvider, cancellationToken);
        }
        catch (TimeoutException)
        {
            throw DevicesFailed($"The devices of '{NodeName}' were not brought up to date within {patience}");
        }
        finally
        {
            request.Done.TrySetCanceled(CancellationToken.None);
        }
    }

    // Those that wait for peers are looked at again in the next turn.
    private async Task AnswerRequestsAsync(Epoch due, CancellationToken cancellationToken)
    {
        for (var count = _requests.Count; count > 0; count--)
        {
            var request = _requests.Dequeue();
            try
            {
                // Who has given up hears of nothing any more, and wants no key.
                if (!request.Done.Task.IsCompleted && !await TryAnswerAsync(request, due, cancellationToken))
                {
                    _requests.Enqueue(request);
                }
            }
            catch (Exception e)
            {
                // The caller hears of it; the node goes on trying without the caller.
                request.Done.TrySetException(e);
                throw;
            }
        }
    }

    private Task<bool> TryAnswerAsync(KeyRequest request, Epoch due, CancellationToken cancellationToken) =>
        request.IsAdvance ? TryAdvanceAsync(request, due, cancellationToken) : RotateNowAsync(request, due, cancellationToken);

    private async Task<bool> RotateNowAsync(KeyRequest request, Epoch due, CancellationToken cancellationToken)
    {
        var key = SlotPhases.ActiveKey(_ring.Keys)!;
        MakeKey(key.Slot, KeyEpochs.OfReplacement(key, due, _schedule));
        await AnnounceForAsync(request, key.Slot, key.KeyPair.PublicKey, cancellationToken);
        return true;
    }

    private async Task<bool> TryAdvanceAsync(KeyRequest request, Epoch due, CancellationToken cancellationToken)
    {
        // The one that was the next when it was asked for: its time may come while peers are waited for.
        var next = request.Epoch ??= new Epoch(due.Value + 1);
        var slot = _schedule.SlotOf(next);
        if (FindObstacle(next) is { } obstacle)
        {
            return request.Refuse(obstacle);
        }

        var decision = await DecideAsync(slot, TimeSpan.Zero, cancellationToken);

        // Somebody may have frozen the node meanwhile.
        if (FindObstacle(next) is { } late)
        {
            return request.Refuse(late);
        }

        if (decision.Action != RotationAction.Replace)
        {
            return Now - request.AskedAt > AdvancePatience
                && request.Refuse(new RotationRefusal(RotationRefusalCode.PeersDepend, NodeName, Until: null, decision.Problem));
        }

        var old = _ring.Find(slot);
        MakeKey(slot, next);
        await AnnounceForAsync(request, slot, old?.KeyPair.PublicKey, cancellationToken);
        return true;
    }

    private RotationRefusal? FindObstacle(Epoch next) =>
        _rotation.ActiveFreeze(Now) is { } until ? new RotationRefusal(RotationRefusalCode.Frozen, NodeName, until, Problem: null)
        : _ring.Find(_schedule.SlotOf(next))?.ServesEpoch >= next
            ? new RotationRefusal(RotationRefusalCode.HasKey, NodeName, _schedule.RotationAt(next), Problem: null)
        : null;

    private async Task AnnounceForAsync(KeyRequest request, Slot slot, PublicKey? old, CancellationToken cancellationToken)
    {
        var sequence = await ApplyAndAnnounceAsync(cancellationToken);
        request.Done.TrySetResult(new RotationReceipt(NodeName, old, _ring.Find(slot)!.KeyPair.PublicKey, sequence));
    }

    /// <summary>A key that somebody waits for.</summary>
    private sealed class KeyRequest(bool isAdvance, SteadyTime askedAt)
    {
        /// <summary>Whether it is the key of the next epoch, brought forward, and not one in place of the present one.</summary>
        public bool IsAdvance => isAdvance;

        /// <summary>When it was asked for.</summary>
        public SteadyTime AskedAt => askedAt;

        /// <summary>The epoch that is brought forward; <see langword="null"/> until it was looked at.</summary>
        public Epoch? Epoch { get; set; }

        /// <summary>The answer. Over as well when the caller has given up.</summary>
        public TaskCompletionSource<RotationReceipt> Done { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        /// <summary>Answers that it will not be.</summary>
        /// <returns>True: it is answered.</returns>
        public bool Refuse(RotationRefusal refusal)
        {
            Done.TrySetException(new RotationRefusedException(refusal, RotationReasonText.Describe(refusal)));
            return true;
        }
    }
}
