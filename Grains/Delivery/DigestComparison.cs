namespace Orleans.WireGuard.Grains.Delivery;

/// <summary>Compares what two silos hold: the pure part of anti-entropy.</summary>
internal static class DigestComparison
{
    /// <summary>
    /// How many announcements one reply carries; a silo that lacks more asks again. The largest announcement there is has 10.8 KB, so a
    /// reply has 2.8 MB at most, where a message may have 4 MiB; a usual one has some 210 bytes.
    /// </summary>
    public const int MaxNewer = 256;

    /// <summary>The digest of what is held.</summary>
    public static MeshDigest ToDigest(IReadOnlyDictionary<string, PeerAnnouncement> held) =>
        new(held.Values.Select(announcement => new DigestEntry(announcement.NodeName, announcement.Sequence))
            .OrderBy(entry => entry.NodeName, StringComparer.Ordinal).ToEquatableArray())
        { Protocol = OwnProtocol.Range };

    /// <summary>
    /// What the sender of <paramref name="digest"/> lacks, as far as it can read it, and has too much of, as seen by one who holds
    /// <paramref name="held"/>.
    /// </summary>
    public static DigestReply Compare(MeshDigest digest, IReadOnlyDictionary<string, PeerAnnouncement> held)
    {
        var theirs = digest.Entries.ToDictionary(entry => entry.NodeName, entry => entry.Sequence, StringComparer.Ordinal);
        var newer = held.Values.Where(mine => OwnProtocol.IsReadable(digest.Protocol, mine)
            && (!theirs.TryGetValue(mine.NodeName, out var sequence) || mine.Sequence > sequence));
        var wanted = theirs.Where(entry => held.GetValueOrDefault(entry.Key) is not { } mine || mine.Sequence < entry.Value)
            .Select(entry => entry.Key);
        return new DigestReply(
            newer.OrderBy(announcement => announcement.NodeName, StringComparer.Ordinal).Take(MaxNewer).ToEquatableArray(),
            wanted.Order(StringComparer.Ordinal).ToEquatableArray())
        { Protocol = OwnProtocol.Range, Version = OwnProtocol.Version };
    }
}
