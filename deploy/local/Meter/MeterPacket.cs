using System.Buffers.Binary;

namespace Orleans.WireGuard.LocalMesh.Meter;

/// <summary>Codec of the meter's UDP payload: run, direction, sequence, and when it was sent, big-endian; the rest is zero.</summary>
/// <param name="Run">Tells the packets of this run from late ones of an earlier run.</param>
/// <param name="Flow">Number of the direction.</param>
/// <param name="Sequence">0 for the first packet of a direction.</param>
/// <param name="SentAt">Timestamp of the machine's monotonic clock, which all namespaces share.</param>
internal readonly record struct MeterPacket(uint Run, int Flow, long Sequence, long SentAt)
{
    /// <summary>Bytes of a packet: the size of a small request, where a tunnel does most work for each byte.</summary>
    public const int Size = 64;

    private const int FlowOffset = sizeof(uint);
    private const int SequenceOffset = FlowOffset + sizeof(int);
    private const int SentAtOffset = SequenceOffset + sizeof(long);

    /// <summary>Writes it over the first <see cref="Size"/> bytes, of which those behind the timestamp are left as they are.</summary>
    public void Write(Span<byte> packet)
    {
        BinaryPrimitives.WriteUInt32BigEndian(packet, Run);
        BinaryPrimitives.WriteInt32BigEndian(packet[FlowOffset..], Flow);
        BinaryPrimitives.WriteInt64BigEndian(packet[SequenceOffset..], Sequence);
        BinaryPrimitives.WriteInt64BigEndian(packet[SentAtOffset..], SentAt);
    }

    /// <summary>Reads a packet of this run.</summary>
    public static bool TryRead(ReadOnlySpan<byte> packet, uint run, out MeterPacket result)
    {
        result = default;
        if (packet.Length != Size || BinaryPrimitives.ReadUInt32BigEndian(packet) != run)
        {
            return false;
        }

        result = new MeterPacket(
            run,
            BinaryPrimitives.ReadInt32BigEndian(packet[FlowOffset..]),
            BinaryPrimitives.ReadInt64BigEndian(packet[SequenceOffset..]),
            BinaryPrimitives.ReadInt64BigEndian(packet[SentAtOffset..]));
        return true;
    }
}
