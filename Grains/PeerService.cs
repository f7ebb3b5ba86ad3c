using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Orleans.WireGuard.Grains.Addresses;
using Orleans.WireGuard.Grains.Agent;
using Orleans.WireGuard.Grains.Clocks;
using Orleans.WireGuard.Grains.Delivery;
using Orleans.WireGuard.Grains.Nodes;
using Orleans.WireGuard.Grains.Reasons;
using Orleans.WireGuard.Grains.Rotation;
using Orleans.WireGuard.Supervision;

namespace Orleans.WireGuard.Grains;

/// <summary>Receives announcements for this silo, and heals what got lost by comparing digests with a few others.</summary>
internal sealed partial class PeerService : GrainService, IPeerService
{
    private readonly AnnouncementStore _store;
    private readonly AddressStore _addresses;
    private readonly OwnAddresses _ownAddresses;
    private readonly AddressAnnouncer _announcer;
    private readonly IMeshAgent _agent;
    private readonly MeshMembers _members;
    private readonly IPeerServiceClient _client;
    private readonly IGrainFactory _grains;
    private readonly MeshClock _clock;
    private readonly ClockSurvey _clocks;
    private readonly MeshProtocol _protocol;
    private readonly Acceptance _acceptance;
    private readonly SiloEnd _end;
    private readonly DeliveryOptions _options;
    private readonly TimeProvider _timeProvider;
    private readonly Jitter _jitter;
    private readonly EndlessLoops _loops;
    private readonly ILogger<PeerService> _logger;
    private readonly StateLog _refusals;
    private readonly StateLog _addressRefusals;
    private readonly StateLog _heldBack;
    private readonly StateLog _exchanges;
    private readonly StateLog _clockProblem;
    private int? _toldProtocol;

    /// <summary>Made by Orleans, once for each silo.</summary>
    public PeerService(
        GrainId id,
        Silo silo,
        ILoggerFactory loggerFactory,
        AnnouncementStore store,
        AddressStore addresses,
        OwnAddresses ownAddresses,
        AddressAnnouncer announcer,
        IMeshAgent agent,
        MeshMembers members,
        IPeerServiceClient client,
        IGrainFactory grains,
        MeshClock clock,
        ClockSurvey clocks,
        MeshProtocol protocol,
        Acceptance acceptance,
        SiloEnd end,
        IOptions<DeliveryOptions> options,
        TimeProvider timeProvider,
        Jitter jitter,
        EndlessLoops loops)
        : base(id, silo, loggerFactory)
    {
        (_store, _agent, _members, _client, _grains, _clock, _clocks) = (store, agent, members, client, grains, clock, clocks);
        (_protocol, _acceptance, _end) = (protocol, acceptance, end);
        (_addresses, _ownAddresses, _announcer) = (addresses, ownAddresses, announcer);
        (_options, _timeProvider, _jitter, _loops) = (options.Value, timeProvider, jitter, loops);
        _logger = loggerFactory.CreateLogger<PeerService>();
        (_refusals, _addressRefusals, _heldBack) = (new StateLog(timeProvider), new StateLog(timeProvider), new StateLog(timeProvider));
        (_exchanges, _clockProblem) = (new StateLog(timeProvider), new StateLog(timeProvider));
    }

    /// <inheritdoc/>
    public async Task<AnnouncementReceipt> Receive(PeerAnnouncement announcement)
    {
        // By a clock that is wrong it would be refused. Whoever is asked for the time answers at once, so two silos that start do not wait
        // for each other.
        await _clocks.AskFirstAsync(_options.AttemptTimeout);
        var verdict = await AcceptAsync(announcement);
        var outcome = !verdict.IsAccepted ? verdict.Outcome
            : await ReconcileAsync() ? AnnouncementOutcome.Applied : AnnouncementOutcome.Held;

        var held = _store.Announcements.GetValueOrDefault(announcement.NodeName);
        return new AnnouncementReceipt(_members.LocalNodeName, outcome, held?.Sequence);
    }

    /// <inheritdoc/>
    public Task<DigestReply> Exchange(MeshDigest digest) => Task.FromResult(AddressComparison.AddTo(
        DigestComparison.Compare(digest, _store.Announcements), digest, _addresses.Book.Announcements));

    /// <inheritdoc/>
    public Task<PathReply> GetPath(string nodeName) =>
        Task.FromResult(new PathReply(_agent.Snapshot.FindPath(nodeName), _timeProvider.GetUtcNow()) { Protocol = OwnProtocol.Range });

