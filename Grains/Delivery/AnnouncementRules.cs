using System.Globalization;
using System.Net.Sockets;
using System.Text;
using Orleans.WireGuard.Grains.Keys;
using Orleans.WireGuard.Grains.Nodes;

namespace Orleans.WireGuard.Grains.Delivery;

/// <summary>Whether a receiver accepts an announcement (DESIGN: only what is signed, newer, well-formed and takes nothing from another node).</summary>
internal static class AnnouncementRules
{
    private const int MaxNodeNameLength = 253;
    private const long MaxSequenceValue = 1L << 48;

    /// <summary>Judges an announcement.</summary>
    /// <param name="announcement">What came.</param>
    /// <param name="held">What is held, by node name.</param>
    /// <param name="roster">Who the nodes are; <see langword="null"/> while that is unknown, then every name passes.</param>
    /// <returns>
    /// <see cref="AnnouncementOutcome.Held"/> if it may replace what is held, <see cref="AnnouncementOutcome.Applied"/> if it is the very
    /// one that is held, else the reason and what was wrong in a sentence.
    /// </returns>
    public static (AnnouncementOutcome Outcome, string Detail) Judge(
        PeerAnnouncement announcement, IReadOnlyDictionary<string, PeerAnnouncement> held, NodeRoster? roster)
    {
        if (FindMalformation(announcement) is { } malformation)
        {
            return (AnnouncementOutcome.Malformed, malformation);
        }

        var current = held.GetValueOrDefault(announcement.NodeName);
        if (current == announcement)
        {
            return (AnnouncementOutcome.Applied, "");
        }

        foreach (var slot in announcement.Slots)
        {
            if (slot.PublicKey.IsZero)
            {
                return (AnnouncementOutcome.ZeroKey, $"the public key of slot {slot.Slot} is all-zero");
            }
        }

        if (roster is not null && roster.Find(announcement.NodeName) is null)
        {
            return (AnnouncementOutcome.UnknownNode, $"the roster of {roster.Nodes.Count} nodes has no '{announcement.NodeName}'");
        }

        if (!Identity.Verify(announcement))
        {
            return (AnnouncementOutcome.BadSignature, $"the signature is not that of identity {announcement.Identity.ToShortString()}");
        }

        if (current is not null && announcement.Sequence <= current.Sequence)
        {
            return (AnnouncementOutcome.StaleSequence, $"sequence {announcement.Sequence} is not above {current.Sequence}, which is held");
        }

        return FindConflict(announcement, held);
    }

    private static string? FindMalformation(PeerAnnouncement announcement)
    {
        if (string.IsNullOrEmpty(announcement.NodeName) || announcement.NodeName.Length > MaxNodeNameLength || !Ascii.IsValid(announcement.NodeName))
        {
            return string.Create(CultureInfo.InvariantCulture, $"the node name must have 1 to {MaxNodeNameLength} ASCII characters");
        }

        // Far above any clock, far below an overflow: a forged sequence must not drive a node to the end of the numbers.
        if (announcement.Sequence.Epoch.Value is < 0 or > MaxSequenceValue || announcement.Sequence.Revision is < 0 or > MaxSequenceValue)
        {
            return $"sequence {announcement.Sequence} is out of range";
        }

        // A serializer sets fields, not what a constructor has checked: null and values that cannot be made here can come from there.
        if (announcement.Slots.Count is < 1 or > Slot.Count
            || announcement.Slots.Any(slot => slot is null || slot.Slot.Index >= Slot.Count)
            || (announcement.Slots.Count == Slot.Count
                && (announcement.Slots[0].Slot >= announcement.Slots[1].Slot || announcement.Slots[0].PublicKey == announcement.Slots[1].PublicKey)))
        {
            return $"expected one or {Slot.Count} slots in order, each with a key of its own";
        }

        foreach (var slot in announcement.Slots)
        {
            if (slot.ListenPort == 0)
            {
                return $"slot {slot.Slot} has no UDP port";
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

        // Host bits would hide an overlap from us, and the device would drop them and route the prefix all the same.
        return announcement.AllowedIPs.Any(prefix => !IPPrefix.TryParse(prefix.ToString(), out var parsed) || parsed != prefix)
            ? "an allowed IP has bits behind its length, or no possible length"
            : null;
    }

    private static (AnnouncementOutcome Outcome, string Detail) FindConflict(
        PeerAnnouncement announcement, IReadOnlyDictionary<string, PeerAnnouncement> held)
    {
        foreach (var other in held.Values)
        {
            if (other.NodeName == announcement.NodeName)
            {
                continue;
            }

            foreach (var slot in announcement.Slots)
            {
                foreach (var otherSlot in other.Slots)
                {
                    if (slot.PublicKey == otherSlot.PublicKey)
                    {
                        return (AnnouncementOutcome.KeyOfAnotherNode, $"key {slot.PublicKey.ToShortString()} belongs to '{other.NodeName}'");
                    }
                }
            }

            foreach (var prefix in announcement.AllowedIPs)
            {
                foreach (var otherPrefix in other.AllowedIPs)
                {
                    if (prefix.Overlaps(otherPrefix))
                    {
                        return (AnnouncementOutcome.OverlappingAllowedIPs, $"{prefix} overlaps {otherPrefix} of '{other.NodeName}'");
                    }
                }
            }
        }

        return (AnnouncementOutcome.Held, "");
    }
}
