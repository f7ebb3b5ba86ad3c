using System.Collections.Immutable;
using Orleans.WireGuard.Grains.Agent;
using Orleans.WireGuard.Grains.Clocks;

namespace Orleans.WireGuard.Grains.Rotation;

/// <summary>
/// What a NodeGrain remembers of its rotations from one step to the next, and shows. The keys are in the <see cref="KeyRing"/>.
/// </summary>
/// <remarks>A value: <see cref="RotationTurn"/> says what comes next, and calls that come meanwhile make their own change of it.</remarks>
internal sealed record RotationState
{
    /// <summary>Where the turn is that is under way, or was last.</summary>
    public TurnStage Stage { get; init; } = TurnStage.Over;

    /// <summary>The epoch whose key was due when the turn began.</summary>
    public Epoch Due { get; init; }

    /// <summary>Whether the devices have been read in this turn.</summary>
    public bool HasReadDevices { get; init; }

    /// <summary>What the others have just said of a key; <see langword="null"/> if they were not asked in this stage of the turn.</summary>
    public SurveyAnswer? Survey { get; init; }

    /// <summary>Keys that somebody waits for, to be looked at in this turn, the oldest first.</summary>
    public ImmutableList<KeyRequest> Open { get; init; } = [];

    /// <summary>Those that came since, or have to wait for peers: they are looked at in the next turn.</summary>
    public ImmutableList<KeyRequest> Postponed { get; init; } = [];

    /// <summary>Whether a key is due that peers still depend on, or that has to be announced before the next one is made.</summary>
    public bool IsWaiting { get; init; }

    /// <summary>Whether a key was found on a device, and may be older than it seems.</summary>
    public bool HasAdopted { get; init; }

    /// <summary>
    /// The sequence of the former self that the node has followed; <see langword="null"/> if nobody has told of one.
    /// </summary>
    public AnnouncementSequence? FormerSelf { get; init; }

    /// <summary>When to ask the others again whether the slot that had its turn is still needed.</summary>
    public SteadyTime AskAgainAt { get; init; }

    /// <summary>
    /// The passes that the agent had completed when one that the node waited for failed; <see langword="null"/> if the last one succeeded.
    /// </summary>
    public long? FailedAtPass { get; init; }

    /// <summary>Keys that replaced another one, or filled a slot in its turn, since the silo started.</summary>
    public long Rotations { get; init; }

    /// <summary>How often a key was kept for another turn.</summary>
    public long Deferrals { get; init; }

    /// <summary>The nodes that kept the latest key from being replaced or destroyed.</summary>
    public IReadOnlyList<LaggingNode> Lagging { get; init; } = [];

    /// <summary>What operators should know of the latest decision.</summary>
    public RotationProblem? Problem { get; init; }

    /// <summary>When the latest key was made.</summary>
    public SteadyTime? ReplacedAt { get; init; }

    /// <summary>Until when an operator has the node keep its keys, as people read it and a later silo of this node learns it.</summary>
    public DateTimeOffset? FrozenUntil { get; private init; }

    /// <summary>
    /// Whether an operator has frozen or unfrozen the node since the silo started, so that what a former silo announced no longer counts.
    /// </summary>
    public bool IsFreezeKnown { get; init; }

    private SteadyTime ThawsAt { get; init; }

    /// <summary>Whether anybody waits for a key.</summary>
    public bool HasRequests => Open.Count + Postponed.Count > 0;

    /// <summary>A turn begins: all requests are open, and nothing has been asked yet.</summary>
    /// <param name="due">The epoch whose key is due.</param>
    public RotationState Begin(Epoch due) => this with
    {
        Stage = TurnStage.Settling,
        Due = due,
        HasReadDevices = false,
        Survey = null,
        IsWaiting = false,
        Open = Open.AddRange(Postponed),
        Postponed = [],
    };

    /// <summary>The turn goes on to its next stage, where the others have to be asked anew.</summary>
    public RotationState Enter(TurnStage stage) => this with { Stage = stage, Survey = null };

    /// <summary>
    /// A request is answered, or nobody waits for it any more, and what others said for its sake is not for the next one.
    /// </summary>
    public RotationState Without(KeyRequest request) => this with
    {
        Survey = Stage == TurnStage.Answering ? null : Survey,
        Open = Open.RemoveAll(other => other.Number == request.Number),
        Postponed = Postponed.RemoveAll(other => other.Number == request.Number),
    };

    /// <summary>A key was made in a slot's turn, or because somebody asked for it.</summary>
    public RotationState Rotated(SteadyTime now) => this with { Rotations = Rotations + 1, ReplacedAt = now };

    /// <summary>The node keeps its keys.</summary>
    /// <param name="until">Until when, by the clock.</param>
    /// <param name="thawsAt">The same moment by the clock that counts.</param>
    public RotationState Freeze(DateTimeOffset until, SteadyTime thawsAt) => this with { FrozenUntil = until, ThawsAt = thawsAt };

    /// <summary>The node rotates again.</summary>
    public RotationState Unfreeze() => this with { FrozenUntil = null };

    /// <summary>Until when the node keeps its keys, if that has not passed.</summary>
    public DateTimeOffset? ActiveFreeze(SteadyTime now) => now < ThawsAt ? FrozenUntil : null;

    /// <summary>The public form.</summary>
    /// <param name="keys">The node's keys.</param>
    /// <param name="agent">What the devices show.</param>
    /// <param name="clock">Whose skews are shown.</param>
    /// <param name="now">By which a freeze counts.</param>
    public RotationStatus ToStatus(IReadOnlyList<SlotKey> keys, AgentSnapshot agent, MeshClock clock, SteadyTime now)
    {
        var active = SlotPhases.Active(Served(keys));
        var cutOver = agent.Paths.Count(path => path.IsProven && path.Slot == active);
        return new RotationStatus
        {
            ActiveSlot = active,
            CutOverPeers = cutOver,
            Peers = agent.Paths.Count,
            LastDuration = cutOver == agent.Paths.Count ? CutOverTime(agent, active) : null,
            Lagging = Lagging.ToEquatableArray(),
            Deferrals = Deferrals,
            HandshakeRetries = agent.HandshakeRetries,
            FrozenUntil = ActiveFreeze(now),
            ClockCorrection = clock.Correction,
            ClockSkews = clock.Skews,
            Problem = Problem,
        };
    }

    /// <summary>The public form of the keys, by slot, an idle slot left out.</summary>
    public static EquatableArray<SlotStatus> ToStatus(IReadOnlyList<SlotKey> keys, AgentSnapshot agent)
    {
        var served = Served(keys);
        return keys.Select(key => new SlotStatus(key.Slot, key.KeyPair.PublicKey, key.Epoch, key.CreatedAt)
        {
            ServesEpoch = key.ServesEpoch,
            Phase = SlotPhases.Of(key.Slot, served, agent.Paths),
        }).ToEquatableArray();
    }

    // Traffic that has its first path there has moved from nowhere: a node that joined much later tells nothing of how long the others
    // took.
    private TimeSpan? CutOverTime(AgentSnapshot agent, Slot? active) =>
        agent.Moves.Where(move => move.To == active && move.At > ReplacedAt).Max(move => (SteadyTime?)move.At) - ReplacedAt;

    private static Epoch?[] Served(IReadOnlyList<SlotKey> keys)
    {
        var served = new Epoch?[Slot.Count];
        foreach (var key in keys)
        {
            served[key.Slot.Index] = key.ServesEpoch;
        }

        return served;
    }
}
