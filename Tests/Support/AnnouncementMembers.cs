using System.Reflection;

namespace Orleans.WireGuard.Tests.Support;

/// <summary>
/// The members of an announcement that are signed, one by one, found by reflection so that a new one takes part by itself.
/// </summary>
internal static class AnnouncementMembers
{
    private static readonly PropertyInfo[] Members =
        [.. typeof(PeerAnnouncement).GetProperties().Where(member => member.CanWrite && member.Name != nameof(PeerAnnouncement.Signature))];

    /// <summary>How many there are.</summary>
    public static int Count => Members.Length;

    /// <summary>The announcement with one member taken from another, and its own signature.</summary>
    public static PeerAnnouncement Take(int member, PeerAnnouncement announcement, PeerAnnouncement other)
    {
        var copy = announcement with { };
        Members[member].SetValue(copy, Members[member].GetValue(other));
        return copy;
    }
}
