using System.Collections.Immutable;
using Orleans.WireGuard.Grains.Nodes;

namespace Orleans.WireGuard.Grains.Addresses;

/// <summary>Which of the announced prefixes count, each by itself, and which are held back. Immutable and pure.</summary>
/// <remarks>
/// A prefix has one holder: the first that announced it. Whoever else announces it, or a part of it, or what holds it, is held back with
/// that prefix alone, until the holder gives it back or leaves, or the list of nodes names the other one:
/// <code>
/// announced ──▶ can it be that node's? ──no──▶ held back: range, node address, too wide, in another's block
///                        │ yes
///                        ▼
///               another one has it? ──no──▶ granted
///                        │ yes                  ▲
///                        ▼                      │ given back, left, or the list of nodes names the claimant
///                    held back ─────────────────┘
/// </code>
/// A change costs what it changes, however many prefixes there are.
/// </remarks>
internal sealed class AddressBook
{
    private readonly PrefixIndex _index;
    private readonly ImmutableDictionary<(string NodeName, IPPrefix Prefix), HeldBackPrefix> _heldBack;

    private AddressBook(
        ImmutableDictionary<string, AddressAnnouncement> announcements,
        ImmutableDictionary<string, ImmutableSortedSet<IPPrefix>> granted,
        PrefixIndex index,
        ImmutableDictionary<(string NodeName, IPPrefix Prefix), HeldBackPrefix> heldBack) =>
        (Announcements, Granted, _index, _heldBack) = (announcements, granted, index, heldBack);

    /// <summary>Nothing is announced.</summary>
    public static AddressBook Empty { get; } = new(
        ImmutableDictionary.Create<string, AddressAnnouncement>(StringComparer.Ordinal),
        ImmutableDictionary.Create<string, ImmutableSortedSet<IPPrefix>>(StringComparer.Ordinal),
        PrefixIndex.Empty,
        ImmutableDictionary<(string NodeName, IPPrefix Prefix), HeldBackPrefix>.Empty);

    /// <summary>The latest announcement of each node.</summary>
    public ImmutableDictionary<string, AddressAnnouncement> Announcements { get; }

    /// <summary>What of it counts, by node. The same object for a node as long as nothing of it changes.</summary>
    public ImmutableDictionary<string, ImmutableSortedSet<IPPrefix>> Granted { get; }

    /// <summary>What does not count.</summary>
    public IEnumerable<HeldBackPrefix> HeldBack => _heldBack.Values;

    /// <summary>How many prefixes do not count.</summary>
    public int HeldBackCount => _heldBack.Count;

    /// <summary>Another node that has been granted a prefix, or a part of it; <see langword="null"/> if none has.</summary>
    public (IPPrefix Prefix, string NodeName)? FindHolder(IPPrefix prefix, string exceptNode) => _index.FindOverlap(prefix, exceptNode);

    /// <summary>The book once an announcement has taken the place of the one before it of its node.</summary>
    public AddressBook With(AddressAnnouncement announcement, AddressPolicy policy)
    {
        var name = announcement.NodeName;
        var former = Announcements.GetValueOrDefault(name)?.Prefixes ?? [];
        var draft = new Draft(this);
        draft.Announcements[name] = announcement;
        draft.TakeBack(name, Except(former, announcement.Prefixes));
        draft.Judge(Except(announcement.Prefixes, former).Select(prefix => (name, prefix)), policy);
        draft.JudgeReleased(policy);
        return draft.ToBook();
    }

    /// <summary>The book without some nodes.</summary>
    public AddressBook Without(IEnumerable<string> nodeNames, AddressPolicy policy)
    {
        var draft = new Draft(this);
        foreach (var name in nodeNames)
        {
            if (draft.Announcements.TryGetValue(name, out var announcement))
            {
                draft.Announcements.Remove(name);
                draft.TakeBack(name, announcement.Prefixes);
            }
        }

        draft.JudgeReleased(policy);
        return draft.ToBook();
    }