    /// <inheritdoc/>
    protected override Task StartInBackground()
    {
        var stopped = StoppedCancellationTokenSource.Token;
        return Task.WhenAll(
            _loops.RepeatAsync("Anti-entropy", _ => HealOnceAsync(), _ => _options.AntiEntropyInterval, stopped),
            _loops.RepeatAsync("The announcement of addresses", _announcer.RunAsync, _ => _options.LaggardInterval, stopped));
    }

    private async Task HealOnceAsync()
    {
        await _clocks.AskAsync(_options.AttemptTimeout);
        TellClock();
        var others = _members.Others.ToArray();
        _jitter.Shuffle(others);
        var answers = 0;
        foreach (var (silo, nodeName) in others)
        {
            if (answers == _options.AntiEntropyFanOut)
            {
                break;
            }

            answers += await TryExchangeAsync(silo, nodeName) ? 1 : 0;

            // Before it has announced anything, so that nobody has to refuse it.
            if (!_store.IsSynced && _protocol.FindMisfit() is { } misfit)
            {
                _end.Because(misfit, isMisfit: true);
                return;
            }
        }

        _protocol.Follow();
        await TellProtocolAsync();

        // Alone, there is nobody to ask, and that is an answer too.
        if (!_store.IsSynced && (answers > 0 || others.Length == 0))
        {
            _store.MarkSynced();
            LogSynced(_logger, _store.Announcements.Count, answers);
            _agent.RequestReconcile();
        }
    }

    // The announcement says what all can read, and they may read another thing now. If the NodeGrain does not hear of it, the next round
    // tells it again.
    private async Task TellProtocolAsync()
    {
        var effective = _protocol.Effective;
        if (_toldProtocol is { } told && told != effective)
        {
            if (!await TryAnnounceAgainAsync($"the mesh speaks protocol {effective}, and not {told} any more"))
            {
                return;
            }

            LogProtocol(_logger, effective, told);
        }

        _toldProtocol = effective;
    }

    private void TellClock()
    {
        if (_clock.FindProblem() is not { } problem)
        {
            if (_clockProblem.End(_members.LocalNodeName) is { } end)
            {
                LogClockKnown(_logger, end.Duration);
            }
        }
        else if (_clockProblem.Note(_members.LocalNodeName, "") is not null)
        {
            var text = NodeProblemText.Describe(problem);
            LogClock(_logger, text);
        }
    }

    private async Task<bool> TryExchangeAsync(SiloAddress silo, string nodeName)
    {
        try
        {
            var timeout = _options.AttemptTimeout;
            DigestReply reply;
            PeerAnnouncement? mine;
            AnnouncementOutcome? refused = null;
            int taken;
            do
            {
                mine = _store.Announcements.GetValueOrDefault(_members.LocalNodeName);
                var digest = DigestComparison.ToDigest(_store.Announcements) with
                {
                    Addresses = AddressComparison.ToEntries(_addresses.Book.Announcements),
                };
                reply = await _client.ExchangeAsync(silo, digest).WaitAsync(timeout, _timeProvider);
                _protocol.Note(silo, nodeName, reply.Protocol, reply.Version);
                if (!_protocol.CanSpeak(reply.Protocol))
                {
                    _acceptance.NoteOffer(silo, AnnouncementOutcome.UnsupportedVersion);
                    TellNotExchanged(nodeName, "another protocol", $"it speaks protocol {reply.Protocol}, and this silo {OwnProtocol.Range}");
                    return false;
                }

                taken = TakeAddresses(reply);
                foreach (var newer in reply.Newer)
                {
                    var verdict = await AcceptAsync(newer);
                    taken += verdict.IsTaken ? 1 : 0;
                    if (newer.NodeName == nodeName && !verdict.IsAccepted && verdict.Outcome != AnnouncementOutcome.StaleSequence)
                    {
                        refused = verdict.Outcome;
                    }
                }
            }
            while ((reply.Newer.Count >= DigestComparison.MaxNewer || reply.NewerAddresses.Count > 0) && taken > 0);

            _acceptance.NoteOffer(silo, refused);
            if (mine is not null && !reply.Wanted.Contains(mine.NodeName) && reply.Newer.All(newer => newer.NodeName != mine.NodeName))
            {
                _acceptance.NoteHeld(silo, mine.Sequence);
            }


            _agent.RequestReconcile();
            foreach (var wanted in reply.Wanted)
            {
                if (_store.Announcements.GetValueOrDefault(wanted) is { } announcement
                    && OwnProtocol.IsReadable(reply.Protocol, announcement))
                {
                    await _client.ReceiveAsync(silo, announcement).WaitAsync(timeout, _timeProvider);
                }
            }

            await SendAddressesAsync(silo, nodeName, reply, timeout);

            if (_exchanges.End(nodeName) is { } end)
            {
                LogExchangedAgain(_logger, nodeName, end.Count, end.Duration);
            }

            return true;
        }
        catch (Exception e) when (!StoppedCancellationTokenSource.IsCancellationRequested)
        {
            // A silo that just died looks active for a moment, and one of another version may say what we cannot read. Whatever it is, it
            // must not end the loop: the next round asks another one.
            TellNotExchanged(nodeName, e.GetType().Name, e.Message);
            return false;
        }
    }

