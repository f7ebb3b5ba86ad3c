using Orleans.WireGuard.Grains.Delivery;

namespace Orleans.WireGuard.Grains.Addresses;

/// <summary>Compares which announcements of addresses two silos hold: a part of anti-entropy. Pure.</summary>
internal static class AddressComparison
{
    /// <summary>
    /// How many prefixes one reply carries, but for one announcement at least; a silo that lacks more asks again. One of IPv6 takes some 30
    /// bytes, and a message may have 4 MiB.
    /// </summary>
    public const int MaxPrefixes = 32_768;

    /// <summary>How far what is held goes.</summary>
    public static EquatableArray<DigestEntry> ToEntries(IReadOnlyDictionary<string, AddressAnnouncement> held) =>
        held.Values.Select(announcement => new DigestEntry(announcement.NodeName, announcement.Sequence))
            .OrderBy(entry => entry.NodeName, StringComparer.Ordinal).ToEquatableArray();

    /// <summary>
    /// The reply with what the sender of the digest lacks and has too much of; as it is if the sender knows no addresses.
    /// </summary>
    public static DigestReply AddTo(
        DigestReply reply, MeshDigest digest, IReadOnlyDictionary<string, AddressAnnouncement> held)
    {
        if (digest.Protocol is not { Max: >= OwnProtocol.WithAddresses })
        {
            return reply;
        }

        var theirs = new Dictionary<string, AnnouncementSequence>(StringComparer.Ordinal);
        foreach (var entry in digest.Addresses)
        {
            theirs[entry.NodeName] = entry.Sequence;
        }

        var newer = held.Values
            .Where(mine => !theirs.TryGetValue(mine.NodeName, out var sequence) || mine.Sequence > sequence)
            .OrderBy(mine => mine.NodeName, StringComparer.Ordinal);
        var wanted = theirs.Where(entry => held.GetValueOrDefault(entry.Key) is not { } mine || mine.Sequence < entry.Value)
            .Select(entry => entry.Key).Order(StringComparer.Ordinal);
        return reply with { NewerAddresses = Fit(newer).ToEquatableArray(), WantedAddresses = wanted.ToEquatableArray() };
    }

    private static IEnumerable<AddressAnnouncement> Fit(IEnumerable<AddressAnnouncement> announcements)
    {
        var (rest, count) = (MaxPrefixes, 0);
        foreach (var announcement in announcements)
        {
            rest -= announcement.Prefixes.Count;
            if (count++ == DigestComparison.MaxNewer || (rest < 0 && count > 1))
            {
                yield break;
            }

            yield return announcement;
        }
    }
}
