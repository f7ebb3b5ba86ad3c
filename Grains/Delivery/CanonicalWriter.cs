using System.Buffers;
using System.Buffers.Binary;
using System.Net;
using System.Text;

namespace Orleans.WireGuard.Grains.Delivery;

/// <summary>Writes what is signed, so that no two values have the same bytes. Integers are big-endian.</summary>
internal static class CanonicalWriter
{
    // Lenient UTF-8 writes one and the same replacement for whatever is no text.
    private static readonly UTF8Encoding StrictUtf8 = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    /// <summary>Its length in bytes, 16 bits, and the text in UTF-8.</summary>
    public static void WriteString(ArrayBufferWriter<byte> writer, string text)
    {
        var bytes = StrictUtf8.GetBytes(text);
        WriteUInt16(writer, checked((ushort)bytes.Length));
        writer.Write(bytes);
    }

    /// <summary>32 bytes.</summary>
    public static void WriteKey(ArrayBufferWriter<byte> writer, PublicKey key)
    {
        key.CopyTo(writer.GetSpan(PublicKey.Size));
        writer.Advance(PublicKey.Size);
    }

    /// <summary>Its family, 4 or 6, and its 4 or 16 bytes.</summary>
    /// <exception cref="ArgumentException">It has a zone.</exception>
    public static void WriteAddress(ArrayBufferWriter<byte> writer, IPAddress address)
    {
        var bytes = address.GetAddressBytes();
        if (bytes.Length != 4 && address.ScopeId != 0)
        {
            throw new ArgumentException($"{address} has a zone, which has no place in an announcement.", nameof(address));
        }

        WriteByte(writer, bytes.Length == 4 ? (byte)4 : (byte)6);
        writer.Write(bytes);
    }

    /// <summary>An address, and its length, 8 bits.</summary>
    public static void WritePrefix(ArrayBufferWriter<byte> writer, IPPrefix prefix)
    {
        WriteAddress(writer, prefix.Address);
        WriteByte(writer, (byte)prefix.Length);
    }

    /// <summary>32 bytes.</summary>
    public static void WriteIdentity(ArrayBufferWriter<byte> writer, IdentityKey identity)
    {
        identity.CopyTo(writer.GetSpan(IdentityKey.Size));
        writer.Advance(IdentityKey.Size);
    }

    /// <summary>8 bits.</summary>
    public static void WriteByte(ArrayBufferWriter<byte> writer, byte value)
    {
        writer.GetSpan(1)[0] = value;
        writer.Advance(1);
    }

    /// <summary>16 bits, big-endian.</summary>
    public static void WriteUInt16(ArrayBufferWriter<byte> writer, ushort value)
    {
        BinaryPrimitives.WriteUInt16BigEndian(writer.GetSpan(sizeof(ushort)), value);
        writer.Advance(sizeof(ushort));
    }

    /// <summary>64 bits, big-endian.</summary>
    public static void WriteInt64(ArrayBufferWriter<byte> writer, long value)
    {
        BinaryPrimitives.WriteInt64BigEndian(writer.GetSpan(sizeof(long)), value);
        writer.Advance(sizeof(long));
    }
}
