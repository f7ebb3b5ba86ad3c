namespace Orleans.WireGuard.Grains.Rotation;

/// <summary>The epoch that a slot's key was made for, and the one that it serves: a later one if it was kept.</summary>
internal readonly record struct SlotEpochs(Slot Slot, Epoch Made, Epoch Serves);
