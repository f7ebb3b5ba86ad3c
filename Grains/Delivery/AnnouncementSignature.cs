using Orleans.WireGuard.Keys;

namespace Orleans.WireGuard.Grains.Delivery;

/// <summary>Signs announcements and checks that they are signed.</summary>
internal static class AnnouncementSignature
{
    /// <summary>The announcement with this identity and its signature.</summary>
    public static PeerAnnouncement Sign(this Identity identity, PeerAnnouncement announcement)
    {
        var signed = announcement with { Identity = identity.PublicKey };
        return signed with { Signature = new([.. identity.Sign(AnnouncementEncoding.Encode(signed))]) };
    }

    /// <summary>Whether the signature is that of <see cref="PeerAnnouncement.Identity"/> over this very content.</summary>
    public static bool Verify(PeerAnnouncement announcement) =>
        Identity.Verify(announcement.Identity, AnnouncementEncoding.Encode(announcement), announcement.Signature.AsSpan());
}
