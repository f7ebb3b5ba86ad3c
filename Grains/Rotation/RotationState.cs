using Orleans.WireGuard.Grains.Keys;

namespace Orleans.WireGuard.Grains.Rotation;

/// <summary>What a NodeGrain remembers of its rotations, and shows.</summary>
internal sealed class RotationState
{
    /// <summary>Keys that replaced another one, or filled a slot in its turn, since the silo started.</summary>
    public long Rotations { get; set; }

    /// <summary>How often a key was kept for another turn.</summary>
    public long Deferrals { get; set; }

    /// <summary>The nodes that kept the latest key from being replaced or destroyed.</summary>
    public IReadOnlyList<LaggingNode> Lagging { get; set; } = [];

    /// <summary>What operators should know of the latest decision.</summary>
    public string? Problem { get; set; }

    /// <summary>When the latest key was made.</summary>
    public DateTimeOffset? ReplacedAt { get; set; }

    /// <summary>Until when an operator has the node keep its keys.</summary>
    public DateTimeOffset? FrozenUntil { get; set; }

    /// <summary>Whether an operator has frozen or unfrozen the node since the silo started, so that what a former silo announced no longer counts.</summary>
    public bool IsFreezeKnown { get; set; }

    /// <summary>Until when the node keeps its keys, if that has not passed.</summary>
    public DateTimeOffset? ActiveFreeze(DateTimeOffset now) => FrozenUntil > now ? FrozenUntil : null;

    /// <summary>The public form.</summary>
    /// <param name="keys">The keys.</param>
    /// <param name="agent">What the devices show.</param>
    /// <param name="clock">The skews.</param>
    /// <param name="period">Length of an epoch.</param>
    /// <param name="now">This node's clock.</param>
    public RotationStatus ToStatus(IReadOnlyList<SlotKey> keys, AgentSnapshot agent, MeshClock clock, TimeSpan period, DateTimeOffset now)
    {
        var active = SlotPhases.Active(Served(keys));
        var cutOver = agent.Paths.Count(path => path.IsProven && path.Slot == active);
        return new RotationStatus
        {
            ActiveSlot = active,
            CutOverPeers = cutOver,
            Peers = agent.Paths.Count,
            LastDuration = cutOver == agent.Paths.Count && agent.LastMovedAt > ReplacedAt ? agent.LastMovedAt - ReplacedAt : null,
            Lagging = Lagging.ToEquatableArray(),
            Deferrals = Deferrals,
            HandshakeRetries = agent.HandshakeRetries,
            FrozenUntil = ActiveFreeze(now),
            ClockCorrection = clock.Correction(period),
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
