using Orleans.WireGuard.Grains.Clocks;
using Orleans.WireGuard.Grains.Rotation;

namespace Orleans.WireGuard.Grains;

/// <content>Keys that are asked for, and for how long who asks may have to wait.</content>
/// <remarks>
/// A call only notes what it wants, and waits outside of the grain's turns, as every call of this grain does: one that waited within them
/// would keep everything else from being answered, a freeze above all. The timer's turn alone makes and destroys keys.
/// </remarks>
internal sealed partial class NodeGrain
{
    private readonly Dictionary<long, TaskCompletionSource<RotationReceipt>> _calls = [];
    private long _lastCall;

    // Until a later pass succeeds, whoever asked for it.
    private bool HaveDevicesFailed =>
        _state.FailedAtPass is { } failed && (_agent.Snapshot.CompletedPasses <= failed || _agent.Snapshot.Problem is not null);

    // A key that was made by then the node goes on with by itself, as after any failure.
    private async Task<RotationReceipt> AskAsync(bool isAdvance, CancellationToken cancellationToken)
    {
        var patience = HaveDevicesFailed ? RotationTiming.CallPatienceAfterFailure : RotationTiming.CallPatience;
        var request = new KeyRequest(++_lastCall, isAdvance, Now);
        var call = new TaskCompletionSource<RotationReceipt>(TaskCreationOptions.RunContinuationsAsynchronously);
        _calls.Add(request.Number, call);
        _state = _state with { Postponed = _state.Postponed.Add(request) };
        WakeUp();
        try
        {
            return await call.Task.WaitAsync(patience, _timeProvider, cancellationToken);
        }
        catch (TimeoutException)
        {
            throw DevicesFailed($"The devices of '{NodeName}' were not brought up to date within {patience}");
        }
        finally
        {
            // Who has given up hears of nothing any more, and a key that was not made yet is not made.
            _calls.Remove(request.Number);
            _state = _state.Without(request);
        }
    }

    private void EndCall(KeyRequest request, Action<TaskCompletionSource<RotationReceipt>> end)
    {
        if (_calls.GetValueOrDefault(request.Number) is { } call)
        {
            end(call);
        }
    }
}
