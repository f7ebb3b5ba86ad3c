namespace Orleans.WireGuard.Grains.Rotation;

/// <summary>What a NodeGrain remembers of its rotations, and shows.</summary>
internal sealed class RotationState
{
    private SteadyTime _thawsAt;

    /// <summary>Keys that replaced another one, or filled a slot in its turn, since the silo started.</summary>
    public long Rotations { get; set; }

    /// <summary>How often a key was kept for another turn.</summary>
    public long Deferrals { get; set; }

    /// <summary>The nodes that kept the latest key from being replaced or destroyed.</summary>
    public IReadOnlyList<LaggingNode> Lagging { get; set; } = [];

    /// <summary>What operators should know of the latest decision.</summary>
    public RotationProblem? Problem { get; set; }

    /// <summary>When the latest key was made.</summary>
    public SteadyTime? ReplacedAt { get; set; }

    /// <summary>Until when an operator has the node keep its keys, as people read it and a later silo of this node learns it.</summary>
    public DateTimeOffset? FrozenUntil { get; private set; }

    /// <summary>
    /// Whether an operator has frozen or unfrozen the node since the silo started, so that what a former silo announced no longer counts.
    /// </summary>
    public bool IsFreezeKnown { get; set; }

    /// <summary>Has the node keep its keys.</summary>
    /// <param name="until">Until when, by the clock.</param>
    /// <param name="thawsAt">The same moment by the clock that counts.</param>
    public void Freeze(DateTimeOffset until, SteadyTime thawsAt) => (FrozenUntil, _thawsAt) = (until, thawsAt);

    /// <summary>Has it rotate again.</summary>
    public void Unfreeze() => FrozenUntil = null;

    /// <summary>Until when the node keeps its keys, if that has not passed.</summary>
    public DateTimeOffset? ActiveFreeze(SteadyTime now) => now < _thawsAt ? FrozenUntil : null;

    /// <summary>The public form.</summary>
    /// <param name="keys">The keys.</param>
    /// <param name="agent">What the devices show.</param>
    /// <param name="clock">The skews.</param>
    /// <param name="now">The time.</param>
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
