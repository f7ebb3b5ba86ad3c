using System.Buffers;
using System.Buffers.Binary;
using System.Text;

namespace Orleans.WireGuard.Grains.Delivery;

/// <summary>The block of an announcement for what came after its fields were frozen. Pure.</summary>
/// <remarks>
/// A list of entries, by number, each number once. Whoever does not know a number keeps its bytes and passes them on as they came: they are
/// part of what is signed.
/// <code>
/// entry = number(u16) length(u16) bytes
/// 1       lowest protocol(u8) highest protocol(u8) version(utf-8)
/// </code>
/// </remarks>
internal static class AnnouncementExtensions
{
    /// <summary>The longest text of a version, in bytes: a semantic version with a commit.</summary>
    public const int MaxVersionLength = 128;

    /// <summary>The number of the entry that says which protocol its silo speaks.</summary>
    public const ushort ProtocolEntry = 1;

    private const int HeaderSize = 2 * sizeof(ushort);

    /// <summary>A block of entries.</summary>
    /// <param name="entries">Number and bytes of each, by number.</param>
    public static EquatableArray<byte> Build(params ReadOnlySpan<(ushort Number, byte[] Value)> entries)
    {
        var writer = new ArrayBufferWriter<byte>();
        foreach (var (number, value) in entries)
        {
            BinaryPrimitives.WriteUInt16BigEndian(writer.GetSpan(HeaderSize), number);
            BinaryPrimitives.WriteUInt16BigEndian(writer.GetSpan(HeaderSize)[sizeof(ushort)..], checked((ushort)value.Length));
            writer.Advance(HeaderSize);
            writer.Write(value);
        }

        return [.. writer.WrittenSpan];
    }

    /// <summary>The bytes of <see cref="ProtocolEntry"/>.</summary>
    /// <param name="range">From 1 to 255.</param>
    /// <param name="version">Of the program, for people; what is longer than <see cref="MaxVersionLength"/> is cut.</param>
    public static byte[] EncodeProtocol(ProtocolRange range, string version)
    {
        var text = Encoding.UTF8.GetBytes(version);
        return [checked((byte)range.Min), checked((byte)range.Max), .. text.AsSpan(0, Math.Min(text.Length, MaxVersionLength))];
    }

    /// <summary>What is wrong with a block, in a sentence; <see langword="null"/> if nothing is.</summary>
    public static string? FindFault(EquatableArray<byte> block)
    {
        if (block.Count > PeerAnnouncement.MaxExtensionBytes)
        {
            return $"expected at most {PeerAnnouncement.MaxExtensionBytes} bytes of extensions, came {block.Count}";
        }

        var last = -1;
        var rest = block.AsSpan();
        while (rest.Length > 0)
        {
            if (!TryTake(ref rest, out var number, out _))
            {
                return "the extensions end within an entry";
            }

            if (number <= last)
            {
                return $"extension {number} follows {last}";
            }

            last = number;
        }

        return null;
    }

    /// <summary>Which protocol the silo speaks that made the block, and its version; <see langword="null"/> if it does not say.</summary>
    /// <param name="block">One without a fault.</param>
    public static (ProtocolRange Range, string Version)? FindProtocol(EquatableArray<byte> block)
    {
        var rest = block.AsSpan();
        while (TryTake(ref rest, out var number, out var value))
        {
            if (number == ProtocolEntry && value.Length >= 2)
            {
                return (new ProtocolRange(value[0], value[1]), Encoding.UTF8.GetString(
                    value[2..Math.Min(value.Length, 2 + MaxVersionLength)]));
            }
        }

        return null;
    }

    private static bool TryTake(ref ReadOnlySpan<byte> rest, out ushort number, out ReadOnlySpan<byte> value)
    {
        number = 0;
        value = default;
        if (rest.Length < HeaderSize)
        {
            return false;
        }

        number = BinaryPrimitives.ReadUInt16BigEndian(rest);
        var length = BinaryPrimitives.ReadUInt16BigEndian(rest[sizeof(ushort)..]);
        if (rest.Length < HeaderSize + length)
        {
            return false;
        }

        value = rest.Slice(HeaderSize, length);
        rest = rest[(HeaderSize + length)..];
        return true;
    }
}
