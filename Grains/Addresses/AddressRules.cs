using System.Net.Sockets;
using Orleans.WireGuard.Grains.Clocks;
using Orleans.WireGuard.Grains.Delivery;
using Orleans.WireGuard.Grains.Nodes;

namespace Orleans.WireGuard.Grains.Addresses;

/// <summary>
/// Whether a receiver takes an announcement of addresses: one that is signed, newer and well-formed. Which of its prefixes count is another
/// question, answered for each of them by <see cref="AddressBook"/>. Pure.
/// </summary>
internal static class AddressRules
{
    /// <summary>Judges an announcement.</summary>
    /// <param name="announcement">What came.</param>
    /// <param name="held">What is held of its node; <see langword="null"/> if nothing.</param>
    /// <param name="roster">Who the nodes are; <see langword="null"/> while that is unknown, then every name passes.</param>
    /// <param name="horizon">The latest moment that may be in it: the mesh's time and <see cref="SequenceBounds.MaxLead"/>.</param>
    public static AnnouncementVerdict Judge(
        AddressAnnouncement announcement, AddressAnnouncement? held, NodeRoster? roster, DateTimeOffset horizon)
    {
        if (FindFault(announcement, horizon) is { } fault)
        {
            return fault;
        }

        if (roster is not null && roster.Find(announcement.NodeName) is null)
        {
            return AnnouncementVerdict.Refused(
                AnnouncementOutcome.UnknownNode, $"the roster of {roster.Nodes.Count} nodes has no '{announcement.NodeName}'");
        }

        return held == announcement ? AnnouncementVerdict.Repeated
            : held is not null && announcement.Sequence <= held.Sequence && SequenceBounds.IsPossible(held.Sequence, horizon)
                ? AnnouncementVerdict.Refused(
                    AnnouncementOutcome.StaleSequence, $"sequence {announcement.Sequence} is not above {held.Sequence}, which is held")
            : AnnouncementVerdict.Taken;
    }

    /// <summary>
    /// What is wrong with an announcement by itself: its form or its signature. <see langword="null"/> if nothing is.
    /// </summary>
    public static AnnouncementVerdict? FindFault(AddressAnnouncement announcement, DateTimeOffset horizon) =>
        FindMalformation(announcement, horizon) is { } malformation
            ? AnnouncementVerdict.Refused(AnnouncementOutcome.Malformed, malformation)
        : !AddressEncoding.Verify(announcement)
            ? AnnouncementVerdict.Refused(
                AnnouncementOutcome.BadSignature, $"the signature is not that of identity {announcement.Identity.ToShortString()}")
        : null;

    private static bool IsPossible(Encapsulation encapsulation) =>
        encapsulation == Encapsulation.IPInIP || (encapsulation.Port != 0 && encapsulation == Encapsulation.Udp(encapsulation.Port));

    private static string? FindMalformation(AddressAnnouncement announcement, DateTimeOffset horizon)
    {
        if (!NodeNameRule.IsValid(announcement.NodeName))
        {
            return $"that is not a node name: {NodeNameRule.Description}";
        }

        if (!SequenceBounds.IsPossible(announcement.Sequence, horizon))
        {
            return $"sequence {announcement.Sequence} is out of range, or later than {horizon:u}";
        }

        if (announcement.Prefixes.Count > AddressAnnouncement.MaxPrefixes)
        {
            return $"expected at most {AddressAnnouncement.MaxPrefixes} prefixes, came {announcement.Prefixes.Count}";
        }

        // A serializer sets fields, not what a constructor has checked. Host bits would hide an overlap from us.
        for (var i = 0; i < announcement.Prefixes.Count; i++)
        {
            var prefix = announcement.Prefixes[i];
            if (!prefix.IsWellFormed)
            {
                return "a prefix has bits behind its length, or no possible length";
            }

            if (i > 0 && (announcement.Prefixes[i - 1] >= prefix || announcement.Prefixes[i - 1].Contains(prefix)))
            {
                return $"prefix {prefix} is not behind {announcement.Prefixes[i - 1]}, or inside it";
            }
        }

        if (announcement.NodeAddresses.Count > AddressAnnouncement.MaxNodeAddresses)
        {
            return $"expected at most {AddressAnnouncement.MaxNodeAddresses} addresses of the node, came {announcement.NodeAddresses.Count}";
        }

        if (announcement.NodeAddresses.Any(address => address is null or { AddressFamily: AddressFamily.InterNetworkV6, ScopeId: not 0 }))
        {
            return "an address of the node is missing, or has a zone, which means something on its own machine only";
        }

        return announcement.Encapsulations.Count > AddressAnnouncement.MaxEncapsulations
                ? $"expected at most {AddressAnnouncement.MaxEncapsulations} encapsulations, came {announcement.Encapsulations.Count}"
            : announcement.Encapsulations.Any(encapsulation => !IsPossible(encapsulation))
                ? "an encapsulation is neither a UDP port nor IP in IP"
            : null;
    }
}
