using Orleans.WireGuard.Grains;
using Orleans.WireGuard.Grains.Delivery;
using Orleans.WireGuard.Grains.Rotation;

namespace Orleans.WireGuard.Tests.Unit.Rotation.Simulation;

/// <summary>What <see cref="PeerService"/> does, without the grain service that it is, which needs a real silo.</summary>
internal sealed class SimulatedPeerService(
    Simulation simulation, SimulatedSilo silo, SimulatedClock clock, DeliveryOptions options)
{
    private int? _toldProtocol;

    // The release before this one says nothing of it.
    private ProtocolRange? Protocol => silo.Machine.IsFormerRelease ? null : OwnProtocol.Range;

    /// <inheritdoc cref="IPeerService.Receive"/>
    public async Task<AnnouncementReceipt> ReceiveAsync(PeerAnnouncement announcement)
    {
        await silo.Clocks.AskFirstAsync(options.AttemptTimeout);
        var verdict = Accept(announcement);
        var outcome = !verdict.IsAccepted ? verdict.Outcome
            : await ReconcileAsync() ? AnnouncementOutcome.Applied : AnnouncementOutcome.Held;

        var held = silo.Store.Announcements.GetValueOrDefault(announcement.NodeName);
        return new AnnouncementReceipt(silo.Machine.Name, outcome, held?.Sequence);
    }

    /// <inheritdoc cref="IPeerService.Exchange"/>
    public DigestReply Exchange(MeshDigest digest) =>
        DigestComparison.Compare(digest, silo.Store.Announcements) with { Protocol = Protocol };

    /// <inheritdoc cref="IPeerService.GetPath"/>
    public PathReply GetPath(string nodeName) => new(silo.Agent.Snapshot.FindPath(nodeName), clock.GetUtcNow()) { Protocol = Protocol };

    /// <summary>Compares digests with random others, again and again.</summary>
    public async Task HealForEverAsync()
    {
        try
        {
            while (true)
            {
                await HealOnceAsync();
                await Task.Delay(options.AntiEntropyInterval, clock);
            }
        }
        catch (Exception e)
        {
            simulation.Fail(e);
        }
    }

    private async Task HealOnceAsync()
    {
        await silo.Clocks.AskAsync(options.AttemptTimeout);
        var others = silo.Members.Others.ToArray();
        simulation.Shuffle(others);
        var answers = 0;
        foreach (var (address, nodeName) in others)
        {
            if (answers == options.AntiEntropyFanOut)
            {
                break;
            }

            answers += await TryExchangeAsync(address, nodeName) ? 1 : 0;
        }

        silo.Protocol.Follow();
        if (_toldProtocol is { } told && told != silo.Protocol.Effective)
        {
            _ = silo.Keeper.AnnounceAgain();
        }

        _toldProtocol = silo.Protocol.Effective;
        if (!silo.Store.IsSynced && (answers > 0 || others.Length == 0))
        {
            silo.Store.MarkSynced();
            silo.Agent.RequestReconcile();
        }
    }

    private async Task<bool> TryExchangeAsync(SiloAddress other, string nodeName)
    {
        try
        {
            var held = silo.Store.Announcements;
            var digest = DigestComparison.ToDigest(held) with { Protocol = Protocol };
            var reply = await silo.Client.ExchangeAsync(other, digest).WaitAsync(options.AttemptTimeout, clock);
            silo.Protocol.Note(other, nodeName, reply.Protocol);
            foreach (var newer in reply.Newer)
            {
                Accept(newer);
                silo.Agent.RequestReconcile();
            }

            foreach (var wanted in reply.Wanted)
            {
                if (silo.Store.Announcements.GetValueOrDefault(wanted) is { } announcement
                    && OwnProtocol.IsReadable(reply.Protocol, announcement))
                {
                    await silo.Client.ReceiveAsync(other, announcement).WaitAsync(options.AttemptTimeout, clock);
                }
            }

            return true;
        }
        catch (TimeoutException)
        {
            return false;
        }
    }

    private AnnouncementVerdict Accept(PeerAnnouncement announcement)
    {
        if (!OwnProtocol.IsReadable(Protocol, announcement))
        {
            simulation.Fail(new InvalidOperationException(
                $"{silo.Machine.Name} is of the former release and was given an announcement of '{announcement.NodeName}' with extensions"));
        }

        if (announcement.NodeName == silo.Machine.Name)
        {
            return MeetFormerSelf(announcement);
        }

        if (simulation.Broken == SimulationBreak.OlderAnnouncementsAreTaken)
        {
            silo.Store.ForgetAbsent(simulation.RosterWithout(announcement.NodeName));
        }

        var verdict = silo.Store.Offer(announcement);
        if (verdict.IsTaken
            && SlotSharing.IsApart(silo.Store.Announcements.GetValueOrDefault(silo.Machine.Name), announcement))
        {
            _ = silo.Keeper.AnnounceAgain();
        }

        return verdict;
    }

    private AnnouncementVerdict MeetFormerSelf(PeerAnnouncement announcement)
    {
        if (silo.Store.OfferFormerSelf(announcement) is { } fault)
        {
            return fault;
        }

        _ = silo.Keeper.MeetFormerSelf();
        return AnnouncementVerdict.Refused(AnnouncementOutcome.StaleSequence, "");
    }

    private async Task<bool> ReconcileAsync()
    {
        using var timeout = new CancellationTokenSource(options.AttemptTimeout, clock);
        try
        {
            return await silo.Agent.ReconcileAsync(timeout.Token);
        }
        catch (OperationCanceledException)
        {
            return false;
        }
    }
}
