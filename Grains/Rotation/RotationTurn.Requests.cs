using Orleans.WireGuard.Grains.Clocks;

namespace Orleans.WireGuard.Grains.Rotation;

/// <content>Keys that somebody waits for.</content>
internal sealed partial class RotationTurn
{
    private TurnStep Answer(RotationState state, TurnFacts facts)
    {
        while (state.Open is [var request, ..])
        {
            if (!request.IsAdvance)
            {
                return RotateNow(state.Without(request), request, facts);
            }

            var (next, command) = Advance(state, request with { Epoch = request.Epoch ?? new Epoch(state.Due.Value + 1) }, facts);
            if (command is not null)
            {
                return new TurnStep(next, command);
            }

            state = next;
        }

        return Replace(state.Enter(TurnStage.Replacing), facts);
    }

    private TurnStep RotateNow(RotationState state, KeyRequest request, TurnFacts facts)
    {
        var active = facts.Keys.MaxBy(key => key.Epochs.Serves).Epochs;
        var epoch = KeyEpochs.OfReplacement(active, state.Due, schedule);
        return new TurnStep(state.Rotated(facts.Now), new TurnCommand.Replace(active.Slot, epoch) { Request = request });
    }

    // Without a command the request waits for the next turn.
    private (RotationState State, TurnCommand? Command) Advance(RotationState state, KeyRequest request, TurnFacts facts)
    {
        var epoch = request.Epoch!.Value;
        var slot = schedule.SlotOf(epoch);
        if (FindObstacle(epoch, state, facts) is { } obstacle)
        {
            return Refuse(NoteAnswer(state, facts) with { Survey = null }, request, obstacle);
        }

        if (NeedsSurvey(slot, state, facts))
        {
            return (state with { Open = state.Open.SetItem(0, request) }, new TurnCommand.Survey(slot) { Request = request });
        }

        var decision = Judge(slot, TimeSpan.Zero, state, facts);
        state = state with { Lagging = FindLagging(state, facts), Survey = null };
        if (decision.Action == RotationAction.Replace)
        {
            return (state.Without(request).Rotated(facts.Now), new TurnCommand.Replace(slot, epoch) { Request = request });
        }

        if (facts.Now - request.AskedAt > RotationTiming.AdvancePatience)
        {
            return Refuse(state, request, new RotationRefusal(RotationRefusalCode.PeersDepend, nodeName, Until: null, decision.Problem));
        }

        state = state.Without(request);
        return (state with { Postponed = state.Postponed.Add(request) }, null);
    }

    private static (RotationState State, TurnCommand? Command) Refuse(RotationState state, KeyRequest request, RotationRefusal refusal) =>
        (state.Without(request), new TurnCommand.Refuse(refusal) { Request = request });

    private RotationRefusal? FindObstacle(Epoch next, RotationState state, TurnFacts facts) =>
        state.ActiveFreeze(facts.Now) is { } until ? new RotationRefusal(RotationRefusalCode.Frozen, nodeName, until, Problem: null)
        : facts.Find(schedule.SlotOf(next))?.Epochs.Serves >= next
            ? new RotationRefusal(RotationRefusalCode.HasKey, nodeName, schedule.RotationAt(next), Problem: null)
        : null;
}
