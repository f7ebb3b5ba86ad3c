using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;
using System.Runtime.InteropServices;

namespace Orleans.WireGuard;

/// <summary>The public half of a node's X25519 key on a device. Printed and parsed as base64, as <c>wg(8)</c> does.</summary>
/// <remarks>
/// A value of four words rather than an array: it compares by value, cannot be changed behind the reader's back, and costs no
/// allocation. The all-zero value is representable on purpose, because a receiver has to be able to see and refuse it.
/// </remarks>
[GenerateSerializer(IncludePrimaryConstructorParameters = false), Immutable, Alias("owg.PublicKey")]
public readonly record struct PublicKey : ISpanFormattable, IParsable<PublicKey>, IComparable<PublicKey>
{
    /// <summary>Length of the raw key in bytes: 32.</summary>
    public const int Size = 32;

    /// <summary>Length of the printed key in characters: 44, the last one always <c>=</c>.</summary>
    public const int Base64Length = 44;

    // Enough to tell keys apart in a log line, as `wg` users abbreviate them.
    private const int ShortLength = 8;

    // The last digit carries four bits of the key and two of nothing. The framework ignores those; wg(8) wants them zero, as we do, so that
    // a key has one text only.
    private const string LastDigits = "AEIMQUYcgkosw048";

    [Id(0)]
    private readonly ulong _word0;

    [Id(1)]
    private readonly ulong _word1;

    [Id(2)]
    private readonly ulong _word2;

    [Id(3)]
    private readonly ulong _word3;

    /// <summary>Makes a key of its raw bytes.</summary>
    /// <param name="bytes">Exactly <see cref="Size"/> bytes.</param>
    /// <exception cref="ArgumentException">The length is not <see cref="Size"/>.</exception>
    public PublicKey(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length != Size)
        {
            throw new ArgumentException($"A public key has {Size} bytes, not {bytes.Length}.", nameof(bytes));
        }

        var words = MemoryMarshal.Cast<byte, ulong>(bytes);
        (_word0, _word1, _word2, _word3) = (words[0], words[1], words[2], words[3]);
    }

    /// <summary>Whether every byte is zero. WireGuard reads such a key as "no key", so it never identifies a peer.</summary>
    public bool IsZero => (_word0 | _word1 | _word2 | _word3) == 0;

    /// <summary>Parses base64.</summary>
    /// <param name="text">44 characters, as <c>wg pubkey</c> prints them.</param>
    /// <exception cref="FormatException">The text is not the base64 of 32 bytes.</exception>
    public static PublicKey Parse(string text) => TryParse(text, out var key)
        ? key
        : throw new FormatException($"'{text}' is not a public key: expected the base64 of {Size} bytes ({Base64Length} characters).");

    /// <inheritdoc/>
    static PublicKey IParsable<PublicKey>.Parse(string s, IFormatProvider? provider) => Parse(s);

    /// <summary>Parses base64, or returns <see langword="false"/>.</summary>
    public static bool TryParse([NotNullWhen(true)] string? text, out PublicKey key)
    {
        Span<byte> bytes = stackalloc byte[Size];
        if (text is { Length: Base64Length } && Convert.TryFromBase64String(text, bytes, out var written) && written == Size
            && LastDigits.Contains(text[^2]))
        {
            key = new PublicKey(bytes);
            return true;
        }

        key = default;
        return false;
    }

    /// <inheritdoc/>
    static bool IParsable<PublicKey>.TryParse([NotNullWhen(true)] string? s, IFormatProvider? provider, out PublicKey result) =>
        TryParse(s, out result);

    /// <summary>Writes the raw key.</summary>
    /// <param name="destination">At least <see cref="Size"/> bytes.</param>
    /// <exception cref="ArgumentException"><paramref name="destination"/> is too short.</exception>
    public void CopyTo(Span<byte> destination)
    {
        if (destination.Length < Size)
        {
            throw new ArgumentException($"A public key needs {Size} bytes, the destination has {destination.Length}.", nameof(destination));
        }

        ReadOnlySpan<ulong> words = [_word0, _word1, _word2, _word3];
        MemoryMarshal.AsBytes(words).CopyTo(destination);
    }

    /// <summary>The raw key in an array of its own.</summary>
    public byte[] ToArray()
    {
        var bytes = new byte[Size];
        CopyTo(bytes);
        return bytes;
    }

    /// <summary>Orders by the raw bytes, the first one weighing most: the order in which a device's peers are listed.</summary>
    public int CompareTo(PublicKey other) => (BigEndian(_word0), BigEndian(_word1), BigEndian(_word2), BigEndian(_word3))
        .CompareTo((BigEndian(other._word0), BigEndian(other._word1), BigEndian(other._word2), BigEndian(other._word3)));

    /// <summary>The whole key in base64.</summary>
    public override string ToString()
    {
        Span<byte> bytes = stackalloc byte[Size];
        CopyTo(bytes);
        return Convert.ToBase64String(bytes);
    }

    /// <summary>The first eight characters, for log lines and tables.</summary>
    public string ToShortString() => ToString()[..ShortLength];

    /// <inheritdoc/>
    string IFormattable.ToString(string? format, IFormatProvider? formatProvider) => ToString();

    /// <inheritdoc/>
    bool ISpanFormattable.TryFormat(Span<char> destination, out int charsWritten, ReadOnlySpan<char> format, IFormatProvider? provider)
    {
        Span<byte> bytes = stackalloc byte[Size];
        CopyTo(bytes);
        return Convert.TryToBase64Chars(bytes, destination, out charsWritten);
    }

    /// <summary>Whether <paramref name="left"/> sorts before <paramref name="right"/>.</summary>
    public static bool operator <(PublicKey left, PublicKey right) => left.CompareTo(right) < 0;

    /// <summary>Whether <paramref name="left"/> sorts after <paramref name="right"/>.</summary>
    public static bool operator >(PublicKey left, PublicKey right) => left.CompareTo(right) > 0;

    /// <summary>Whether <paramref name="left"/> does not sort after <paramref name="right"/>.</summary>
    public static bool operator <=(PublicKey left, PublicKey right) => left.CompareTo(right) <= 0;

    /// <summary>Whether <paramref name="left"/> does not sort before <paramref name="right"/>.</summary>
    public static bool operator >=(PublicKey left, PublicKey right) => left.CompareTo(right) >= 0;

    // The words are memory as it lies: their most significant byte is the first one only on a big-endian machine.
    private static ulong BigEndian(ulong word) => BitConverter.IsLittleEndian ? BinaryPrimitives.ReverseEndianness(word) : word;
}
