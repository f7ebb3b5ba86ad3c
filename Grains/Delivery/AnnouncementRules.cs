using System.Net.Sockets;
using Orleans.WireGuard.Grains.Clocks;
using Orleans.WireGuard.Grains.Nodes;
using Orleans.WireGuard.Supervision;

namespace Orleans.WireGuard.Grains.Delivery;

/// <summary>
/// Whether a receiver accepts an announcement: one that is signed, newer, well-formed and takes no key from another node. Its allowed IPs
/// decide nothing: a key must not wait for an address (<see cref="Addresses.AddressBook"/>).
/// </summary>
internal static class AnnouncementRules
{
    /// <summary>Judges an announcement.</summary>
    /// <param name="announcement">What came.</param>
    /// <param name="held">What is held.</param>
    /// <param name="roster">Who the nodes are; <see langword="null"/> while that is unknown, then every name passes.</param>
    /// <param name="horizon">The latest moment that may be in it: the mesh's time and <see cref="SequenceBounds.MaxLead"/>.</param>
    public static AnnouncementVerdict Judge(
        PeerAnnouncement announcement, AnnouncementIndex held, NodeRoster? roster, DateTimeOffset horizon)
    {
        if (FindMalformation(announcement, horizon) is { } malformation)
        {
            return AnnouncementVerdict.Refused(AnnouncementOutcome.Malformed, malformation);
        }

        var current = held.Announcements.GetValueOrDefault(announcement.NodeName);
        if (current == announcement)
        {
            return AnnouncementVerdict.Repeated;
        }

        foreach (var slot in announcement.Slots)
        {
            if (slot.PublicKey.IsZero)
            {
                return AnnouncementVerdict.Refused(AnnouncementOutcome.ZeroKey, $"the public key of slot {slot.Slot} is all-zero");
            }
        }

        if (roster is not null && roster.Find(announcement.NodeName) is null)
        {
            return AnnouncementVerdict.Refused(
                AnnouncementOutcome.UnknownNode, $"the roster of {roster.Nodes.Count} nodes has no '{announcement.NodeName}'");
        }

        if (FindForgery(announcement) is { } forgery)
        {
            return forgery;
        }

        // Who says nothing may speak more than all know yet, or be of the release before extensions, which this one speaks with.
        if (AnnouncementExtensions.FindProtocol(announcement.Extensions) is var (range, version) && !OwnProtocol.Range.Meets(range))
        {
            return AnnouncementVerdict.Refused(
                AnnouncementOutcome.UnsupportedVersion,
                $"its silo, version {Printable.Line(version)}, speaks protocol {range}, and this one {OwnProtocol.Range}");
        }

        // What was taken by a clock that has been set back since counts no more, or its node could announce nothing until the clock has
        // come there.
        if (current is not null && announcement.Sequence <= current.Sequence && SequenceBounds.IsPossible(current.Sequence, horizon))
        {
            return AnnouncementVerdict.Refused(
                AnnouncementOutcome.StaleSequence, $"sequence {announcement.Sequence} is not above {current.Sequence}, which is held");
        }

        return FindConflict(announcement, held, roster) ?? AnnouncementVerdict.Taken;
    }

    /// <summary>
    /// What is wrong with an announcement by itself, without comparing it with anything: its form or its signature. <see langword="null"/>
    /// if nothing is.
    /// </summary>
    public static AnnouncementVerdict? FindFault(PeerAnnouncement announcement, DateTimeOffset horizon) =>
        FindMalformation(announcement, horizon) is { } malformation
            ? AnnouncementVerdict.Refused(AnnouncementOutcome.Malformed, malformation)
            : FindForgery(announcement);

    private static AnnouncementVerdict? FindForgery(PeerAnnouncement announcement) => AnnouncementSignature.Verify(announcement)
        ? null
        : AnnouncementVerdict.Refused(
            AnnouncementOutcome.BadSignature, $"the signature is not that of identity {announcement.Identity.ToShortString()}");

