using System.Collections.Immutable;

namespace Orleans.WireGuard.Grains.Delivery;

/// <summary>What is held, with the way to find who has a key without looking at all of it. Immutable.</summary>
internal sealed class AnnouncementIndex
{
    private readonly ImmutableDictionary<PublicKey, string> _keys;

    private AnnouncementIndex(
        ImmutableDictionary<string, PeerAnnouncement> announcements, ImmutableDictionary<PublicKey, string> keys) =>
        (Announcements, _keys) = (announcements, keys);

    /// <summary>Nothing is held.</summary>
    public static AnnouncementIndex Empty { get; } = new(
        ImmutableDictionary.Create<string, PeerAnnouncement>(StringComparer.Ordinal),
        ImmutableDictionary<PublicKey, string>.Empty);

    /// <summary>By node name.</summary>
    public ImmutableDictionary<string, PeerAnnouncement> Announcements { get; }

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
            rest._keys.AddRange(announcement.Slots.Select(slot => KeyValuePair.Create(slot.PublicKey, announcement.NodeName))));
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
                    rest._keys.RemoveRange(former.Slots.Select(slot => slot.PublicKey)));
            }
        }

        return rest;
    }
}
