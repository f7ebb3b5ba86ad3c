using System.Collections.Immutable;
using Orleans.WireGuard.Grains.Clocks;
using Orleans.WireGuard.Grains.Nodes;

namespace Orleans.WireGuard.Grains.Delivery;

/// <summary>
/// This node's own announcement: the latest, above what the next one has to be, what a former silo of the node announced, and who has
/// applied it. One for each silo; written by the NodeGrain and the PeerGrain, read by the agent.
/// </summary>
/// <remarks>
/// Acknowledgements are kept by silo address and not by node name: a restarted silo has a new generation, remembers nothing, and has to be
/// told again.
/// </remarks>
internal sealed class OwnAnnouncement
{
    private readonly Lock _lock = new();
    private readonly HashSet<SiloAddress> _missing = [];
    private volatile Deliveries _state = new(null, default, ImmutableDictionary<SiloAddress, ReceiverStatus>.Empty);
    private IReadOnlyList<(SiloAddress Silo, string NodeName)>? _missingOf;

    // A turn that fails once or twice is tried again within seconds, and is nobody's business.
    private const int LastingFailures = 3;

    private volatile Failure? _failure;
    private volatile PeerAnnouncement? _formerSelf;
    private AnnouncementSequence? _floor;

    /// <summary>Raised after <see cref="Begin"/>. Handlers only note it.</summary>
    public event Action? Began;

    /// <summary>The one that is being delivered, or has been; <see langword="null"/> before the first.</summary>
    public PeerAnnouncement? Latest => _state.Announcement;

    /// <summary>
    /// The latest that a former silo of this node announced, as others have told; <see langword="null"/> while nobody has.
    /// </summary>
    public PeerAnnouncement? FormerSelf => _formerSelf;

    /// <summary>Notes what others hold of this node from before its silo started.</summary>
    /// <param name="announcement">What they hold.</param>
    /// <param name="horizon">See <see cref="NextSequence"/>: what was noted by a clock that has been set back since counts no more.</param>
    /// <returns>Whether it takes the place of what was known.</returns>
    public bool NoteFormerSelf(PeerAnnouncement announcement, DateTimeOffset horizon)
    {
        lock (_lock)
        {
            if (_formerSelf is { } known && announcement.Sequence <= known.Sequence && SequenceBounds.IsPossible(known.Sequence, horizon))
            {
                return false;
            }

            _formerSelf = announcement;
            return true;
        }
    }

    /// <summary>Has the next announcement be above a sequence, because somebody holds it of this node.</summary>
    /// <param name="sequence">What somebody holds.</param>
    /// <param name="horizon">As of <see cref="NoteFormerSelf"/>: a floor that nobody takes must not hide one that counts.</param>
    /// <returns>Whether it takes the place of what was known.</returns>
    public bool RaiseFloor(AnnouncementSequence sequence, DateTimeOffset horizon)
    {
        lock (_lock)
        {
            if (_floor is { } floor && sequence <= floor && SequenceBounds.IsPossible(floor, horizon))
            {
                return false;
            }

            _floor = sequence;
            return true;
        }
    }

    /// <summary>The sequence of the next announcement.</summary>
    /// <param name="meshTime">The time by which epochs are told.</param>
    /// <param name="horizon">The latest moment that others take (<see cref="SequenceBounds.MaxLead"/>).</param>
    /// <remarks>
    /// Of a clock that has been set back since, a known one may lie further ahead than anybody takes. Nobody counts it any more, and above
    /// it the node could announce nothing until the clock has come there.
    /// </remarks>
    public AnnouncementSequence NextSequence(DateTimeOffset meshTime, DateTimeOffset horizon) => AnnouncementSequence.Next(
        new[] { Latest?.Sequence, Floor }
            .Where(sequence => sequence is { } known && SequenceBounds.IsPossible(known, horizon)).Max(),
        meshTime);

    /// <summary>Whether the latest says other than what is, or has to be announced again to be taken.</summary>
    /// <param name="slots">The keys as they are to be announced.</param>
    /// <param name="frozenUntil">Until when an operator has the node keep them.</param>
    /// <param name="self">The node's addresses; <see langword="null"/> while the roster does not list it.</param>
    /// <param name="extensions">What all silos of the mesh know of what was added.</param>
    /// <param name="horizon">See <see cref="NextSequence"/>.</param>
    public bool IsDue(
        EquatableArray<SlotAnnouncement> slots,
        DateTimeOffset? frozenUntil,
        AnnounceableNode? self,
        EquatableArray<byte> extensions,
        DateTimeOffset horizon) =>
        Latest is not { } latest
        || (Floor is { } floor && SequenceBounds.IsPossible(floor, horizon) && latest.Sequence <= floor)
        || !SequenceBounds.IsPossible(latest.Sequence, horizon)
        || latest.Slots != slots
        || latest.FrozenUntil != frozenUntil
        || latest.Extensions != extensions
        || (self is not null && (self.Endpoints != latest.Endpoints || self.AllowedIPs != latest.AllowedIPs));

    /// <summary>Why this node is not ready as far as its announcement goes; <see langword="null"/> if it is.</summary>
    public NodeProblem? Problem => (_state.Announcement, _failure) switch
    {
        (null, null) => NodeProblem.Of(NodeProblemCode.NotAnnounced),
        (null, { } failure) => NodeProblem.Of(NodeProblemCode.NotAnnounced, failure.Problem),
        (_, { Times: >= LastingFailures } failure) => NodeProblem.Of(NodeProblemCode.TurnsFail, failure.Problem),
        _ => null,
    };