    private void TellNotExchanged(string nodeName, string kind, string problem)
    {
        if (_exchanges.Note(nodeName, kind) is { } line)
        {
            LogExchangeFailed(_logger, nodeName, problem, line.Count);
        }
    }

    private async Task<AnnouncementVerdict> AcceptAsync(PeerAnnouncement announcement)
    {
        if (announcement.NodeName == _members.LocalNodeName)
        {
            return await MeetFormerSelfAsync(announcement);
        }

        var verdict = _store.Offer(announcement);
        if (verdict.IsTaken)
        {
            var publicKeys = string.Join(", ", announcement.Slots.Select(slot => slot.PublicKey.ToShortString()));
            LogAccepted(_logger, announcement.NodeName, announcement.Sequence, publicKeys);
            _ = ShareSlotAsync(announcement);
            if (_refusals.End(announcement.NodeName) is { } end)
            {
                LogTakenAgain(_logger, announcement.NodeName, end.Count, end.Duration);
            }
        }
        else if (verdict.Outcome == AnnouncementOutcome.StaleSequence)
        {
            // Normal with several paths to one receiver, so it is counted and not shouted about.
            LogStale(_logger, announcement.NodeName, verdict.Detail);
        }
        else if (!verdict.IsAccepted)
        {
            TellRefused(announcement, verdict);
        }

        return verdict;
    }

    /// <summary>
    /// Others hold an announcement of this node that this silo did not make: it was restarted. Its own announcements must be above that
    /// one, or nobody would take them.
    /// </summary>
    private async Task<AnnouncementVerdict> MeetFormerSelfAsync(PeerAnnouncement announcement)
    {
        if (_store.OfferFormerSelf(announcement) is { } fault)
        {
            TellRefused(announcement, fault);
            return fault;
        }

        await _grains.GetGrain<INodeKeeper>(_members.LocalNodeName).MeetFormerSelf();
        return AnnouncementVerdict.Refused(AnnouncementOutcome.StaleSequence, "it is of a former silo of this node");
    }

    // Not awaited: whoever delivers has nothing to do with it, and the NodeGrain may be waiting for others.
    private async Task ShareSlotAsync(PeerAnnouncement announcement)
    {
        if (!SlotSharing.IsApart(_store.Announcements.GetValueOrDefault(_members.LocalNodeName), announcement))
        {
            return;
        }

        // It looks by itself too, in its next turn.
        _ = await TryAnnounceAgainAsync($"'{announcement.NodeName}' has no key in a slot of this node");
    }

    private async Task<bool> TryAnnounceAgainAsync(string because)
    {
        try
        {
            await _grains.GetGrain<INodeKeeper>(_members.LocalNodeName).AnnounceAgain();
            return true;
        }
        catch (Exception e)
        {
            LogNotAnnouncedAgain(_logger, because, e.Message);
            return false;
        }
    }

    private void TellRefused(PeerAnnouncement announcement, AnnouncementVerdict refusal)
    {
        // What differs from one to the next, such as a sequence, is in the status. Whoever is refused may have given any name, which is
        // kept for a while.
        var name = NodeNameRule.Bound(announcement.NodeName);
        if (_refusals.Note(name, refusal.Outcome.ToString()) is { } line)
        {
            LogRefused(_logger, name, refusal.Outcome, refusal.Detail, line.Count);
        }
    }

    private async Task<bool> ReconcileAsync()
    {
        using var limit = new TimeLimit(_options.AttemptTimeout, _timeProvider);
        try
        {
            return await _agent.ReconcileAsync(limit.Token);
        }
        catch (OperationCanceledException) when (limit.IsOver)
        {
            return false;
        }
    }
}
