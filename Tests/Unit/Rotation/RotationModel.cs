using System.Runtime.InteropServices;
using Orleans.WireGuard.Grains.Clocks;
using Orleans.WireGuard.Grains.Rotation;
using Orleans.WireGuard.Silo.Agent;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.Unit.Rotation;

/// <summary>
/// The rotation of a mesh as a state machine. What may happen in any order: clocks advance, keys are replaced, kept and destroyed,
/// announcements and acknowledgements arrive, handshakes complete, routes move, silos die, restart and join.
/// </summary>
/// <remarks>
/// Every decision is made by the rules of the product. A message that is lost is one that arrives later or is overtaken by a newer one, so
/// every loss and reordering is among the interleavings. Writing the own device and announcing is one step, as is asking the others and
/// deciding.
/// </remarks>
internal sealed partial class RotationModel(ModelOptions options)
{
    /// <summary>The epoch in which every model begins.</summary>
    public const byte FirstEpoch = 11;

    // More take days.
    private const int MaxNodes = 4;

    private static readonly TimeSpan Period = TimeSpan.FromSeconds(120);
    private static readonly TimeSpan Grace = TimeSpan.FromSeconds(1);
    private static readonly RotationSchedule Schedule = new("node-1", Period, Slot.Count);
    private static readonly DateTimeOffset Now = TestMesh.Start;
    private static readonly SteadyTime SteadyNow = TestMesh.SteadyAt(0);
    private static readonly (int Node, int Other)[][] PairsOf =
    [
        .. from nodes in Enumerable.Range(0, MaxNodes + 1)
           select (from node in Enumerable.Range(0, nodes)
                   from other in Enumerable.Range(0, nodes)
                   where node != other
                   select (node, other)).ToArray(),
    ];

    // Making them took most of the time.
    private readonly Dictionary<(int Node, Announced Announced), PeerAnnouncement> _announcements = [];

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
    public IEnumerable<ModelStep> Next(ModelState state)
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

    /// <summary>The ways in which the announcements of two nodes may be ordered.</summary>
    public IReadOnlyList<Older> Orders { get; } = options.Reduced ? [Older.First, Older.Second] : [Older.AsAnnounced];

    /// <summary>Whether a node is the one to start a handshake.</summary>
    public bool IsStarter(ModelState state, int node, int other, int slot, Older older)
    {
        var hasApplied = state.Acked(other, node) != 0 && state.Life(other) == Life.Alive;
        var own = state.Own(node);
        var announced = own.Exists && own.Key(slot) == state.Key(node, slot) ? ToAnnouncement(node, Order(own, node < other, older)) : null;
        return options.Broken == Break.BothStart
            ? hasApplied && own.Key(slot) != 0 && state.Held(node, other).Key(slot) != 0
            : HandshakeStarter.ShouldStart(
                new Slot((byte)slot), announced, ToAnnouncement(other, Order(state.Held(node, other), other < node, older)), hasApplied);
    }

    // A tie is decided by the keys, as if one of the two were older.
    private static Announced Order(Announced announced, bool isFirst, Older older) =>
        older == Older.AsAnnounced
            ? announced
            : announced with { Epoch = FirstEpoch, Revision = (byte)(isFirst == (older == Older.First) ? 0 : 1) };

    /// <summary>All ordered pairs.</summary>
    public static IReadOnlyList<(int Node, int Other)> Pairs(ModelState state) => PairsOf[state.Nodes];

    private static AnnouncementSequence Sequence(ModelState state, int node, Announced? held, bool isRestart = false)
    {
        // Sequences count seconds; here an epoch has one.
        var now = new Epoch(state.Clock(node)).Start(AnnouncementSequence.Unit).AddMilliseconds(isRestart ? 0 : state.Ticks(node) + 1);
        return AnnouncementSequence.Next(held is { Exists: true } announced ? ToSequence(announced) : null, now);
    }

    private static void Announce(ModelState state, int node, AnnouncementSequence sequence)
    {
        state.Ticks(node)++;
        state.SetOwn(node, new Announced(
            (byte)sequence.Epoch.Value, (byte)sequence.Revision, state.Key(node, 0),
            state.Serves(node, 0), state.Key(node, 1), state.Serves(node, 1)));
        foreach (var (_, other) in Pairs(state).Where(pair => pair.Node == node))
        {
            state.Acked(other, node) = 0;
        }
    }

    /// <summary>The sequence of an announcement.</summary>
    public static AnnouncementSequence ToSequence(Announced announced) => new(new Epoch(announced.Epoch), announced.Revision);

    private PeerAnnouncement ToAnnouncement(int node, Announced announced)
    {
        ref var announcement = ref CollectionsMarshal.GetValueRefOrAddDefault(_announcements, (node, announced), out _);
        return announcement ??= Make(node, announced);
    }

    private static PeerAnnouncement Make(int node, Announced announced) => new()
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
