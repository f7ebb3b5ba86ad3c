using System.Collections.Immutable;
using Orleans.WireGuard.Grains.Clocks;
using Orleans.WireGuard.Grains.Nodes;

namespace Orleans.WireGuard.Grains.Delivery;

/// <summary>The latest accepted announcement of every node, this one included, and what was refused. One for each silo.</summary>
internal sealed class AnnouncementStore(
    INodeRosterSource roster, MeshMembers members, OwnAnnouncement own, MeshClock clock, TimeProvider timeProvider)
{
    private readonly Lock _lock = new();
    private readonly Dictionary<AnnouncementOutcome, RefusalCount> _refusals = [];
    private volatile AnnouncementIndex _held = AnnouncementIndex.Empty;

    // What of a node's prefixes speaks for it where objects claim the same: of those that it announced by themselves, and of those that
    // came with its keys, as from the release before. Only what was its when it was taken: a claim must not become its own proof.
    private ImmutableDictionary<string, EquatableArray<IPPrefix>> _claims =
        ImmutableDictionary.Create<string, EquatableArray<IPPrefix>>(StringComparer.Ordinal);

    private ImmutableDictionary<string, EquatableArray<IPPrefix>> _explained =
        ImmutableDictionary.Create<string, EquatableArray<IPPrefix>>(StringComparer.Ordinal);

    private (
        ImmutableDictionary<string, EquatableArray<IPPrefix>> Claims,
        ImmutableDictionary<string, EquatableArray<IPPrefix>> Explained,
        ImmutableDictionary<string, EquatableArray<IPPrefix>> All)? _evidence;
    private RefusedAhead? _ahead;
    private DividedRoster? _divided;
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

    /// <summary>The last one that was refused because it lies too far ahead; <see langword="null"/> if none was.</summary>
    public RefusedAhead? LastAhead
    {
        get
        {
            lock (_lock)
            {
                return _ahead;
            }
        }
    }

    /// <summary>
    /// The roster with every address given to one node (<see cref="RosterShares"/>); <see langword="null"/> until the source has answered.
    /// </summary>
    public NodeRoster? Roster
    {
        get
        {
            lock (_lock)
            {
                return DivideRoster(null);
            }
        }
    }

    /// <summary>Notes that the other silos have been asked.</summary>
    public void MarkSynced() => _isSynced = true;

    /// <summary>Accepts or refuses an announcement.</summary>
    /// <returns>See <see cref="AnnouncementRules.Judge"/>.</returns>
    public AnnouncementVerdict Offer(PeerAnnouncement announcement)
    {
        AnnouncementVerdict verdict;
        lock (_lock)
        {
            var divided = DivideRoster(announcement);
            verdict = AnnouncementRules.Judge(announcement, _held, divided, clock.Horizon);
            if (verdict.IsTaken)
            {
                _held = _held.Set(announcement);
                _explained = _explained.SetItem(announcement.NodeName, Explain(announcement, divided));
            }
            else if (!verdict.IsAccepted)
            {
                Refuse(announcement, verdict);
            }
        }

        if (verdict.IsTaken)
        {
            Accepted?.Invoke(announcement);
        }

        return verdict;
    }

    /// <summary>
    /// Notes what others hold of this node from before its silo started, unless it is not what a silo of this node has signed.
    /// </summary>
    /// <returns>What is wrong with it; <see langword="null"/> if it was noted, or a later one is.</returns>
    public AnnouncementVerdict? OfferFormerSelf(PeerAnnouncement announcement)
    {
        var fault = announcement.NodeName == members.LocalNodeName
            ? AnnouncementRules.FindFault(announcement, clock.Horizon)
            : AnnouncementVerdict.Refused(AnnouncementOutcome.UnknownNode, $"it is not of '{members.LocalNodeName}'");
        if (fault is { } refusal)
        {
            return Refuse(announcement, refusal);
        }

        _ = own.NoteFormerSelf(announcement, clock.Horizon);
        return null;
    }

    /// <summary>Counts a refusal that the caller found out by itself.</summary>
    /// <returns>The verdict.</returns>
    public AnnouncementVerdict Refuse(PeerAnnouncement announcement, AnnouncementVerdict verdict)
    {
        var outcome = verdict.Outcome;
        lock (_lock)
        {
            var count = _refusals.TryGetValue(outcome, out var last) ? last.Count + 1 : 1;
            var name = NodeNameRule.Bound(announcement.NodeName);
            _refusals[outcome] = new RefusalCount(outcome, count, name, verdict.Detail, timeProvider.GetUtcNow());
            if (outcome == AnnouncementOutcome.Malformed && SequenceBounds.IsAhead(announcement.Sequence, clock.Horizon))
            {
                _ahead = new RefusedAhead(name, announcement.Sequence, SteadyTime.Now(timeProvider));
            }

            return verdict;
        }
    }

    /// <summary>
    /// Notes what a node has announced for its pods apart from its keys: where objects claim the same, that speaks for it.
    /// </summary>
    /// <param name="nodeName">The node.</param>
    /// <param name="prefixes">What of it counts; <see langword="null"/> if the node is gone.</param>
    public void NoteClaims(string nodeName, EquatableArray<IPPrefix>? prefixes)
    {
        lock (_lock)
        {
            _claims = prefixes is { } announced ? _claims.SetItem(nodeName, announced) : _claims.Remove(nodeName);
        }
    }

    /// <summary>Forgets nodes that are no longer in the roster, so that their keys and prefixes may be used by others.</summary>
    /// <param name="current">The roster; one that does not list this node says nothing of others.</param>
    public void ForgetAbsent(NodeRoster current)
    {
        if (current.Find(members.LocalNodeName) is null)
        {
            return;
        }

        lock (_lock)
        {
            _divided = null;
            _held = _held.Remove(_held.Announcements.Keys.Where(name => current.Find(name) is null));
            _explained = _explained.RemoveRange(_explained.Keys.Where(name => current.Find(name) is null));
        }
    }

    /// <param name="judged">The announcement that is about to be judged by it; <see langword="null"/> if none is.</param>
    private NodeRoster? DivideRoster(PeerAnnouncement? judged)
    {
        if (roster.Current is not { } current)
        {
            return null;
        }

        // A roster is asked many times before the next one comes, and one in which nothing is disputed has one answer.
        if (!ReferenceEquals(current, _divided?.Listed))
        {
            var isDisputed = !ReferenceEquals(RosterShares.Divide(current, static _ => NodePresence.Absent), current);
            _divided = new DividedRoster(current, isDisputed ? null : current, isDisputed ? Dispute.Unknown : null);
        }

        if (_divided.Dispute is not { } dispute)
        {
            return _divided.Divided;
        }

        // The last two change while this runs.
        var active = members.OtherNames;
        var now = new Dispute(_held, Evidence(), own.FormerSelf, active, _isSynced);
        if (judged is not null)
        {
            return RosterShares.Divide(current, name => FindPresence(name, now, judged));
        }

        if (_divided.Divided is null || !now.IsLike(dispute))
        {
            _divided = new DividedRoster(current, RosterShares.Divide(current, name => FindPresence(name, now, null)), now);
        }

        return _divided.Divided;
    }

    private ImmutableDictionary<string, EquatableArray<IPPrefix>> Evidence()
    {
        // The same object as long as nothing changes, so that a division is not made again.
        if (_evidence is not { } made || made.Claims != _claims || made.Explained != _explained)
        {
            _evidence = made = (_claims, _explained, _explained.SetItems(_claims));
        }

        return made.All;
    }

    private NodePresence FindPresence(string name, Dispute now, PeerAnnouncement? judged)
    {
        var isLocal = name == members.LocalNodeName;
        if (isLocal && !now.IsSynced)
        {
            // What others have is not known yet, and nothing is announced before it is.
            return new NodePresence([], ClaimRank.Held);
        }

        // Where both have announced the same, neither has heard of the other before; then the objects decide, and the other way round too.
        var held = now.Held.Announcements.GetValueOrDefault(name) ?? (isLocal ? now.FormerSelf : null);
        return new NodePresence(
            [
                .. held is null ? [] : new[] { ToClaims(held, now, isLocal && judged is not null ? ClaimRank.Claimed : ClaimRank.Held) },
                .. judged?.NodeName == name
                    ? [new AnnouncedClaims(ClaimRank.Claimed, judged.AllowedIPs, judged.Endpoints)]
                    : Array.Empty<AnnouncedClaims>(),
            ],
            isLocal || now.Active.Contains(name) ? ClaimRank.Active : ClaimRank.Absent);
    }

    private static AnnouncedClaims ToClaims(PeerAnnouncement announcement, Dispute now, ClaimRank rank) => new(
        rank, now.Claims.TryGetValue(announcement.NodeName, out var claims) ? claims : announcement.AllowedIPs, announcement.Endpoints);

    // All or nothing: who claims more than is its own, in a part of which it might be right, has proven nothing by that. Until the roster
    // is known, what is held is all there is to compare with.
    private EquatableArray<IPPrefix> Explain(PeerAnnouncement announcement, NodeRoster? divided)
    {
        var name = announcement.NodeName;
        var isExplained = divided?.Find(name) is { } node
            ? announcement.AllowedIPs.All(prefix => node.PodCIDRs.Any(own => own.Contains(prefix)))
            : announcement.AllowedIPs.All(
                prefix => !_explained.Any(other => other.Key != name && other.Value.Any(prefix.Overlaps)));
        return isExplained ? announcement.AllowedIPs : _explained.GetValueOrDefault(name, []);
    }

    /// <summary>What was made of a roster.</summary>
    /// <param name="Listed">The roster.</param>
    /// <param name="Divided">Its shares; <see langword="null"/> while it is not divided.</param>
    /// <param name="Dispute">From what it was divided; <see langword="null"/> if nothing in it is disputed.</param>
    private sealed record DividedRoster(NodeRoster Listed, NodeRoster? Divided, Dispute? Dispute);

    private sealed record Dispute(
        AnnouncementIndex Held,
        ImmutableDictionary<string, EquatableArray<IPPrefix>> Claims,
        PeerAnnouncement? FormerSelf,
        IReadOnlySet<string> Active,
        bool IsSynced)
    {
        public static Dispute Unknown { get; } = new(
            AnnouncementIndex.Empty, ImmutableDictionary<string, EquatableArray<IPPrefix>>.Empty, null, new HashSet<string>(), false);

        public bool IsLike(Dispute other) =>
            Held == other.Held && Claims == other.Claims && FormerSelf == other.FormerSelf && IsSynced == other.IsSynced
            && Active.SetEquals(other.Active);
    }
}
