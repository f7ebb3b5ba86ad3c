using System.Collections.Immutable;
using Orleans.WireGuard.Grains.Clocks;
using Orleans.WireGuard.Grains.Delivery;
using Orleans.WireGuard.Grains.Nodes;

namespace Orleans.WireGuard.Grains.Addresses;

/// <summary>
/// The latest announcement of addresses of every node, this one included, and the roster that follows from them. One for each silo.
/// </summary>
internal sealed class AddressStore
{
    private readonly AnnouncementStore _store;
    private readonly IOwnPrefixSource _own;
    private readonly MeshMembers _members;
    private readonly MeshClock _clock;
    private readonly Lock _lock = new();
    private readonly Dictionary<AnnouncementOutcome, long> _refusals = [];
    private volatile AddressBook _book = AddressBook.Empty;
    private AddressPolicy _policy = AddressPolicy.Unknown;
    private OwnPrefixes? _told;
    private (NodeRoster? Divided, OwnPrefixes? Own)? _policyOf;
    private (NodeRoster? Divided, OwnPrefixes? Own, AddressBook Book)? _rosterOf;
    private NodeRoster? _roster;

    /// <summary>Made once for each silo.</summary>
    public AddressStore(AnnouncementStore store, IOwnPrefixSource own, MeshMembers members, MeshClock clock) =>
        (_store, _own, _members, _clock) = (store, own, members, clock);

    /// <summary>Raised when an announcement came that is newer than what was held. Handlers only note it.</summary>
    public event Action? Accepted;

    /// <summary>What is held, and what of it counts, as of the last announcement.</summary>
    public AddressBook Book => _book;

    /// <summary>
    /// Who the nodes are and what their pods have; <see langword="null"/> until the list of nodes and this node's own source have answered.
    /// </summary>
    public NodeRoster? Roster
    {
        get
        {
            lock (_lock)
            {
                FollowPolicy();
                var (divided, own) = _policyOf!.Value;
                if (_roster is null || _rosterOf is not { } made || made.Divided != divided || made.Own != own || made.Book != _book)
                {
                    // Where the list tells nothing of pods, a node that has not been heard yet would seem to have none.
                    _roster = divided is null || own is null || !(own.IsRosterBelieved || _store.IsSynced)
                        ? null
                        : EffectiveRoster.Build(divided, _book, _policy, own, _members.LocalNodeName, _roster);
                    _rosterOf = (divided, own, _book);
                }

                return _roster;
            }
        }
    }

    /// <summary>What of a node's prefixes counts; <see langword="null"/> if it has announced none.</summary>
    public IReadOnlyCollection<IPPrefix>? FindGranted(string nodeName) => _book.Granted.GetValueOrDefault(nodeName);

    /// <summary>How often announcements of addresses were refused since the silo started, by reason.</summary>
    public ImmutableDictionary<AnnouncementOutcome, long> Refusals
    {
        get
        {
            lock (_lock)
            {
                return _refusals.ToImmutableDictionary();
            }
        }
    }

    /// <summary>Accepts or refuses an announcement as a whole; its prefixes are settled one by one.</summary>
    /// <returns>See <see cref="AddressRules.Judge"/>.</returns>
    public AnnouncementVerdict Offer(AddressAnnouncement announcement)
    {
        AnnouncementVerdict verdict;
        lock (_lock)
        {
            FollowPolicy();
            var held = _book.Announcements.GetValueOrDefault(announcement.NodeName);
            verdict = AddressRules.Judge(announcement, held, _policyOf!.Value.Divided, _clock.Horizon);
            if (verdict.IsTaken)
            {
                _book = _book.With(announcement, _policy);

                // Not all that it claims, or a claim would become its own proof.
                _store.NoteClaims(announcement.NodeName, _book.Granted[announcement.NodeName].ToEquatableArray());
            }
            else if (!verdict.IsAccepted)
            {
                _refusals[verdict.Outcome] = _refusals.GetValueOrDefault(verdict.Outcome) + 1;
            }
        }

        if (verdict.IsTaken)
        {
            Accepted?.Invoke();
        }

        return verdict;
    }

    /// <summary>Forgets nodes that are no longer in the roster, so that others may have what they had.</summary>
    /// <param name="current">The roster; one that does not list this node says nothing of others.</param>
    public void ForgetAbsent(NodeRoster current)
    {
        if (current.Find(_members.LocalNodeName) is null)
        {
            return;
        }

        lock (_lock)
        {
            FollowPolicy();
            var gone = _book.Announcements.Keys.Where(name => current.Find(name) is null).ToList();
            if (gone.Count > 0)
            {
                _book = _book.Without(gone, _policy);
                gone.ForEach(name => _store.NoteClaims(name, null));
            }
        }
    }

    // The list of nodes and the own source change seldom, announcements often.
    private void FollowPolicy()
    {
        // A source that tells nothing any more takes nothing away: what is refused, and where pods are, stays as it was told last.
        _told = _own.Current is { Source.Length: > 0 } current ? current : _told;
        var (divided, own) = (_store.Roster, _told);
        if (_policyOf is not { } made || made.Divided != divided || made.Own != own)
        {
            _policyOf = (divided, own);
            _policy = new AddressPolicy(
                divided, own is { ArePodRangesWhole: true } ? own.PodRanges : [], own?.IsRosterBelieved ?? false);
            _book = _book.By(_policy);
        }
    }
}
