using NSec.Cryptography;
using NSecPublicKey = NSec.Cryptography.PublicKey;

namespace Orleans.WireGuard.Grains.Keys;

/// <summary>The Ed25519 key with which this silo signs its announcements. Made in memory when the silo starts, never stored.</summary>
internal sealed class Identity : IDisposable
{
    /// <summary>Length of a signature in bytes: 64.</summary>
    public const int SignatureSize = 64;

    private static readonly Ed25519 Algorithm = SignatureAlgorithm.Ed25519;

    private readonly Key _key = Key.Create(Algorithm);

    /// <summary>The public half.</summary>
    public PublicKey PublicKey => new(_key.PublicKey.Export(KeyBlobFormat.RawPublicKey));

    /// <summary>The announcement with this identity and its signature.</summary>
    public PeerAnnouncement Sign(PeerAnnouncement announcement)
    {
        var signed = announcement with { Identity = PublicKey };
        return signed with { Signature = new([.. Algorithm.Sign(_key, AnnouncementEncoding.Encode(signed))]) };
    }

    /// <summary>Whether the signature is that of <see cref="PeerAnnouncement.Identity"/> over this very content.</summary>
    public static bool Verify(PeerAnnouncement announcement)
    {
        Span<byte> identity = stackalloc byte[PublicKey.Size];
        announcement.Identity.CopyTo(identity);
        return announcement.Signature.Count == SignatureSize
            && NSecPublicKey.TryImport(Algorithm, identity, KeyBlobFormat.RawPublicKey, out var key)
            && Algorithm.Verify(key!, AnnouncementEncoding.Encode(announcement), announcement.Signature.AsSpan());
    }

    /// <inheritdoc/>
    public void Dispose() => _key.Dispose();
}