    /// <summary>The book by another policy: who holds something keeps it, as far as it can be theirs.</summary>
    public AddressBook By(AddressPolicy policy)
    {
        var draft = new Draft(this);
        foreach (var (name, prefixes) in Granted)
        {
            var faulty = prefixes.Where(prefix => policy.FindFault(name, prefix) is not null).ToList();
            draft.TakeBack(name, faulty);
            draft.Judge(faulty.Select(prefix => (name, prefix)), policy);
        }

        draft.Judge(_heldBack.Keys.OrderBy(key => key.Prefix).ThenBy(key => key.NodeName, StringComparer.Ordinal), policy);
        draft.JudgeReleased(policy);
        return draft.ToBook();
    }

    // Both are sorted.
    private static List<IPPrefix> Except(EquatableArray<IPPrefix> prefixes, EquatableArray<IPPrefix> others) =>
        prefixes == others ? [] : [.. prefixes.Where(prefix => others.AsSpan().BinarySearch(prefix) < 0)];

    /// <summary>A book that is being changed.</summary>
    private sealed class Draft(AddressBook book)
    {
        private readonly ImmutableDictionary<string, ImmutableSortedSet<IPPrefix>>.Builder _granted = book.Granted.ToBuilder();
        private readonly ImmutableDictionary<(string NodeName, IPPrefix Prefix), HeldBackPrefix>.Builder _heldBack =
            book._heldBack.ToBuilder();

        private readonly List<IPPrefix> _released = [];
        private PrefixIndex _index = book._index;

        public ImmutableDictionary<string, AddressAnnouncement>.Builder Announcements { get; } = book.Announcements.ToBuilder();

        public AddressBook ToBook() => new(Announcements.ToImmutable(), _granted.ToImmutable(), _index, _heldBack.ToImmutable());

        public void TakeBack(string name, IEnumerable<IPPrefix> prefixes)
        {
            var granted = _granted.GetValueOrDefault(name) ?? ImmutableSortedSet<IPPrefix>.Empty;
            foreach (var prefix in prefixes)
            {
                _heldBack.Remove((name, prefix));
                if (granted.Contains(prefix))
                {
                    granted = granted.Remove(prefix);
                    _index = _index.Remove(name, [prefix]);
                    _released.Add(prefix);
                }
            }

            if (granted.Count == 0 && !Announcements.ContainsKey(name))
            {
                _granted.Remove(name);
            }
            else
            {
                _granted[name] = granted;
            }
        }

        public void Judge(IEnumerable<(string NodeName, IPPrefix Prefix)> claims, AddressPolicy policy)
        {
            foreach (var (name, prefix) in claims)
            {
                if (Find(name, prefix, policy) is { } heldBack)
                {
                    _heldBack[(name, prefix)] = heldBack;
                    continue;
                }

                _heldBack.Remove((name, prefix));
                _granted[name] = (_granted.GetValueOrDefault(name) ?? ImmutableSortedSet<IPPrefix>.Empty).Add(prefix);
                _index = _index.Add(name, [prefix]);
            }
        }

        /// <summary>Who waited for what others had, and have not any more.</summary>
        public void JudgeReleased(AddressPolicy policy)
        {
            if (_released.Count > 0 && _heldBack.Count > 0)
            {
                var released = PrefixSet.Merge(_released);
                var waiting = _heldBack.Keys.Where(key => PrefixSet.Overlaps(released, key.Prefix))
                    .OrderBy(key => key.Prefix).ThenBy(key => key.NodeName, StringComparer.Ordinal).ToList();
                Judge(waiting, policy);
            }
        }

        private HeldBackPrefix? Find(string name, IPPrefix prefix, AddressPolicy policy)
        {
            if (policy.FindFault(name, prefix) is { } fault)
            {
                return fault;
            }

            while (_index.FindOverlap(prefix, name) is var (held, holder))
            {
                var heldBack = new HeldBackPrefix(name, prefix, HeldBackReason.HeldByAnotherNode)
                {
                    OtherNode = holder,
                    OtherPrefix = held,
                };
                if (!policy.IsNamed(name, prefix) || policy.IsNamed(holder, held))
                {
                    return heldBack;
                }

                // The list of nodes names the claimant, so the other one loses that prefix.
                TakeBack(holder, [held]);
                _heldBack[(holder, held)] = new HeldBackPrefix(holder, held, HeldBackReason.InBlockOfAnotherNode)
                {
                    OtherNode = name,
                    OtherPrefix = prefix,
                };
            }

            return null;
        }
    }
}
