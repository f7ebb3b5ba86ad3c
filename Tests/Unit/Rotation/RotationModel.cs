using Orleans.WireGuard.Grains.Rotation;
using Orleans.WireGuard.Silo.Agent;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.Unit.Rotation;

/// <summary>A rule that a test breaks on purpose.</summary>
internal enum Break
{
    None,
    RekeyWithoutAsking,
    MoveOnceApplied,
    RetireWithoutAsking,
    SequenceRestarts,
    BothStart,
}

/// <summary>What takes part in a model beside the rotations themselves.</summary>
/// <param name="LastEpoch">Clocks stop here; they begin at <see cref="RotationModel.FirstEpoch"/>.</param>
internal sealed record ModelOptions(byte LastEpoch)
{
    /// <summary>How many silos may die.</summary>
    public int Deaths { get; init; }

    /// <summary>Whether silos restart, once for each epoch of their clock at most.</summary>
    public bool Restarts { get; init; }

    /// <summary>Whether an acknowledgement travels for itself, instead of with the delivery.</summary>
    public bool SlowAcks { get; init; }

    /// <summary>Whether keys are destroyed when nobody uses them any more. Every time is announced, which multiplies the interleavings.</summary>
    public bool Retires { get; init; } = true;

    /// <summary>The rule that is broken.</summary>
    public Break Broken { get; init; }
}

/// <summary>
/// The rotation of a mesh as a state machine. What may happen in any order: clocks advance, keys are replaced, kept and destroyed, announcements
/// and acknowledgements arrive, handshakes complete, routes move, silos die, restart and join.
/// </summary>
/// <remarks>
/// Every decision is made by the rules of the product. A message that is lost is one that arrives later or is overtaken by a newer one, so every
/// loss and reordering is among the interleavings. Writing the own device and announcing is one step, as is asking the others and deciding.
/// </remarks>
internal sealed class RotationModel(ModelOptions options)
{
    /// <summary>The epoch in which every model begins.</summary>
    public const byte FirstEpoch = 11;

    private static readonly TimeSpan Period = TimeSpan.FromSeconds(120);
    private static readonly RotationSchedule Schedule = new("node-1", Period, Slot.Count);
    private static readonly DateTimeOffset Now = TestMesh.Start;

    /// <summary>A mesh at rest: everybody is on the slot of the first epoch, and the other one has the key of the epoch before.</summary>
    public static ModelState Rest(int nodes, int absent = 0)
    {
        var state = new ModelState(nodes);
        for (var node = 0; node < nodes; node++)
        {
            state.Clock(node) = FirstEpoch;
            for (var other = 0; other < nodes; other++)
            {
                state.Route(node, other) = ModelState.None;
            }

            if (node >= nodes - absent)
            {
                state.SetLife(node, Life.Absent);
                continue;
            }

            (state.Key(node, 0), state.Key(node, 1), state.Keys(node)) = (1, 2, 2);
            (state.Serves(node, 0), state.Serves(node, 1)) = (FirstEpoch - 1, FirstEpoch);
            (state.Made(node, 0), state.Made(node, 1)) = (FirstEpoch - 1, FirstEpoch);
            state.SetOwn(node, new Announced(FirstEpoch, 0, 1, FirstEpoch - 1, 2, FirstEpoch));
        }

        foreach (var (node, other) in Pairs(state).Where(pair => state.Own(pair.Node).Exists && state.Own(pair.Other).Exists))
        {
            state.SetHeld(node, other, state.Own(other));
            (state.Route(node, other), state.Acked(other, node)) = (1, 1);
            (state.Answer(node, other), state.AnswerKey(node, other)) = (3, 2);
            state.SetProven(node, other, 0, true);
            state.SetProven(node, other, 1, true);
            state.NoteTalk(node, other);
        }

        return state;
    }

    /// <summary>Every step that is possible, with what comes of it.</summary>
    public IEnumerable<(string Step, ModelState State)> Next(ModelState state)
    {
        for (var node = 0; node < state.Nodes; node++)
        {
            foreach (var step in OfNode(state, node))
            {
                yield return step;
            }
        }

        foreach (var (node, other) in Pairs(state))
        {
            foreach (var step in OfPair(state, node, other))
            {
                yield return step;
            }
        }
    }