    /// <summary>Notes why the node's latest turn failed; <see langword="null"/> if it did not.</summary>
    public void NoteFailure(string? problem)
    {
        lock (_lock)
        {
            _failure = problem is null ? null : new Failure(problem, (_failure?.Times ?? 0) + 1);
        }
    }

    /// <summary>Starts over for a new announcement.</summary>
    public void Begin(PeerAnnouncement announcement, DateTimeOffset now)
    {
        lock (_lock)
        {
            _state = new Deliveries(announcement, now, ImmutableDictionary<SiloAddress, ReceiverStatus>.Empty);
            _missingOf = null;
        }

        Began?.Invoke();
    }

    /// <summary>Notes an attempt and how it ended. Ignored if a newer announcement took over meanwhile.</summary>
    /// <param name="sequence">The announcement's.</param>
    /// <param name="silo">The receiver.</param>
    /// <param name="nodeName">Its node.</param>
    /// <param name="outcome">Its answer; <see langword="null"/> if none came.</param>
    /// <param name="problem">Why none came.</param>
    /// <param name="elapsed">How long ago the delivery began.</param>
    public void Record(
        AnnouncementSequence sequence,
        SiloAddress silo,
        string nodeName,
        AnnouncementOutcome? outcome,
        NodeProblem? problem,
        TimeSpan elapsed)
    {
        lock (_lock)
        {
            if (_state.Announcement?.Sequence != sequence)
            {
                return;
            }

            var last = _state.Receivers.GetValueOrDefault(silo);
            var appliedAfter = last?.AppliedAfter ?? (outcome == AnnouncementOutcome.Applied ? elapsed : null);
            var status = new ReceiverStatus(nodeName, outcome ?? last?.Outcome, appliedAfter, (last?.Attempts ?? 0) + 1, problem);
            _state = _state with { Receivers = _state.Receivers.SetItem(silo, status) };
            if (status.Outcome == AnnouncementOutcome.Applied)
            {
                _missing.Remove(silo);
            }
            else if (last?.Outcome == AnnouncementOutcome.Applied)
            {
                _missingOf = null;
            }
        }
    }

    /// <summary>Forgets the silos that are gone: one that comes back is another one.</summary>
    public void ForgetExcept(IReadOnlySet<SiloAddress> members)
    {
        lock (_lock)
        {
            _state = _state with { Receivers = _state.Receivers.RemoveRange(_state.Receivers.Keys.Where(silo => !members.Contains(silo))) };
        }
    }

    /// <summary>Whether this silo's device holds the current announcement.</summary>
    public bool HasApplied(SiloAddress silo) => FindReceiver(silo)?.Outcome == AnnouncementOutcome.Applied;

    /// <summary>What a silo did with the current announcement; <see langword="null"/> if it has not been sent to it yet.</summary>
    public ReceiverStatus? FindReceiver(SiloAddress silo) => _state.Receivers.GetValueOrDefault(silo);

    /// <summary>Whether the devices of all these silos hold the current announcement.</summary>
    /// <remarks>
    /// Asked after every receipt: the list is gone through once, when it is another one than last time, and receipts count it down.
    /// </remarks>
    /// <param name="members">The other active silos with their node names; another list whenever they are others.</param>
    public bool IsEverywhere(IReadOnlyList<(SiloAddress Silo, string NodeName)> members)
    {
        lock (_lock)
        {
            if (!ReferenceEquals(members, _missingOf))
            {
                _missingOf = members;
                _missing.Clear();
                _missing.UnionWith(members.Select(member => member.Silo).Where(silo => !HasApplied(silo)));
            }

            return _missing.Count == 0;
        }
    }

    /// <summary>
    /// The nodes whose devices hold the current announcement, as far as their silos are among <paramref name="members"/>.
    /// </summary>
    public ImmutableHashSet<string> AppliedNodes(IEnumerable<SiloAddress> members) => Nodes(members, AnnouncementOutcome.Applied);

    /// <summary>The same with the nodes whose devices do not hold it yet, but whose silos do.</summary>
    public ImmutableHashSet<string> HeldNodes(IEnumerable<SiloAddress> members) =>
        Nodes(members, AnnouncementOutcome.Held, AnnouncementOutcome.Applied);

    /// <summary>The public form.</summary>
    /// <param name="members">The other active silos with their node names.</param>
    public DeliveryStatus ToStatus(IEnumerable<(SiloAddress Silo, string NodeName)> members)
    {
        var state = _state;
        var receivers = members.Select(member => state.Receivers.GetValueOrDefault(member.Silo)
            ?? new ReceiverStatus(member.NodeName, null, null, 0, null));
        return new DeliveryStatus(
            state.Announcement?.Sequence,
            state.Announcement is null ? null : state.BeganAt,
            receivers.OrderBy(receiver => receiver.NodeName, StringComparer.Ordinal).ToEquatableArray());
    }

    private AnnouncementSequence? Floor
    {
        get
        {
            lock (_lock)
            {
                return _floor;
            }
        }
    }

    private ImmutableHashSet<string> Nodes(IEnumerable<SiloAddress> members, params AnnouncementOutcome[] outcomes)
    {
        var state = _state;
        return [.. members.Select(silo => state.Receivers.GetValueOrDefault(silo))
            .Where(receiver => receiver?.Outcome is { } outcome && outcomes.Contains(outcome)).Select(receiver => receiver!.NodeName)];
    }

    private sealed record Failure(string Problem, int Times);

    private sealed record Deliveries(
        PeerAnnouncement? Announcement, DateTimeOffset BeganAt, ImmutableDictionary<SiloAddress, ReceiverStatus> Receivers);
}
