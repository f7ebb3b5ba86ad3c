using Orleans.WireGuard.Grains.Clocks;
using Orleans.WireGuard.Keys;

namespace Orleans.WireGuard.Grains.Rotation;

/// <summary>A key pair in its slot.</summary>
/// <param name="Slot">Whose device has it.</param>
/// <param name="KeyPair">Not disposed of while the device has it.</param>
/// <param name="Epoch">The epoch for which it was made.</param>
/// <param name="CreatedAt">When it was made, for people.</param>
internal sealed record SlotKey(Slot Slot, KeyPair KeyPair, Epoch Epoch, DateTimeOffset CreatedAt)
{
    /// <summary>The latest epoch that it serves; later than <see cref="Epoch"/> if its replacement was deferred.</summary>
    public Epoch ServesEpoch { get; init; } = Epoch;

    /// <summary>
    /// When it was made, by which its age is told. For one that a former silo of this node made it is reckoned back from what that said.
    /// </summary>
    public SteadyTime MadeAt { get; init; }

    /// <summary>Since when this process has had it.</summary>
    public SteadyTime HeldSince { get; init; }

    /// <summary>Its slot, and which epochs it counts for.</summary>
    public SlotEpochs Epochs => new(Slot, Epoch, ServesEpoch);

    /// <summary>What decisions follow from: all but the private half.</summary>
    public OwnKey ToOwnKey() => new(KeyPair.PublicKey, Epochs, MadeAt);
}