    /// <summary>The slots through which a node could reach another, by what its devices show.</summary>
    public static List<PathCandidate> Candidates(ModelState state, int node, int other, bool isAppliedEnough = false)
    {
        var held = state.Held(node, other);
        var candidates = new List<PathCandidate>(Slot.Count);
        for (byte slot = 0; slot < Slot.Count; slot++)
        {
            if (state.Key(node, slot) != 0 && held.Key(slot) != 0)
            {
                var level = SlotLevel.Of(new Epoch(state.Serves(node, slot)), new Epoch(held.Serves(slot)));
                var isProven = isAppliedEnough || state.IsProven(node, other, slot);
                candidates.Add(new PathCandidate(new Slot(slot), level, isProven, isProven));
            }
        }

        return candidates;
    }

    /// <summary>Whether a node is the one to start a handshake.</summary>
    public bool IsStarter(ModelState state, int node, int other, int slot)
    {
        var hasApplied = state.Acked(other, node) != 0 && state.Life(other) == Life.Alive;
        var own = state.Own(node);
        var announced = own.Exists && own.Key(slot) == state.Key(node, slot) ? ToAnnouncement(node, own) : null;
        return options.Broken == Break.BothStart
            ? hasApplied && own.Key(slot) != 0 && state.Held(node, other).Key(slot) != 0
            : HandshakeStarter.ShouldStart(new Slot((byte)slot), announced, ToAnnouncement(other, state.Held(node, other)), hasApplied);
    }

    /// <summary>All ordered pairs.</summary>
    public static IEnumerable<(int Node, int Other)> Pairs(ModelState state) =>
        from node in Enumerable.Range(0, state.Nodes)
        from other in Enumerable.Range(0, state.Nodes)
        where node != other
        select (node, other);

    private IEnumerable<(string, ModelState)> OfNode(ModelState state, int node)
    {
        if (state.Life(node) == Life.Absent)
        {
            yield return ($"{Name(node)} joins", Join(state, node));
        }

        if (state.Life(node) != Life.Alive)
        {
            yield break;
        }

        if (state.Clock(node) < options.LastEpoch)
        {
            var next = state.Copy();
            next.Clock(node)++;
            yield return ($"clock of {Name(node)} advances to {next.Clock(node)}", next);
        }

        foreach (var step in Replace(state, node))
        {
            yield return step;
        }

        if (options.Retires && Retire(state, node) is { } retired)
        {
            yield return retired;
        }

        if (Enumerable.Range(0, state.Nodes).Count(other => state.Life(other) == Life.Dead) < options.Deaths)
        {
            var next = state.Copy();
            next.SetLife(node, Life.Dead);
            yield return ($"silo of {Name(node)} dies", next);
        }

        if (options.Restarts && state.RestartedIn(node) != state.Clock(node))
        {
            var own = state.Own(node);
            var next = state.Copy();
            next.RestartedIn(node) = state.Clock(node);
            var sequence = Sequence(state, node, options.Broken == Break.SequenceRestarts ? null : own, isRestart: options.Broken == Break.SequenceRestarts);
            Announce(next, node, sequence);
            foreach (var (_, other) in Pairs(state).Where(pair => pair.Node == node))
            {
                // Its devices show the handshakes as before, but nobody has answered it yet.
                next.Answer(node, other) = 0;
            }

            yield return ($"silo of {Name(node)} restarts", next);
        }
    }

    private IEnumerable<(string, ModelState)> OfPair(ModelState state, int node, int other)
    {
        if (state.Life(node) != Life.Alive)
        {
            yield break;
        }

        var own = state.Own(other);
        var held = state.Held(node, other);
        if (own.Exists && ToSequence(own) > ToSequence(held))
        {
            yield return ($"announcement {own.Epoch}.{own.Revision} of {Name(other)} reaches {Name(node)}", Deliver(state, node, other));
        }

        if (options.SlowAcks && own.Exists && own == held && state.Acked(node, other) == 0)
        {
            var next = state.Copy();
            next.Acked(node, other) = 1;
            yield return ($"acknowledgement of {Name(node)} reaches {Name(other)}", next);
        }

        var current = state.Route(node, other) == ModelState.None ? (Slot?)null : new Slot(state.Route(node, other));
        if (Choose(state, node, other) is { } chosen && chosen != current)
        {
            yield return ($"{Name(node)} moves its route to {Name(other)} to slot {chosen}", Move(state, node, other, chosen));
        }

        foreach (var candidate in Candidates(state, node, other))
        {
            var slot = candidate.Slot.Index;
            var canShakeHands = state.Key(other, slot) == held.Key(slot) && state.Held(other, node).Key(slot) == state.Key(node, slot);
            if (canShakeHands && PathChooser.IsWanted(candidate, Candidates(state, node, other), current) && IsStarter(state, node, other, slot))
            {
                var next = state.Copy();
                next.SetProven(node, other, slot, true);
                next.SetProven(other, node, slot, true);
                if (!next.Bytes.AsSpan().SequenceEqual(state.Bytes))
                {
                    yield return ($"{Name(node)} and {Name(other)} shake hands on slot {slot}", next);
                }
            }
        }
    }

