using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Orleans.WireGuard.Grains.Agent;
using Orleans.WireGuard.Grains.Clocks;
using Orleans.WireGuard.Grains.Delivery;
using Orleans.WireGuard.Grains.Nodes;
using Orleans.WireGuard.Keys;
using Orleans.WireGuard.Supervision;

namespace Orleans.WireGuard.Grains.Addresses;

/// <summary>Announces what this node has for its pods, and sees to it that every active silo applies it.</summary>
/// <remarks>
/// <code>
/// own source ─┐
/// own links ──┼─▶ what is there, what lingers ─▶ differs from the latest ─▶ sign ─▶ every silo, until it has applied it
/// members ────┘                                  at most once a second
/// </code>
/// The first change after a quiet second is announced at once. A silo that does not know such announcements is not asked
/// (<see cref="OwnProtocol.WithAddresses"/>). What gets lost is healed by digests, as with keys (<see cref="PeerService"/>).
/// </remarks>
internal sealed partial class AddressAnnouncer : IDisposable
{
    private readonly Identity _identity;
    private readonly AnnouncementStore _store;
    private readonly AddressStore _addresses;
    private readonly OwnAddresses _own;
    private readonly IOwnPrefixSource _source;
    private readonly MeshMembers _members;
    private readonly MeshProtocol _protocol;
    private readonly MeshClock _clock;
    private readonly IMeshAgent _agent;
    private readonly IPeerServiceClient _client;
    private readonly DeliveryOptions _options;
    private readonly TimeProvider _timeProvider;
    private readonly ILogger<AddressAnnouncer> _logger;
    private readonly StateLog _failures;
    private readonly AsyncSignal _changed = new();
    private readonly LingeringPrefixes _lingering = new();
    private readonly Dictionary<SiloAddress, (AnnouncementSequence Sequence, Task Delivery)> _inFlight = [];
    private SteadyTime? _announcedAt;
    private SteadyTime? _dueAt;
    private volatile bool _isDisposed;

    /// <summary>Made once for each silo.</summary>
    public AddressAnnouncer(
        Identity identity,
        AnnouncementStore store,
        AddressStore addresses,
        OwnAddresses own,
        IOwnPrefixSource source,
        MeshMembers members,
        MeshProtocol protocol,
        MeshClock clock,
        IMeshAgent agent,
        IPeerServiceClient client,
        IOptions<DeliveryOptions> options,
        TimeProvider timeProvider,
        ILogger<AddressAnnouncer> logger)
    {
        (_identity, _store, _addresses, _own, _source, _members) = (identity, store, addresses, own, source, members);
        (_protocol, _clock, _agent, _client, _options) = (protocol, clock, agent, client, options.Value);
        (_timeProvider, _logger, _failures) = (timeProvider, logger, new StateLog(timeProvider));
        source.Changed += Note;
    }

    /// <summary>Has it look at once.</summary>
    public void Wake() => _changed.Set();

    /// <inheritdoc/>
    public void Dispose()
    {
        _source.Changed -= Note;
        _isDisposed = true;
    }

