using System.Collections.Immutable;
using Orleans.WireGuard.Grains.Nodes;

namespace Orleans.WireGuard.Grains.Delivery;

/// <summary>What is held, with the ways to find who has a key or a prefix without looking at all of it. Immutable.</summary>
internal sealed class AnnouncementIndex
{
    private readonly ImmutableDictionary<PublicKey, string> _keys;

    private AnnouncementIndex(
        ImmutableDictionary<string, PeerAnnouncement> announcements, ImmutableDictionary<PublicKey, string> keys, PrefixIndex prefixes) =>
        (Announcements, _keys, Prefixes) = (announcements, keys, prefixes);

    /// <summary>Nothing is held.</summary>
    public static AnnouncementIndex Empty { get; } = new(
        ImmutableDictionary.Create<string, PeerAnnouncement>(StringComparer.Ordinal),
        ImmutableDictionary<PublicKey, string>.Empty, PrefixIndex.Empty);

    /// <summary>By node name.</summary>
    public ImmutableDictionary<string, PeerAnnouncement> Announcements { get; }

    /// <summary>The allowed IPs of all.</summary>
    public PrefixIndex Prefixes { get; }

    /// <summary>
    /// The node that announced the key; <see langword="null"/> if none did. There are not two, because the rules refuse the second.
    /// </summary>
    public string? FindOwner(PublicKey key) => _keys.GetValueOrDefault(key);

    /// <summary>
    /// What is held once the announcement has replaced the one before it of its node. Its own is what <see cref="AnnouncementRules"/> let
    /// pass.
    /// </summary>
    public AnnouncementIndex Set(PeerAnnouncement announcement)
    {
        var rest = Remove([announcement.NodeName]);
        return new AnnouncementIndex(
            rest.Announcements.Add(announcement.NodeName, announcement),
            rest._keys.AddRange(announcement.Slots.Select(slot => KeyValuePair.Create(slot.PublicKey, announcement.NodeName))),
            rest.Prefixes.Add(announcement.NodeName, announcement.AllowedIPs));
    }

    /// <summary>What is held without some nodes.</summary>
    public AnnouncementIndex Remove(IEnumerable<string> nodeNames)
    {
        var rest = this;
        foreach (var nodeName in nodeNames)
        {
            if (rest.Announcements.TryGetValue(nodeName, out var former))
            {
                rest = new AnnouncementIndex(
                    rest.Announcements.Remove(nodeName),
                    rest._keys.RemoveRange(former.Slots.Select(slot => slot.PublicKey)),
                    rest.Prefixes.Remove(nodeName, former.AllowedIPs));
            }
        }

        return rest;
    }
}