    private static string? FindMalformation(PeerAnnouncement announcement, DateTimeOffset horizon)
    {
        if (!NodeNameRule.IsValid(announcement.NodeName))
        {
            return $"that is not a node name: {NodeNameRule.Description}";
        }

        if (!SequenceBounds.IsPossible(announcement.Sequence, horizon))
        {
            return SequenceBounds.IsAhead(announcement.Sequence, horizon)
                ? $"sequence {announcement.Sequence} {SequenceBounds.DescribeTime(announcement.Sequence)}, later than {horizon:u}: "
                    + "the clock of its node is ahead, or that of this node behind"
                : $"sequence {announcement.Sequence} is out of range";
        }

        // A serializer sets fields, not what a constructor has checked: null and values that cannot be made here can come from there.
        if (announcement.Slots.Count is < 1 or > Slot.Count
            || announcement.Slots.Any(slot => slot is null || slot.Slot.Index >= Slot.Count)
            || (announcement.Slots.Count == Slot.Count
                && (announcement.Slots[0].Slot >= announcement.Slots[1].Slot
                    || announcement.Slots[0].PublicKey == announcement.Slots[1].PublicKey)))
        {
            return $"expected one or {Slot.Count} slots in order, each with a key of its own";
        }

        var latest = Epoch.At(horizon, AnnouncementSequence.Unit);
        foreach (var slot in announcement.Slots)
        {
            if (slot.ListenPort == 0)
            {
                return $"slot {slot.Slot} has no UDP port";
            }

            if (slot.KeyEpoch.Value < 0 || slot.ServesEpoch < slot.KeyEpoch)
            {
                return $"the key of slot {slot.Slot} is of epoch {slot.KeyEpoch} and serves epoch {slot.ServesEpoch}, which is earlier";
            }

            // Its node may have another period than this one, as while the setting is being changed. There is none that is shorter than a
            // second.
            if (slot.ServesEpoch > latest)
            {
                return $"the key of slot {slot.Slot} serves epoch {slot.ServesEpoch}, which no clock can have reached by {horizon:u}";
            }
        }

        if (announcement.Endpoints.Count is < 1 or > PeerAnnouncement.MaxEndpoints)
        {
            return $"expected 1 to {PeerAnnouncement.MaxEndpoints} endpoints, came {announcement.Endpoints.Count}";
        }

        if (announcement.Endpoints.Any(address => address is null or { AddressFamily: AddressFamily.InterNetworkV6, ScopeId: not 0 }))
        {
            return "an endpoint is missing, or has a zone, which means something on its own machine only";
        }

        if (announcement.AllowedIPs.Count > PeerAnnouncement.MaxAllowedIPs)
        {
            return $"expected at most {PeerAnnouncement.MaxAllowedIPs} allowed IPs, came {announcement.AllowedIPs.Count}";
        }

        if (AnnouncementExtensions.FindFault(announcement.Extensions) is { } fault)
        {
            return fault;
        }

        // Host bits would hide an overlap from us, and the device would drop them and route the prefix all the same.
        return announcement.AllowedIPs.Any(prefix => !IPPrefix.TryParse(prefix.ToString(), out var parsed) || parsed != prefix)
            ? "an allowed IP has bits behind its length, or no possible length"
            : null;
    }

    // Each of some thousand announcements that come at once is compared with thousands, so only what the indexes find is looked at.
    private static AnnouncementVerdict? FindConflict(
        PeerAnnouncement announcement, AnnouncementIndex held, NodeRoster? roster)
    {
        foreach (var slot in announcement.Slots)
        {
            if (held.FindOwner(slot.PublicKey) is { } owner && owner != announcement.NodeName)
            {
                return AnnouncementVerdict.Refused(
                    AnnouncementOutcome.KeyOfAnotherNode, $"key {slot.PublicKey.ToShortString()} belongs to '{owner}'");
            }
        }

        return roster?.Find(announcement.NodeName) is { } node ? FindStrangeEndpoint(announcement, node) : null;
    }

    private static AnnouncementVerdict? FindStrangeEndpoint(PeerAnnouncement announcement, RosterNode node)
    {
        foreach (var endpoint in announcement.Endpoints)
        {
            // ::ffff:192.0.2.1 in one of the two rosters is 192.0.2.1 in the other.
            if (!node.Addresses.Any(own => own.Unmap().Equals(endpoint.Unmap())))
            {
                return AnnouncementVerdict.Refused(
                    AnnouncementOutcome.NotInRoster,
                    $"{endpoint} is none of the addresses that {node.Describe()} has: {Join(node.Addresses)}");
            }
        }

        return null;
    }

    private static string Join<T>(EquatableArray<T> items)
    {
        const int MaxTold = 4;
        return items.Count == 0 ? "none" : string.Join(", ", items.Take(MaxTold)) + (items.Count > MaxTold ? " and more" : "");
    }
}
