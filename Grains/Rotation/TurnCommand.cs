namespace Orleans.WireGuard.Grains.Rotation;

/// <summary>What a NodeGrain does next with its keys, decided by <see cref="RotationTurn"/>.</summary>
internal abstract record TurnCommand
{
    private TurnCommand()
    {
    }

    /// <summary>The request that it is done for, which hears of a failure; <see langword="null"/> if nobody waits for it.</summary>
    public KeyRequest? Request { get; init; }

    /// <summary>Take over the keys that the devices have.</summary>
    /// <param name="Slots">Where to look, with the epoch for which a key counts until others say another.</param>
    public sealed record Adopt(IReadOnlyList<(Slot Slot, Epoch Epoch)> Slots) : TurnCommand;

    /// <summary>Make the first keys, if any, and count the ring as complete.</summary>
    /// <param name="Keys">Which ones.</param>
    public sealed record Settle(IReadOnlyList<(Slot Slot, Epoch Epoch)> Keys) : TurnCommand;

    /// <summary>Ask the others through which slot they send, and look at the devices.</summary>
    /// <param name="Slot">Whose key may go.</param>
    public sealed record Survey(Slot Slot) : TurnCommand;

    /// <summary>Make a key, in place of the slot's present one if there is one.</summary>
    /// <param name="Slot">Where.</param>
    /// <param name="Epoch">For which epoch.</param>
    /// <param name="Problem">What operators should know; <see langword="null"/> if nothing.</param>
    public sealed record Replace(Slot Slot, Epoch Epoch, RotationProblem? Problem = null) : TurnCommand;

    /// <summary>Count present keys for other epochs.</summary>
    /// <param name="Keys">Which ones.</param>
    /// <param name="Problem">What operators should know; <see langword="null"/> if nothing.</param>
    public sealed record Reckon(IReadOnlyList<SlotEpochs> Keys, RotationProblem? Problem = null) : TurnCommand;

    /// <summary>Make a key in an empty slot, because a peer has one nowhere else.</summary>
    /// <param name="Slot">Where.</param>
    /// <param name="Epoch">For which epoch.</param>
    /// <param name="Peer">The peer.</param>
    public sealed record Share(Slot Slot, Epoch Epoch, string Peer) : TurnCommand;

    /// <summary>Destroy a key, and say so.</summary>
    /// <param name="Slot">Which one.</param>
    public sealed record Retire(Slot Slot) : TurnCommand;

    /// <summary>Tell whoever asked for a key that there will be none.</summary>
    /// <param name="Refusal">Why.</param>
    public sealed record Refuse(RotationRefusal Refusal) : TurnCommand;

    /// <summary>Announce what is.</summary>
    public sealed record Announce : TurnCommand;

    /// <summary>The turn is over.</summary>
    /// <param name="Delay">When the next one begins.</param>
    public sealed record Rest(TimeSpan Delay) : TurnCommand;
}
