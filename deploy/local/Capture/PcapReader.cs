using System.Buffers.Binary;

namespace Orleans.WireGuard.LocalMesh.Capture;

/// <summary>Reads the frames of a capture file in the classic format.</summary>
/// <remarks>
/// <see href="https://www.ietf.org/archive/id/draft-ietf-opsawg-pcap-04.html"/>, section 4; as tcpdump writes it on this machine.
/// </remarks>
internal static class PcapReader
{
    private const int FileHeaderLength = 24;
    private const int PacketHeaderLength = 16;
    private const uint MagicMicroseconds = 0xA1B2C3D4;
    private const uint MagicNanoseconds = 0xA1B23C4D;
    private const uint LinkTypeEthernet = 1;

    /// <summary>All frames, each an Ethernet frame as captured.</summary>
    /// <exception cref="InvalidDataException">The file is not a capture of an Ethernet link.</exception>
    public static IEnumerable<byte[]> Read(Stream stream)
    {
        var header = new byte[FileHeaderLength];
        if (stream.ReadAtLeast(header, header.Length, throwOnEndOfStream: false) < header.Length
            || BinaryPrimitives.ReadUInt32LittleEndian(header) is not (MagicMicroseconds or MagicNanoseconds))
        {
            throw new InvalidDataException("Expected a pcap file in this machine's byte order.");
        }

        var linkType = BinaryPrimitives.ReadUInt32LittleEndian(header.AsSpan(20));
        if (linkType != LinkTypeEthernet)
        {
            throw new InvalidDataException($"Expected a capture of an Ethernet link (1), got link type {linkType}.");
        }

        return ReadFrames(stream);
    }

    private static IEnumerable<byte[]> ReadFrames(Stream stream)
    {
        var header = new byte[PacketHeaderLength];

        // A capture that was cut off ends within a packet; what is complete still counts.
        while (stream.ReadAtLeast(header, header.Length, throwOnEndOfStream: false) == header.Length)
        {
            var frame = new byte[BinaryPrimitives.ReadUInt32LittleEndian(header.AsSpan(8))];
            if (stream.ReadAtLeast(frame, frame.Length, throwOnEndOfStream: false) < frame.Length)
            {
                yield break;
            }

            yield return frame;
        }
    }
}
