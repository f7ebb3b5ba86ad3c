using System.Collections.Immutable;
using Orleans.WireGuard.Grains.Clocks;

namespace Orleans.WireGuard.Grains.Addresses;

/// <summary>
/// This node's own announcement of addresses: the latest, above what the next one has to be, and who has applied it. One for each silo.
/// </summary>
internal sealed class OwnAddresses
{
    private readonly Lock _lock = new();
    private volatile AddressAnnouncement? _latest;
    private ImmutableDictionary<SiloAddress, AnnouncementSequence> _applied = ImmutableDictionary<SiloAddress, AnnouncementSequence>.Empty;
    private AnnouncementSequence? _floor;

    /// <summary>The one that is being delivered, or has been; <see langword="null"/> before the first.</summary>
    public AddressAnnouncement? Latest => _latest;

    /// <summary>How many prefixes did not fit into it.</summary>
    public int LeftOut { get; private set; }

    /// <summary>Whether somebody holds one of this node that is not below the latest: of a former silo of it.</summary>
    public bool IsBelowFloor(DateTimeOffset horizon)
    {
        lock (_lock)
        {
            return _latest is { } latest && _floor is { } floor && SequenceBounds.IsPossible(floor, horizon) && latest.Sequence <= floor;
        }
    }

    /// <summary>Has the next one be above a sequence, because somebody holds it of this node.</summary>
    /// <param name="sequence">What somebody holds.</param>
    /// <param name="horizon">The latest moment that others take; what lies beyond counts for nobody.</param>
    /// <returns>Whether the latest is not above it.</returns>
    public bool RaiseFloor(AnnouncementSequence sequence, DateTimeOffset horizon)
    {
        lock (_lock)
        {
            if (SequenceBounds.IsPossible(sequence, horizon)
                && (_floor is not { } floor || sequence > floor || !SequenceBounds.IsPossible(floor, horizon)))
            {
                _floor = sequence;
            }

            // What lies beyond the horizon counts for nobody, so there is nothing to be above of.
            return SequenceBounds.IsPossible(sequence, horizon) && _latest is { } latest && latest.Sequence <= sequence;
        }
    }

    /// <summary>The sequence of the next one.</summary>
    /// <param name="meshTime">The mesh's time.</param>
    /// <param name="horizon">As of <see cref="RaiseFloor"/>.</param>
    public AnnouncementSequence NextSequence(DateTimeOffset meshTime, DateTimeOffset horizon)
    {
        lock (_lock)
        {
            return AnnouncementSequence.Next(
                new[] { _latest?.Sequence, _floor }.Where(known => known is { } some && SequenceBounds.IsPossible(some, horizon)).Max(),
                meshTime);
        }
    }

    /// <summary>Starts over for a new one.</summary>
    /// <param name="announcement">The announcement.</param>
    /// <param name="leftOut">How many prefixes did not fit into it.</param>
    public void Begin(AddressAnnouncement announcement, int leftOut)
    {
        lock (_lock)
        {
            (_latest, LeftOut) = (announcement, leftOut);
        }
    }

    /// <summary>Notes that a silo's device has what an announcement says.</summary>
    public void NoteApplied(SiloAddress silo, AnnouncementSequence sequence)
    {
        lock (_lock)
        {
            if (!_applied.TryGetValue(silo, out var known) || known < sequence)
            {
                _applied = _applied.SetItem(silo, sequence);
            }
        }
    }

    /// <summary>Whether a silo's device has what the latest says.</summary>
    public bool HasApplied(SiloAddress silo) =>
        _latest is { } latest && _applied.TryGetValue(silo, out var sequence) && sequence >= latest.Sequence;

    /// <summary>Forgets the silos that are gone: one that comes back is another one.</summary>
    public void ForgetExcept(IReadOnlySet<SiloAddress> members)
    {
        lock (_lock)
        {
            _applied = _applied.RemoveRange(_applied.Keys.Where(silo => !members.Contains(silo)));
        }
    }
}
