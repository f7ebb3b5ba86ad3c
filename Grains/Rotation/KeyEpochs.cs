using Orleans.WireGuard.Grains.Clocks;

namespace Orleans.WireGuard.Grains.Rotation;

/// <summary>Puts right for which epoch a key counts, where this process cannot know or a clock was wrong. Pure.</summary>
internal static class KeyEpochs
{
    /// <summary>The key as a former silo of this node announced it.</summary>
    /// <param name="key">Adopted from the device, which does not tell its age.</param>
    /// <param name="former">What others hold of the former silo; <see langword="null"/> while nobody has said.</param>
    /// <param name="own">What this silo has announced; <see langword="null"/> before the first.</param>
    /// <param name="schedule">This node's schedule.</param>
    /// <param name="now">The time by which epochs are told.</param>
    /// <param name="steadyNow">The same moment by the clock that ages are told by.</param>
    /// <remarks>
    /// Up to the next epoch: a later one, of a clock that was ahead, would keep the key for too long. What this silo has announced stays,
    /// and what it kept, and its slot's next turn is the next one: peers that heard of it move to the slot, and a key that is due again
    /// would go while they do. For the same reason a key that the former silo had kept serves as long as that said.
    /// </remarks>
    public static SlotKey Correct(
        SlotKey key, PeerAnnouncement? former, PeerAnnouncement? own, RotationSchedule schedule, DateTimeOffset now, SteadyTime steadyNow)
    {
        var due = schedule.KeyEpoch(now);
        var announced = former?.Slots.FirstOrDefault(slot => slot?.PublicKey == key.KeyPair.PublicKey);
        if (announced is null || announced.KeyEpoch.Value < 0
            || announced.ServesEpoch == key.ServesEpoch || announced.ServesEpoch.Value > due.Value + 1)
        {
            return key;
        }

        var isPublished = own?.Find(key.Slot) is { } published
            && published.PublicKey == key.KeyPair.PublicKey && published.ServesEpoch == key.ServesEpoch;
        var isPromised = isPublished || key.ServesEpoch > key.Epoch;
        // The one age that a wall clock has to tell, because this process was not there. It has had the key for that long at least.
        var createdAt = schedule.RotationAt(announced.KeyEpoch);
        return key with
        {
            Epoch = announced.KeyEpoch,
            ServesEpoch = isPromised && announced.ServesEpoch < key.ServesEpoch ? key.ServesEpoch : announced.ServesEpoch,
            CreatedAt = createdAt,
            MadeAt = steadyNow - (now - createdAt) is var madeAt && madeAt < key.HeldSince ? madeAt : key.HeldSince,
        };
    }

    /// <summary>The epoch that a key serves which takes another one's place before its time.</summary>
    /// <param name="key">Those of the one that is replaced.</param>
    /// <param name="due">The epoch whose key is due.</param>
    /// <param name="schedule">This node's schedule.</param>
    /// <remarks>
    /// The one that the old key serves: with an earlier one the level of the slot would fall, and where that epoch is due the new key would
    /// be replaced at once. For the same reason it is the one that is due, where the slot has its turn and nobody has come to it yet.
    /// </remarks>
    public static Epoch OfReplacement(SlotEpochs key, Epoch due, RotationSchedule schedule)
    {
        var (serves, latest) = (WithoutFuture(key, due, schedule).Serves, schedule.LatestOf(key.Slot, due));
        return serves > latest ? serves : latest;
    }

    /// <summary>Those of a key of an epoch to come, as if it were one of the present epoch.</summary>
    /// <remarks>
    /// It was made by a clock that was ahead, or with a shorter period, and waiting for its epoch could take months. The next epoch is no
    /// mistake: <c>owg rotate --all</c> brings it forward.
    /// </remarks>
    public static SlotEpochs WithoutFuture(SlotEpochs key, Epoch due, RotationSchedule schedule)
    {
        var latest = schedule.LatestOf(key.Slot, due);
        return key.Serves.Value > due.Value + 1 ? new SlotEpochs(key.Slot, latest, latest) : key;
    }
}