    private IEnumerable<(string, ModelState)> Replace(ModelState state, int node)
    {
        var due = Schedule.KeyEpoch(Schedule.RotationAt(new Epoch(state.Clock(node))));
        var slot = Schedule.SlotOf(due).Index;
        if (state.Key(node, slot) != 0 && state.Serves(node, slot) >= due.Value)
        {
            yield break;
        }

        var asked = Ask(state, node);
        var lagging = options.Broken == Break.RekeyWithoutAsking ? [] : FindLagging(asked, node, slot);
        foreach (var overdue in (TimeSpan[])[TimeSpan.Zero, Period])
        {
            TimeSpan? age = state.Key(node, slot) == 0 ? null : Period;
            var situation = new RotationSituation(age, overdue, IsFrozen: false, lagging, state.Nodes - 1);
            var action = RotationPlan.Decide(situation, Period, TimeSpan.MaxValue, 0).Action;
            var next = asked.Copy();
            if (action == RotationAction.Replace)
            {
                PutKey(next, node, slot, (byte)due.Value);
                Announce(next, node, Sequence(next, node, next.Own(node)));
                yield return ($"{Name(node)} replaces its key of slot {slot} for epoch {due}", next);
                yield break;
            }

            if (action == RotationAction.Keep)
            {
                next.Serves(node, slot) = (byte)due.Value;
                Announce(next, node, Sequence(next, node, next.Own(node)));
                yield return ($"{Name(node)} keeps its key of slot {slot} for epoch {due}", next);
            }
        }
    }

    private (string, ModelState)? Retire(ModelState state, int node)
    {
        var keys = Enumerable.Range(0, Slot.Count).Where(slot => state.Key(node, slot) != 0)
            .Select(slot => new SlotEpochs(new Slot((byte)slot), new Epoch(state.Made(node, slot)), new Epoch(state.Serves(node, slot))));
        if (SlotPhases.FindDraining([.. keys])?.Index is not { } slot
            || Enumerable.Range(0, state.Nodes).Any(other => other != node && state.Route(node, other) == slot))
        {
            return null;
        }

        var next = Ask(state, node);
        if (options.Broken != Break.RetireWithoutAsking && FindLagging(next, node, slot).Count > 0)
        {
            return null;
        }

        PutKey(next, node, slot, 0);
        (next.Key(node, slot), next.Keys(node)) = (0, state.Keys(node));
        Announce(next, node, Sequence(next, node, next.Own(node)));
        return ($"{Name(node)} destroys its key of slot {slot}", next);
    }

    // Whoever is alive says through which slot it sends; of the dead there is what they said last. Then the asking node looks at its own devices,
    // and its routes follow what is proven there.
    private ModelState Ask(ModelState state, int node)
    {
        var next = state.Copy();
        foreach (var (_, other) in Pairs(state).Where(pair => pair.Node == node && state.Life(pair.Other) == Life.Alive))
        {
            var route = state.Route(other, node);
            next.Answer(node, other) = (byte)(route == ModelState.None ? 1 : 2 + route);
            next.AnswerKey(node, other) = route == ModelState.None ? (byte)0 : state.Held(other, node).Key(route);
        }

        foreach (var (_, other) in Pairs(state).Where(pair => pair.Node == node))
        {
            if (Choose(next, node, other) is { } chosen)
            {
                next = Move(next, node, other, chosen);
            }
        }

        return next;
    }

