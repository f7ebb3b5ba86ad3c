namespace Orleans.WireGuard;

/// <summary>The key pair of one slot, without its private half.</summary>
/// <param name="Slot">The slot.</param>
/// <param name="PublicKey">The public half.</param>
/// <param name="KeyEpoch">The epoch for which it was made.</param>
/// <param name="CreatedAt">When it was made.</param>
[GenerateSerializer, Immutable, Alias("owg.SlotStatus")]
public sealed record SlotStatus(
    [property: Id(0)] Slot Slot,
    [property: Id(1)] PublicKey PublicKey,
    [property: Id(2)] Epoch KeyEpoch,
    [property: Id(3)] DateTimeOffset CreatedAt)
{
    /// <summary>The latest epoch that it serves; later than <see cref="KeyEpoch"/> if its replacement was deferred.</summary>
    [Id(4)]
    public Epoch ServesEpoch { get; init; } = KeyEpoch;

    /// <summary>Where the slot is in its life.</summary>
    [Id(5)]
    public SlotPhase Phase { get; init; }
}
