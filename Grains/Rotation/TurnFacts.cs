using Orleans.WireGuard.Grains.Agent;
using Orleans.WireGuard.Grains.Clocks;

namespace Orleans.WireGuard.Grains.Rotation;

/// <summary>What the next step of a turn follows from besides the <see cref="RotationState"/>, taken anew for each.</summary>
internal sealed record TurnFacts
{
    /// <summary>The time by which epochs are told.</summary>
    public required DateTimeOffset MeshTime { get; init; }

    /// <summary>The time by which ages and waits are told.</summary>
    public required SteadyTime Now { get; init; }

    /// <summary>The node's keys, by slot.</summary>
    public required IReadOnlyList<OwnKey> Keys { get; init; }

    /// <summary>Whether these are all: what the devices had at start is among them.</summary>
    public required bool IsSettled { get; init; }

    /// <summary>What the devices show.</summary>
    public required AgentSnapshot Agent { get; init; }

    /// <summary>What the other nodes have announced. Enumerated when it is needed only: it may be some thousand.</summary>
    public required IEnumerable<PeerAnnouncement> Others { get; init; }

    /// <summary>The nodes whose silos are active members, without this one.</summary>
    public required IReadOnlySet<string> Active { get; init; }

    /// <summary>Whether what is announced is not what is.</summary>
    public required bool IsAnnouncementDue { get; init; }

    /// <summary>Whether other silos have been asked what they hold.</summary>
    public required bool IsSynced { get; init; }

    /// <summary>Whether another node claims addresses that this one's object claims.</summary>
    public required bool IsDisputed { get; init; }

    /// <summary>Whether somebody has told what a former silo of this node announced.</summary>
    public required bool IsFormerSelfKnown { get; init; }

    /// <summary>The key of a slot, or <see langword="null"/>.</summary>
    public OwnKey? Find(Slot slot)
    {
        foreach (var key in Keys)
        {
            if (key.Slot == slot)
            {
                return key;
            }
        }

        return null;
    }
}