    private static IReadOnlyList<LaggingNode> FindLagging(ModelState state, int node, int slot) => LaggardRules.Find(
        new Slot((byte)slot),
        ToKey(node, state.Key(node, slot)),
        isOnly: false,
        from other in Enumerable.Range(0, state.Nodes)
        where other != node && state.Life(other) != Life.Absent
        let answer = state.Answer(node, other)
        let path = answer < 2 ? null : new PathStatus(Name(node), new Slot((byte)(answer - 2)), ToKey(node, state.AnswerKey(node, other)), IsProven: true)
        select new PeerFacts(
            Name(other),
            IsLive: true,
            state.IsProven(node, other, slot),
            state.Life(other) == Life.Alive,
            path,
            answer != 0,
            state.Route(node, other) == ModelState.None ? null : new Slot(state.Route(node, other)),
            // Pods send all the time, so what is routed through the slot also comes in there.
            state.Route(other, node) == slot ? Now : null),
        Now.AddSeconds(-1));

    private static void PutKey(ModelState state, int node, int slot, byte serves)
    {
        (state.Key(node, slot), state.Serves(node, slot), state.Made(node, slot)) = (++state.Keys(node), serves, serves);
        foreach (var (_, other) in Pairs(state).Where(pair => pair.Node == node))
        {
            state.SetProven(node, other, slot, false);
        }
    }

    private Slot? Choose(ModelState state, int node, int other)
    {
        var current = state.Route(node, other) == ModelState.None ? (Slot?)null : new Slot(state.Route(node, other));
        return PathChooser.Choose(Candidates(state, node, other, options.Broken == Break.MoveOnceApplied), current);
    }

    private static ModelState Join(ModelState state, int node)
    {
        var next = state.Copy();
        next.SetLife(node, Life.Alive);
        for (byte slot = 0; slot < Slot.Count; slot++)
        {
            PutKey(next, node, slot, (byte)Schedule.LatestOf(new Slot(slot), new Epoch(state.Clock(node))).Value);
        }

        Announce(next, node, Sequence(next, node, null));
        return next;
    }

    private ModelState Deliver(ModelState state, int node, int other)
    {
        var next = state.Copy();
        var (before, now) = (state.Held(node, other), state.Own(other));
        next.SetHeld(node, other, now);
        next.Acked(node, other) = (byte)(options.SlowAcks ? 0 : 1);
        for (var slot = 0; slot < Slot.Count; slot++)
        {
            if (before.Key(slot) != now.Key(slot))
            {
                next.SetProven(node, other, slot, false);
            }
        }

        return next;
    }

    private static ModelState Move(ModelState state, int node, int other, Slot slot)
    {
        var next = state.Copy();
        next.Route(node, other) = (byte)slot.Index;
        if (state.IsProven(node, other, slot.Index))
        {
            next.NoteTalk(node, other);
        }

        return next;
    }

    private static AnnouncementSequence Sequence(ModelState state, int node, Announced? held, bool isRestart = false)
    {
        var now = new Epoch(state.Clock(node)).Start(Period).AddMilliseconds(isRestart ? 0 : state.Ticks(node) + 1);
        return AnnouncementSequence.Next(held is { Exists: true } announced ? ToSequence(announced) : null, now, Period);
    }

    private static void Announce(ModelState state, int node, AnnouncementSequence sequence)
    {
        state.Ticks(node)++;
        state.SetOwn(node, new Announced(
            (byte)sequence.Epoch.Value, (byte)sequence.Revision, state.Key(node, 0), state.Serves(node, 0), state.Key(node, 1), state.Serves(node, 1)));
        foreach (var (_, other) in Pairs(state).Where(pair => pair.Node == node))
        {
            state.Acked(other, node) = 0;
        }
    }

    /// <summary>The sequence of an announcement.</summary>
    public static AnnouncementSequence ToSequence(Announced announced) => new(new Epoch(announced.Epoch), announced.Revision);

    private static PeerAnnouncement ToAnnouncement(int node, Announced announced) => new()
    {
        NodeName = Name(node),
        Identity = default,
        Sequence = ToSequence(announced),
        Slots = Enumerable.Range(0, Slot.Count).Where(slot => announced.Key(slot) != 0).Select(slot => new SlotAnnouncement(
            new Slot((byte)slot), ToKey(node, announced.Key(slot)), new Epoch(announced.Serves(slot)), 0)).ToEquatableArray(),
        Endpoints = [],
        AllowedIPs = [],
        IssuedAt = Now,
    };

    private static PublicKey ToKey(int node, byte number) => TestMesh.Key((node << 8) + number);

    private static string Name(int node) => TestMesh.Name(node + 1);
}
