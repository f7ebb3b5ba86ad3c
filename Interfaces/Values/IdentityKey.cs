using System.Runtime.InteropServices;

namespace Orleans.WireGuard;

/// <summary>
/// The public half of a silo's identity: the Ed25519 key under which its announcements verify. Printed as base64.
/// </summary>
/// <remarks>
/// A type of its own beside <see cref="PublicKey"/>, so that a key that signs never stands where a device's key belongs. On the wire the
/// two look the same.
/// </remarks>
[GenerateSerializer(IncludePrimaryConstructorParameters = false), Immutable, Alias("owg.IdentityKey")]
public readonly record struct IdentityKey
{
    /// <summary>Length of the raw key in bytes: 32.</summary>
    public const int Size = PublicKey.Size;

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
    public IdentityKey(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length != Size)
        {
            throw new ArgumentException($"An identity has {Size} bytes, not {bytes.Length}.", nameof(bytes));
        }

        var words = MemoryMarshal.Cast<byte, ulong>(bytes);
        (_word0, _word1, _word2, _word3) = (words[0], words[1], words[2], words[3]);
    }

    /// <summary>Writes the raw key.</summary>
    /// <param name="destination">At least <see cref="Size"/> bytes.</param>
    /// <exception cref="ArgumentException"><paramref name="destination"/> is too short.</exception>
    public void CopyTo(Span<byte> destination)
    {
        if (destination.Length < Size)
        {
            throw new ArgumentException($"An identity needs {Size} bytes, the destination has {destination.Length}.", nameof(destination));
        }

        ReadOnlySpan<ulong> words = [_word0, _word1, _word2, _word3];
        MemoryMarshal.AsBytes(words).CopyTo(destination);
    }

    /// <summary>The whole key in base64.</summary>
    public override string ToString()
    {
        Span<byte> bytes = stackalloc byte[Size];
        CopyTo(bytes);
        return Convert.ToBase64String(bytes);
    }

    /// <summary>Its first eight characters, for log lines.</summary>
    public string ToShortString() => ToString()[..8];
}
