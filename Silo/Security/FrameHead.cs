using System.Buffers;
using System.Buffers.Binary;
using Orleans.Serialization.Buffers;

namespace Orleans.WireGuard.Silo.Security;

/// <summary>The beginning of a message as Orleans 10.4.2 frames it (MessageSerializer).</summary>
/// <remarks>
/// <code>
/// i32 header length │ i32 body length │ u32 flags │ i64 correlation │ sending grain: type, key │ target grain │ …
/// </code>
/// Only what is needed to tell who sends is read. A test sends with the real client, so a change of the format does not go unnoticed.
/// </remarks>
/// <param name="Length">Of the whole frame, in bytes.</param>
/// <param name="Sender">The grain that sends, in its own words.</param>
internal readonly record struct FrameHead(int Length, GrainId Sender)
{
    private const int LengthsBytes = 2 * sizeof(int);

    /// <summary>Flags, correlation and an id of a client are some 70 bytes.</summary>
    private const int MaxHeadBytes = 512;

    /// <summary>Reads the beginning of a frame.</summary>
    /// <param name="buffer">From the first byte of the frame on.</param>
    /// <returns><see langword="null"/> if more has to come.</returns>
    /// <exception cref="InvalidDataException">It is not a frame, or longer than it may be.</exception>
    public static FrameHead? TryRead(ReadOnlySequence<byte> buffer)
    {
        if (buffer.Length < LengthsBytes)
        {
            return null;
        }

        Span<byte> bytes = stackalloc byte[MaxHeadBytes];
        buffer.Slice(0, LengthsBytes).CopyTo(bytes);
        var header = BinaryPrimitives.ReadInt32LittleEndian(bytes);
        var body = BinaryPrimitives.ReadInt32LittleEndian(bytes[sizeof(int)..]);
        if (header is <= 0 or > ConnectionLimits.MaxHeaderBytes || body is < 0 or > ConnectionLimits.MaxBodyBytes)
        {
            throw new InvalidDataException($"a message with a header of {header} and a body of {body} bytes");
        }

        var head = Math.Min(header, MaxHeadBytes);
        if (buffer.Length < LengthsBytes + head)
        {
            return null;
        }

        bytes = bytes[..head];
        buffer.Slice(LengthsBytes, head).CopyTo(bytes);
        try
        {
            var reader = Reader.Create((ReadOnlySpan<byte>)bytes, null!);
            _ = reader.ReadUInt32();
            _ = reader.ReadInt64();
            var type = IdSpanCodec.ReadRaw(ref reader);
            var key = IdSpanCodec.ReadRaw(ref reader);
            return new FrameHead(LengthsBytes + header + body, GrainId.Create(new GrainType(type), key));
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            // Whatever a reader throws at bytes that make no sense.
            throw new InvalidDataException("a message whose sender cannot be read", e);
        }
    }
}
