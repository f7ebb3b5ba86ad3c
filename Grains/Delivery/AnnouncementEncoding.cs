using System.Buffers;
using System.Buffers.Binary;
using System.Net;
using System.Text;

namespace Orleans.WireGuard.Grains.Delivery;

/// <summary>The canonical bytes of an announcement: what is signed, and what two announcements are compared by.</summary>
/// <remarks>
/// Independent of the Orleans serializer, whose output may change between versions. Every variable part carries its length, so no two
/// announcements share an encoding; the context string keeps a signature from being valid for anything else. Integers are big-endian.
/// <code>
/// context  name(u16 len, utf-8)  identity(32)  epoch(i64)  revision(i64)
/// slots(u8 n: slot(u8) key(32) key epoch(i64) port(u16) serves epoch(i64))
/// endpoints(u16 n: address)  allowed IPs(u16 n: address, prefix length(u8))  issued-at(i64 ticks since year 1, UTC)
/// frozen-until(i64 ticks; 0 if not)
/// address = family(u8: 4 or 6) and 4 or 16 bytes
/// </code>
/// </remarks>
internal static class AnnouncementEncoding
{
    private static ReadOnlySpan<byte> Context => "orleans-wireguard/announcement/2\0"u8;

    // Lenient UTF-8 writes one and the same replacement for whatever is no text.
    private static readonly UTF8Encoding StrictUtf8 = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    /// <summary>Encodes everything but the signature.</summary>
    /// <exception cref="ArgumentException">The name is no text, or an endpoint has a zone.</exception>
    public static byte[] Encode(PeerAnnouncement announcement)
    {
        var writer = new ArrayBufferWriter<byte>(512);
        writer.Write(Context);
        WriteString(writer, announcement.NodeName);
        announcement.Identity.CopyTo(writer.GetSpan(IdentityKey.Size));
        writer.Advance(IdentityKey.Size);
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
            WriteAddress(writer, prefix.Address);
            WriteByte(writer, (byte)prefix.Length);
        }

        WriteInt64(writer, announcement.IssuedAt.UtcTicks);
        WriteInt64(writer, announcement.FrozenUntil?.UtcTicks ?? 0);
        return writer.WrittenSpan.ToArray();
    }

    private static void WriteString(ArrayBufferWriter<byte> writer, string text)
    {
        var bytes = StrictUtf8.GetBytes(text);
        WriteUInt16(writer, checked((ushort)bytes.Length));
        writer.Write(bytes);
    }

    private static void WriteKey(ArrayBufferWriter<byte> writer, PublicKey key)
    {
        key.CopyTo(writer.GetSpan(PublicKey.Size));
        writer.Advance(PublicKey.Size);
    }

    private static void WriteAddress(ArrayBufferWriter<byte> writer, IPAddress address)
    {
        var bytes = address.GetAddressBytes();
        if (bytes.Length != 4 && address.ScopeId != 0)
        {
            throw new ArgumentException($"{address} has a zone, which has no place in an announcement.", nameof(address));
        }

        WriteByte(writer, bytes.Length == 4 ? (byte)4 : (byte)6);
        writer.Write(bytes);
    }

    private static void WriteByte(ArrayBufferWriter<byte> writer, byte value)
    {
        writer.GetSpan(1)[0] = value;
        writer.Advance(1);
    }

    private static void WriteUInt16(ArrayBufferWriter<byte> writer, ushort value)
    {
        BinaryPrimitives.WriteUInt16BigEndian(writer.GetSpan(sizeof(ushort)), value);
        writer.Advance(sizeof(ushort));
    }

    private static void WriteInt64(ArrayBufferWriter<byte> writer, long value)
    {
        BinaryPrimitives.WriteInt64BigEndian(writer.GetSpan(sizeof(long)), value);
        writer.Advance(sizeof(long));
    }
}
