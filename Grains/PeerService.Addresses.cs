using Orleans.WireGuard.Grains.Addresses;
using Orleans.WireGuard.Grains.Delivery;
using Orleans.WireGuard.Grains.Nodes;

namespace Orleans.WireGuard.Grains;

/// <content>Announcements of addresses: apart from those of keys, which never wait for them.</content>
internal sealed partial class PeerService
{
    /// <inheritdoc/>
    public async Task<AnnouncementReceipt> ReceiveAddresses(AddressAnnouncement announcement)
    {
        // By a clock that is wrong it would be refused.
        await _clocks.AskFirstAsync(_options.AttemptTimeout);
        var verdict = AcceptAddresses(announcement);
        var outcome = !verdict.IsAccepted ? verdict.Outcome
            : await ReconcileAsync() ? AnnouncementOutcome.Applied : AnnouncementOutcome.Held;
        var held = _addresses.Book.Announcements.GetValueOrDefault(announcement.NodeName);
        return new AnnouncementReceipt(_members.LocalNodeName, outcome, held?.Sequence);
    }

    /// <returns>How many were newer than what was held.</returns>
    private int TakeAddresses(DigestReply reply) => reply.NewerAddresses.Count(newer => AcceptAddresses(newer).IsTaken);

    private AnnouncementVerdict AcceptAddresses(AddressAnnouncement announcement)
    {
        if (announcement.NodeName == _members.LocalNodeName && announcement.Identity != _ownAddresses.Latest?.Identity)
        {
            return MeetFormerAddresses(announcement);
        }

        var verdict = _addresses.Offer(announcement);
        if (!verdict.IsAccepted && verdict.Outcome != AnnouncementOutcome.StaleSequence)
        {
            var name = NodeNameRule.Bound(announcement.NodeName);
            if (_addressRefusals.Note(name, verdict.Outcome.ToString()) is { } line)
            {
                LogAddressesRefused(_logger, name, verdict.Outcome, verdict.Detail, line.Count);
            }
        }

        if (verdict.IsTaken)
        {
            TellHeldBack(announcement.NodeName);
        }

        return verdict;
    }

    private void TellHeldBack(string nodeName)
    {
        var book = _addresses.Book;
        var heldBack = book.HeldBackCount == 0 ? [] : book.HeldBack.Where(prefix => prefix.NodeName == nodeName).ToList();
        if (heldBack.Count == 0)
        {
            if (_heldBack.End(nodeName) is { } end)
            {
                LogCountsAgain(_logger, nodeName, end.Duration);
            }
        }
        else if (heldBack.MinBy(prefix => prefix.Prefix) is { } first && _heldBack.Note(nodeName, first.Reason.ToString()) is { } line)
        {
            LogHeldBack(_logger, heldBack.Count, nodeName, first.Prefix, first.Reason, first.OtherNode ?? "none", line.Count);
        }
    }

    /// <summary>
    /// Others hold what a former silo of this node announced. What this one announces must be above, or nobody would take it.
    /// </summary>
    private AnnouncementVerdict MeetFormerAddresses(AddressAnnouncement announcement)
    {
        if (AddressRules.FindFault(announcement, _clock.Horizon) is { } fault)
        {
            return fault;
        }

        if (_ownAddresses.RaiseFloor(announcement.Sequence, _clock.Horizon))
        {
            _announcer.Wake();
        }

        return AnnouncementVerdict.Refused(AnnouncementOutcome.StaleSequence, "it is of a former silo of this node");
    }

    private async Task SendAddressesAsync(SiloAddress silo, string nodeName, DigestReply reply, TimeSpan timeout)
    {
        if (_protocol.Of(silo, nodeName) is not { Max: >= OwnProtocol.WithAddresses })
        {
            return;
        }

        foreach (var wanted in reply.WantedAddresses)
        {
            if (_addresses.Book.Announcements.TryGetValue(wanted, out var announcement))
            {
                await _client.ReceiveAddressesAsync(silo, announcement).WaitAsync(timeout, _timeProvider);
            }
        }
    }
}
