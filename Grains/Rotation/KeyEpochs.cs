using Orleans.WireGuard.Grains.Keys;

namespace Orleans.WireGuard.Grains.Rotation;

/// <summary>Puts right for which epoch a key counts, where this process cannot know or a clock was wrong. Pure.</summary>
internal static class KeyEpochs
{
    /// <summary>The key as a former silo of this node announced it, if that was earlier.</summary>
    /// <param name="key">Adopted from the device, which does not tell its age.</param>
    /// <param name="former">What others hold of the former silo; <see langword="null"/> while nobody has said.</param>
    /// <param name="schedule">This node's schedule.</param>
    /// <remarks>Only ever to an earlier epoch: one to come, of a clock that was ahead, would keep the key for too long.</remarks>
    public static SlotKey Correct(SlotKey key, PeerAnnouncement? former, RotationSchedule schedule)
    {
        var announced = former?.Slots.FirstOrDefault(slot => slot?.PublicKey == key.KeyPair.PublicKey);
        return announced is not null && announced.KeyEpoch.Value >= 0 && announced.ServesEpoch < key.ServesEpoch
            ? key with { Epoch = announced.KeyEpoch, ServesEpoch = announced.ServesEpoch, CreatedAt = schedule.RotationAt(announced.KeyEpoch) }
            : key;
    }

    /// <summary>A key of an epoch to come as one of the present epoch.</summary>
    /// <param name="key">The key.</param>
    /// <param name="due">The epoch whose key is due.</param>
    /// <param name="schedule">This node's schedule.</param>
    /// <remarks>
    /// It was made by a clock that was ahead, or with a shorter period, and waiting for its epoch could take months. The next epoch is no
    /// mistake: <c>owg rotate --all</c> brings it forward.
    /// </remarks>
    public static SlotKey WithoutFuture(SlotKey key, Epoch due, RotationSchedule schedule)
    {
        var latest = schedule.LatestOf(key.Slot, due);
        return key.ServesEpoch.Value > due.Value + 1 ? key with { Epoch = latest, ServesEpoch = latest } : key;
    }
}
