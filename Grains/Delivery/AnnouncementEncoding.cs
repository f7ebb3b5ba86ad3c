using System.Buffers;
using static Orleans.WireGuard.Grains.Delivery.CanonicalWriter;

namespace Orleans.WireGuard.Grains.Delivery;

/// <summary>The canonical bytes of an announcement: what is signed, and what two announcements are compared by.</summary>
/// <remarks>
/// Independent of the Orleans serializer, whose output may change between versions. Every variable part carries its length, so no two
/// announcements share an encoding; the context string keeps a signature from being valid for anything else. Integers are big-endian.
/// These fields are frozen: what is added goes into the extensions, which are signed as they are, so that a silo that does not know an
/// entry can still verify it. Without extensions an announcement has format 2, which a silo knows that does not know extensions.
/// <code>
/// context  name(u16 len, utf-8)  identity(32)  epoch(i64)  revision(i64)
/// slots(u8 n: slot(u8) key(32) key epoch(i64) port(u16) serves epoch(i64))
/// endpoints(u16 n: address)  allowed IPs(u16 n: address, prefix length(u8))  issued-at(i64 ticks since year 1, UTC)
/// frozen-until(i64 ticks; 0 if not)
/// and in format 3: extensions(u16 n: bytes)
/// address = family(u8: 4 or 6) and 4 or 16 bytes
/// </code>
/// </remarks>
internal static class AnnouncementEncoding
{
    /// <summary>Encodes everything but the signature.</summary>
    /// <exception cref="ArgumentException">The name is no text, or an endpoint has a zone.</exception>
    public static byte[] Encode(PeerAnnouncement announcement)
    {
        var writer = new ArrayBufferWriter<byte>(512);
        var hasExtensions = announcement.Extensions.Count > 0;
        writer.Write(hasExtensions ? OwnProtocol.SignatureContextWithExtensions : OwnProtocol.SignatureContext);
        WriteString(writer, announcement.NodeName);
        WriteIdentity(writer, announcement.Identity);
        WriteInt64(writer, announcement.Sequence.Epoch.Value);
        WriteInt64(writer, announcement.Sequence.Revision);

        WriteByte(writer, checked((byte)announcement.Slots.Count));
        foreach (var slot in announcement.Slots)
        {
            WriteByte(writer, (byte)slot.Slot.Index);
            WriteKey(writer, slot.PublicKey);
            WriteInt64(writer, slot.KeyEpoch.Value);
            WriteUInt16(writer, slot.ListenPort);
            WriteInt64(writer, slot.ServesEpoch.Value);
        }

        WriteUInt16(writer, checked((ushort)announcement.Endpoints.Count));
        foreach (var endpoint in announcement.Endpoints)
        {
            WriteAddress(writer, endpoint);
        }

        WriteUInt16(writer, checked((ushort)announcement.AllowedIPs.Count));
        foreach (var prefix in announcement.AllowedIPs)
        {
            WritePrefix(writer, prefix);
        }

        WriteInt64(writer, announcement.IssuedAt.UtcTicks);
        WriteInt64(writer, announcement.FrozenUntil?.UtcTicks ?? 0);
        if (hasExtensions)
        {
            WriteUInt16(writer, checked((ushort)announcement.Extensions.Count));
            writer.Write(announcement.Extensions.AsSpan());
        }

        return writer.WrittenSpan.ToArray();
    }
}
