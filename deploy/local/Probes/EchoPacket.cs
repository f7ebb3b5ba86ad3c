using System.Buffers.Binary;

namespace Orleans.WireGuard.LocalMesh.Probes;

/// <summary>Codec of ICMP echo messages, <see href="https://www.rfc-editor.org/rfc/rfc792">RFC 792</see>.</summary>
internal static class EchoPacket
{
    /// <summary>Bytes before the payload.</summary>
    public const int HeaderLength = 8;

    private const byte EchoRequest = 8;
    private const byte EchoReply = 0;

    /// <summary>An echo request.</summary>
    /// <param name="identifier">Tells the pings of this process from others.</param>
    /// <param name="sequence">Tells one ping from the next.</param>
    /// <param name="payload">Comes back in the reply.</param>
    public static byte[] Encode(ushort identifier, ushort sequence, ReadOnlySpan<byte> payload)
    {
        var packet = new byte[HeaderLength + payload.Length];
        packet[0] = EchoRequest;
        BinaryPrimitives.WriteUInt16BigEndian(packet.AsSpan(4), identifier);
        BinaryPrimitives.WriteUInt16BigEndian(packet.AsSpan(6), sequence);
        payload.CopyTo(packet.AsSpan(HeaderLength));
        BinaryPrimitives.WriteUInt16BigEndian(packet.AsSpan(2), Checksum(packet));
        return packet;
    }

    /// <summary>Reads an echo reply to <paramref name="identifier"/> from an IPv4 packet with its header.</summary>
    public static bool TryReadReply(ReadOnlySpan<byte> packet, ushort identifier, out ushort sequence)
    {
        sequence = 0;
        if (packet.IsEmpty)
        {
            return false;
        }

        var headerLength = (packet[0] & 0x0F) * 4;
        if (packet.Length < headerLength + HeaderLength)
        {
            return false;
        }

        var message = packet[headerLength..];
        sequence = BinaryPrimitives.ReadUInt16BigEndian(message[6..]);
        return message[0] == EchoReply && BinaryPrimitives.ReadUInt16BigEndian(message[4..]) == identifier;
    }

    /// <summary>The Internet checksum, <see href="https://www.rfc-editor.org/rfc/rfc1071">RFC 1071</see>.</summary>
    public static ushort Checksum(ReadOnlySpan<byte> bytes)
    {
        var sum = 0u;
        for (; bytes.Length > 1; bytes = bytes[2..])
        {
            sum += BinaryPrimitives.ReadUInt16BigEndian(bytes);
        }

        if (bytes.Length == 1)
        {
            sum += (uint)bytes[0] << 8;
        }

        sum = (sum & 0xFFFF) + (sum >> 16);
        return (ushort)~((sum & 0xFFFF) + (sum >> 16));
    }
}
