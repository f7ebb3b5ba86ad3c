using Orleans.WireGuard.Grains.Clocks;

namespace Orleans.WireGuard.Grains.Rotation;

/// <summary>What a node knows about a peer that may depend on one of its keys.</summary>
/// <param name="NodeName">The peer.</param>
/// <param name="IsLive">Whether its device was heard of lately, or its silo is an active member.</param>
/// <param name="HasHandshake">
/// Whether our device shows a handshake with it on the slot in question. Without one there is nothing to cut off, unless the peer shows
/// one.
/// </param>
/// <param name="HasAnswered">Whether its silo has just said through which slot it sends.</param>
/// <param name="Path">
/// What it said, now or the last time it answered since the key was made; <see langword="null"/> if it sends through none, or did not
/// answer.
/// </param>
/// <param name="IsPathKnown">Whether <paramref name="Path"/> is an answer at all.</param>
/// <param name="OwnSlot">The slot through which this node sends to it; <see langword="null"/> if it cannot.</param>
/// <param name="LastDataAt">When data of it last came in through the slot in question; <see langword="null"/> if never.</param>
/// <param name="MayMoveHere">
/// Whether its silo is active and may yet move its traffic to the slot in question, by what it has announced
/// (<see cref="SlotLevel.MayMove"/>) or has not heard.
/// </param>
internal sealed record PeerFacts(
    string NodeName,
    bool IsLive,
    bool HasHandshake,
    bool HasAnswered,
    PathStatus? Path,
    bool IsPathKnown,
    Slot? OwnSlot,
    SteadyTime? LastDataAt,
    bool MayMoveHere);