    /// <summary>Announces and delivers until it is cancelled.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        while (!cancellationToken.IsCancellationRequested)
        {
            // Taken before anything is read: what changes meanwhile ends the wait below.
            var changed = _changed.Next;
            var rest = Step(cancellationToken);
            using var limit = new TimeLimit(rest, _timeProvider, cancellationToken);
            await changed.WaitAsync(limit.Token)
                .ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ContinueOnCapturedContext);
        }
    }

    /// <summary>Looks what there is to announce and whom to tell.</summary>
    /// <returns>How long nothing has to be done, unless something changes.</returns>
    internal TimeSpan Step(CancellationToken cancellationToken)
    {
        var rest = _options.LaggardInterval;

        // A silo that was ended without being asked lets its loops go on for a moment, without an identity to sign with.
        if (_isDisposed)
        {
            return rest;
        }

        if (_source.Current is { Source.Length: > 0 } current && _store.IsSynced && _store.Roster?.Find(_members.LocalNodeName) is not null)
        {
            var now = SteadyTime.Now(_timeProvider);
            var (prefixes, lingers) = _lingering.Note(current.Prefixes, IsClaimedByOthers, now);
            rest = Min(rest, lingers);
            prefixes = SplitContested(prefixes, current.Prefixes);
            var next = Build(prefixes);
            if (IsDue(next))
            {
                _dueAt ??= now;
                var hasLooked = _agent.Snapshot.Encapsulations is not null;
                var pause = AnnouncePace.FindPause(_announcedAt, _dueAt.Value, hasLooked, now);
                if (pause <= TimeSpan.Zero)
                {
                    Announce(next, prefixes.Count - next.Prefixes.Count);
                    _announcedAt = now;
                }
                else
                {
                    rest = Min(rest, pause);
                }
            }
        }

        DeliverToLaggards(cancellationToken);
        return rest;
    }

    // This node's own routes do not wait for the announcement.
    private void Note()
    {
        _agent.RequestReconcile();
        _changed.Set();
    }

    private static TimeSpan Min(TimeSpan left, TimeSpan? right) => right is { } other && other < left ? other : left;

    // What waits for this node to give it back.
    private bool IsClaimedByOthers(IPPrefix prefix) => _addresses.Book.HeldBackCount > 0 && _addresses.Book.HeldBack.Any(
        heldBack => heldBack.OtherNode == _members.LocalNodeName && heldBack.Prefix.Overlaps(prefix));

    // A neighbour that another node holds would cost the whole of what was made of both.
    private EquatableArray<IPPrefix> SplitContested(EquatableArray<IPPrefix> merged, EquatableArray<IPPrefix> single)
    {
        var book = _addresses.Book;
        return merged.All(prefix => book.FindHolder(prefix, _members.LocalNodeName) is null)
            ? merged
            : merged.SelectMany(prefix =>
                book.FindHolder(prefix, _members.LocalNodeName) is null ? [prefix] : single.Where(prefix.Contains)).ToEquatableArray();
    }

    private AddressAnnouncement Build(EquatableArray<IPPrefix> prefixes)
    {
        // The widest hold the most pods.
        var fitting = prefixes.Count <= AddressAnnouncement.MaxPrefixes
            ? prefixes
            : prefixes.OrderBy(prefix => prefix.IsIPv6 ? prefix.Length - 96 : prefix.Length).Take(AddressAnnouncement.MaxPrefixes)
                .Order().ToEquatableArray();
        var snapshot = _agent.Snapshot;
        return new AddressAnnouncement
        {
            NodeName = _members.LocalNodeName,
            Identity = _identity.PublicKey,
            Sequence = default,
            Prefixes = fitting,
            NodeAddresses = snapshot.NodeAddresses.Take(AddressAnnouncement.MaxNodeAddresses)
                .OrderBy(address => address.ToString(), StringComparer.Ordinal).ToEquatableArray(),
            Encapsulations = (snapshot.Encapsulations ?? _own.Latest?.Encapsulations ?? [])
                .Take(AddressAnnouncement.MaxEncapsulations).ToEquatableArray(),
        };
    }

    private bool IsDue(AddressAnnouncement next) =>
        _own.Latest is not { } latest
        || latest.Prefixes != next.Prefixes
        || latest.NodeAddresses != next.NodeAddresses
        || latest.Encapsulations != next.Encapsulations
        || _own.IsBelowFloor(_clock.Horizon)
        || !SequenceBounds.IsPossible(latest.Sequence, _clock.Horizon);

    private void Announce(AddressAnnouncement next, int leftOut)
    {
        var announcement = _identity.Sign(next with { Sequence = _own.NextSequence(_clock.MeshTime, _clock.Horizon) });
        _own.Begin(announcement, leftOut);
        var verdict = _addresses.Offer(announcement);
        if (!verdict.IsAccepted)
        {
            LogNotTaken(_logger, announcement.Sequence, verdict.Outcome, verdict.Detail);
        }

        LogAnnounced(
            _logger, announcement.Sequence, announcement.Prefixes.Count, announcement.NodeAddresses.Count,
            announcement.Encapsulations.Count);
        _agent.RequestReconcile();
    }

    private void DeliverToLaggards(CancellationToken cancellationToken)
    {
        var others = _members.Others;
        var silos = others.Select(other => other.Silo).ToHashSet();
        _own.ForgetExcept(silos);
        foreach (var silo in _inFlight.Keys.Where(silo => !silos.Contains(silo)).ToList())
        {
            _inFlight.Remove(silo);
        }

        if (_own.Latest is not { } announcement)
        {
            return;
        }

        foreach (var (silo, nodeName) in others)
        {
            // One that is under way with an older announcement says nothing of this one.
            var isUnderWay = _inFlight.TryGetValue(silo, out var last)
                && last.Sequence == announcement.Sequence && !last.Delivery.IsCompleted;
            if (!isUnderWay && !_own.HasApplied(silo)
                && _protocol.Of(silo, nodeName) is null or { Max: >= OwnProtocol.WithAddresses })
            {
                _inFlight[silo] = (announcement.Sequence, DeliverAsync(announcement, silo, nodeName, cancellationToken));
            }
        }
    }

    private async Task DeliverAsync(
        AddressAnnouncement announcement, SiloAddress silo, string nodeName, CancellationToken cancellationToken)
    {
        using var limit = new TimeLimit(_options.AttemptTimeout, _timeProvider, cancellationToken);
        try
        {
            // Each silo is asked once what it speaks: it may be an older release than the one before it.
            if (_protocol.Of(silo, nodeName) is null)
            {
                var path = await _client.GetPathAsync(silo, _members.LocalNodeName).WaitAsync(limit.Token);
                _protocol.Note(silo, nodeName, path.Protocol);
            }

            if (_protocol.Of(silo, nodeName) is not { Max: >= OwnProtocol.WithAddresses })
            {
                return;
            }

            var receipt = await _client.ReceiveAddressesAsync(silo, announcement).WaitAsync(limit.Token);
            if (receipt.Outcome == AnnouncementOutcome.Applied)
            {
                _own.NoteApplied(silo, announcement.Sequence);
                if (_failures.End(nodeName) is { } end)
                {
                    LogDeliveredAgain(_logger, nodeName, end.Count, end.Duration);
                }
            }
            else if (receipt is { Outcome: AnnouncementOutcome.StaleSequence, HeldSequence: { } held }
                && _own.RaiseFloor(held, _clock.Horizon))
            {
                _changed.Set();
            }
            else if (_failures.Note(nodeName, receipt.Outcome.ToString()) is { } line)
            {
                LogNotApplied(_logger, announcement.Sequence, nodeName, receipt.Outcome, line.Count);
            }
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            // The silo ends.
        }
        catch (Exception e)
        {
            // Nobody awaits a delivery. The next look for laggards starts another one.
            if (_failures.Note(nodeName, e.GetType().Name) is { } line)
            {
                LogUndelivered(_logger, announcement.Sequence, nodeName, e.Message, line.Count);
            }
        }
    }
}
