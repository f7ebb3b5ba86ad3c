using System.Collections.Immutable;
using Orleans.WireGuard.Grains.Nodes;

namespace Orleans.WireGuard.Grains.Delivery;

/// <summary>The latest accepted announcement of every node, this one included, and what was refused. One for each silo.</summary>
internal sealed class AnnouncementStore(INodeRosterSource roster, TimeProvider timeProvider)
{
    private readonly Lock _lock = new();
    private readonly Dictionary<AnnouncementOutcome, RefusalCount> _refusals = [];
    private volatile AnnouncementIndex _held = AnnouncementIndex.Empty;
    private RosterIndex? _roster;
    private volatile bool _isSynced;

    /// <summary>Raised when an announcement came that is newer than what was held. Handlers only note it.</summary>
    public event Action<PeerAnnouncement>? Accepted;

    /// <summary>What is held now, by node name.</summary>
    public ImmutableDictionary<string, PeerAnnouncement> Announcements => _held.Announcements;

    /// <summary>Whether the other silos have been asked at least once, so that a missing announcement means something.</summary>
    public bool IsSynced => _isSynced;

    /// <summary>Refusals since the silo started, by reason.</summary>
    public EquatableArray<RefusalCount> Refusals
    {
        get
        {
            lock (_lock)
            {
                return _refusals.Values.OrderBy(refusal => refusal.Outcome).ToEquatableArray();
            }
        }
    }

    /// <summary>Notes that the other silos have been asked.</summary>
    public void MarkSynced() => _isSynced = true;

    /// <summary>Accepts or refuses an announcement.</summary>
    /// <returns>See <see cref="AnnouncementRules.Judge"/>.</returns>
    public (AnnouncementOutcome Outcome, string Detail) Offer(PeerAnnouncement announcement)
    {
        (AnnouncementOutcome Outcome, string Detail) judgement;
        lock (_lock)
        {
            judgement = AnnouncementRules.Judge(announcement, _held, IndexRoster(), timeProvider.GetUtcNow());
            if (judgement.Outcome == AnnouncementOutcome.Held)
            {
                _held = _held.Set(announcement);
            }
            else if (judgement.Outcome != AnnouncementOutcome.Applied)
            {
                Refuse(announcement, judgement.Outcome, judgement.Detail);
            }
        }

        if (judgement.Outcome == AnnouncementOutcome.Held)
        {
            Accepted?.Invoke(announcement);
        }

        return judgement;
    }

    /// <summary>Counts a refusal that the caller found out by itself.</summary>
    /// <returns>The outcome.</returns>
    public AnnouncementOutcome Refuse(PeerAnnouncement announcement, AnnouncementOutcome outcome, string detail)
    {
        lock (_lock)
        {
            var count = _refusals.TryGetValue(outcome, out var last) ? last.Count + 1 : 1;
            _refusals[outcome] = new RefusalCount(outcome, count, announcement.NodeName, detail, timeProvider.GetUtcNow());
            return outcome;
        }
    }

    /// <summary>Forgets nodes that are no longer in the roster, so that their keys and prefixes may be used by others.</summary>
    public void ForgetAbsent(NodeRoster current)
    {
        lock (_lock)
        {
            _held = _held.Remove(_held.Announcements.Keys.Where(name => current.Find(name) is null));
        }
    }

    // A roster is asked many times before the next one comes.
    private RosterIndex? IndexRoster()
    {
        var current = roster.Current;
        if (!ReferenceEquals(current, _roster?.Roster))
        {
            _roster = current is null ? null : new RosterIndex(current);
        }

        return _roster;
    }
}
