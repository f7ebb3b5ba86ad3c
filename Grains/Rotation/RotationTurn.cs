using Orleans.WireGuard.Grains.Clocks;

namespace Orleans.WireGuard.Grains.Rotation;

/// <summary>Decides, step by step, what a node does with its keys in one turn. Pure: the NodeGrain executes it.</summary>
/// <remarks>
/// Before a key goes, the others are asked; what they say is part of the state in the next step, which looks at everything again: meanwhile
/// an operator may have frozen the node, and a former self may have said what the keys serve.
/// <code>
/// adopt or make the first keys
///   ─▶ answer requests            asks the others first
///   ─▶ replace or keep what is due          likewise
///   ─▶ share a slot
///   ─▶ retire a quiet slot                  likewise
///   ─▶ announce ─▶ rest
/// </code>
/// The simulation of whole meshes runs this very function, and the model checker does where keys are replaced and retired.
/// </remarks>
/// <param name="nodeName">This node, as refusals call it.</param>
/// <param name="schedule">When its keys are due, and in which slot.</param>
/// <param name="timing">How long it waits.</param>
/// <param name="options">How many slots it has, and how old a key may become.</param>
internal sealed partial class RotationTurn(string nodeName, RotationSchedule schedule, RotationTiming timing, RotationOptions options)
{
    /// <summary>The next step of a turn that <see cref="RotationState.Begin"/> began.</summary>
    public TurnStep Decide(RotationState state, TurnFacts facts) => state.Stage switch
    {
        TurnStage.Settling => Settle(state, facts),
        TurnStage.Answering => Answer(state, facts),
        TurnStage.Replacing => Replace(state, facts),
        TurnStage.Sharing => Share(state, facts),
        TurnStage.Retiring => Retire(state, facts),
        TurnStage.Announcing => Announce(state, facts),
        _ => Rest(state, facts),
    };

    private TurnStep Settle(RotationState state, TurnFacts facts)
    {
        if (facts.IsSettled)
        {
            return Answer(state.Enter(TurnStage.Answering), facts);
        }

        var slots = Enumerable.Range(0, options.Slots).Select(index => new Slot((byte)index))
            .Select(slot => (slot, schedule.LatestOf(slot, state.Due))).ToList();
        return state.HasReadDevices
            ? new TurnStep(state, new TurnCommand.Settle(facts.Keys.Count == 0 ? slots : []))
            : new TurnStep(
                state with { HasReadDevices = true }, new TurnCommand.Adopt([.. slots.Where(slot => facts.Find(slot.slot) is null)]));
    }

    private TurnStep Replace(RotationState state, TurnFacts facts)
    {
        var ofTheFuture = facts.Keys.Select(key => (Old: key.Epochs, New: KeyEpochs.WithoutFuture(key.Epochs, state.Due, schedule)))
            .Where(key => key.New != key.Old).Select(key => key.New).ToList();
        if (ofTheFuture.Count > 0)
        {
            // Others choose their slots by what is announced, so this is announced first. A key that is due waits for the next turn.
            return new TurnStep(state.Enter(TurnStage.Sharing) with { IsWaiting = true }, new TurnCommand.Reckon(ofTheFuture));
        }

        var slot = schedule.SlotOf(state.Due);
        if (!IsDue(slot, state, facts))
        {
            return Share(NoteAnswer(state, facts).Enter(TurnStage.Sharing), facts);
        }

        if (NeedsSurvey(slot, state, facts))
        {
            return new TurnStep(state, new TurnCommand.Survey(slot));
        }

        var decision = Judge(slot, facts.MeshTime - schedule.RotationAt(state.Due), state, facts);
        state = state.Enter(TurnStage.Sharing) with
        {
            Lagging = FindLagging(state, facts),
            Problem = decision.Problem,
            IsWaiting = decision.Action == RotationAction.Wait,
        };
        return decision.Action switch
        {
            RotationAction.Wait => Share(state, facts),
            RotationAction.Keep => new TurnStep(
                state with { Deferrals = state.Deferrals + (decision.Problem is null ? 0 : 1) },
                new TurnCommand.Reckon([facts.Find(slot)!.Value.Epochs with { Serves = state.Due }], decision.Problem)),
            _ => new TurnStep(state.Rotated(facts.Now), new TurnCommand.Replace(slot, state.Due, decision.Problem)),
        };
    }

    private TurnStep Share(RotationState state, TurnFacts facts) =>
        FindMissing(facts, [.. facts.Keys.Select(key => key.Slot)], isActiveOnly: true) is [var (slot, peer), ..]
            ? new TurnStep(state, new TurnCommand.Share(slot, schedule.LatestOf(slot, state.Due), peer))
            : Retire(state.Enter(TurnStage.Retiring), facts);

