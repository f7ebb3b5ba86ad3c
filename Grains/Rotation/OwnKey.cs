using Orleans.WireGuard.Grains.Clocks;

namespace Orleans.WireGuard.Grains.Rotation;

/// <summary>One of the node's keys, without its private half.</summary>
/// <param name="PublicKey">Its public half.</param>
/// <param name="Epochs">Its slot, and which epochs it counts for.</param>
/// <param name="MadeAt">By which its age is told.</param>
internal readonly record struct OwnKey(PublicKey PublicKey, SlotEpochs Epochs, SteadyTime MadeAt)
{
    /// <summary>Where it is.</summary>
    public Slot Slot => Epochs.Slot;
}