    private TurnStep Retire(RotationState state, TurnFacts facts)
    {
        var hasAsked = state.Survey is not null;
        state = NoteAnswer(state, facts);
        if (FindDraining(facts) is { } slot && MayRetire(slot, state, facts))
        {
            if (hasAsked && state.Survey!.Slot == slot && state.Lagging.Count == 0)
            {
                // Announced as well: a restarted node that finds an old session there must not take the slot for one that works.
                return new TurnStep(state.Enter(TurnStage.Announcing), new TurnCommand.Retire(slot));
            }

            // Asking costs a call for each node, so first what can be told from here.
            if (!hasAsked && facts.Now >= state.AskAgainAt && IsQuiet(slot, facts))
            {
                return new TurnStep(state with { AskAgainAt = facts.Now + timing.Grace }, new TurnCommand.Survey(slot));
            }
        }

        return Announce(state.Enter(TurnStage.Announcing), facts);
    }

    private TurnStep Announce(RotationState state, TurnFacts facts) => IsHeard(state, facts) && facts.IsAnnouncementDue
        ? new TurnStep(state.Enter(TurnStage.Over), new TurnCommand.Announce())
        : Rest(state.Enter(TurnStage.Over), facts);

    private TurnStep Rest(RotationState state, TurnFacts facts) =>
        new(state, new TurnCommand.Rest(IsHeard(state, facts) ? NextDelay(state, facts) : RotationTiming.SyncInterval));

    // Others may know that an adopted key is older than it seems, or may have what this node's object claims, and what is announced once
    // is not taken back.
    private static bool IsHeard(RotationState state, TurnFacts facts) =>
        facts.IsSynced || (!facts.IsDisputed && (!state.HasAdopted || facts.IsFormerSelfKnown));

    private TimeSpan NextDelay(RotationState state, TurnFacts facts)
    {
        // This turn may have corrected the clock, so the time may lie more than a period away.
        var next = schedule.DelayUntil(new Epoch(state.Due.Value + 1), facts.MeshTime);
        next = next < timing.Period ? next : timing.Period;
        next = (state.IsWaiting || state.HasRequests) && timing.WaitInterval < next ? timing.WaitInterval : next;

        // A node without a slot in common may be announced before it is seen to be an active member.
        var isLooking = FindDraining(facts) is not null
            || FindMissing(facts, [.. facts.Keys.Select(key => key.Slot)], isActiveOnly: false).Count > 0;
        return isLooking && timing.LookInterval < next ? timing.LookInterval : next;
    }

    // Where the key of the next epoch was brought forward, the slot of this one may be empty again. It is filled in its next turn: a key
    // that was made now would carry nothing, and go as soon as it had been quiet for the grace period.
    private static bool IsDue(Slot slot, RotationState state, TurnFacts facts) => facts.Find(slot) is { } key
        ? key.Epochs.Serves < state.Due
        : !facts.Keys.Any(other => other.Epochs.Serves > state.Due);

    // An empty slot has nobody who depends on it, and what was said of another key tells nothing of this one.
    private static bool NeedsSurvey(Slot slot, RotationState state, TurnFacts facts) =>
        facts.Find(slot) is { } key && !(state.Survey is { } survey && survey.Slot == slot && survey.PublicKey == key.PublicKey);

    private RotationDecision Judge(Slot slot, TimeSpan overdue, RotationState state, TurnFacts facts)
    {
        var situation = new RotationSituation(
            facts.Now - facts.Find(slot)?.MadeAt,
            overdue,
            state.ActiveFreeze(facts.Now) is not null,
            FindLagging(state, facts),
            state.Survey?.Peers.Count(peer => peer.IsLive) ?? 0);
        return RotationPlan.Decide(situation, timing.Patience, options.EffectiveMaxKeyAge, options.MaxLaggingFraction);
    }

    // Where nobody was asked, what was found last is still shown.
    private RotationState NoteAnswer(RotationState state, TurnFacts facts) =>
        state.Survey is null ? state : state with { Lagging = FindLagging(state, facts) };

    private IReadOnlyList<LaggingNode> FindLagging(RotationState state, TurnFacts facts) => state.Survey is { } survey
        ? LaggardRules.Find(survey.Slot, survey.PublicKey, options.Slots == 1, survey.Peers, facts.Now - timing.Grace)
        : [];

    private static Slot? FindDraining(TurnFacts facts) => SlotPhases.FindDraining([.. facts.Keys.Select(key => key.Epochs)]);

    // Others choose their slots by what is announced, so that comes first.
    private bool MayRetire(Slot slot, RotationState state, TurnFacts facts) =>
        !facts.IsAnnouncementDue && state.ActiveFreeze(facts.Now) is null && !IsNeeded(slot, facts);

    private bool IsQuiet(Slot slot, TurnFacts facts) => RetireRules.IsQuiet(
        slot, facts.Keys.MaxBy(key => key.Epochs.Serves).MadeAt, facts.Agent, facts.Now - timing.Grace);

    // The peer may not have got our key yet, and then nothing else would tell that it depends on the slot.
    private bool IsNeeded(Slot slot, TurnFacts facts) =>
        FindMissing(facts, [.. facts.Keys.Select(key => key.Slot).Where(other => other != slot)], isActiveOnly: true)
            .Any(missing => missing.Slot == slot);

    private IReadOnlyList<(Slot Slot, string NodeName)> FindMissing(TurnFacts facts, IReadOnlyCollection<Slot> own, bool isActiveOnly) =>
        SlotSharing.FindMissing(own, options.Slots, facts.Others.Where(other => !isActiveOnly || facts.Active.Contains(other.NodeName)));
}
