using NSec.Cryptography;
using NSecPublicKey = NSec.Cryptography.PublicKey;

namespace Orleans.WireGuard.Keys;

/// <summary>The Ed25519 key with which a silo signs. Made in memory when the silo starts, never stored, never exported.</summary>
public sealed class Identity : IDisposable
{
    /// <summary>Length of a signature in bytes: 64.</summary>
    public const int SignatureSize = 64;

    private static readonly Ed25519 Algorithm = SignatureAlgorithm.Ed25519;

    private readonly Key _key = Key.Create(Algorithm);

    /// <summary>The public half.</summary>
    public IdentityKey PublicKey => new(_key.PublicKey.Export(KeyBlobFormat.RawPublicKey));

    /// <summary>The signature over <paramref name="content"/>, <see cref="SignatureSize"/> bytes.</summary>
    public byte[] Sign(ReadOnlySpan<byte> content) => Algorithm.Sign(_key, content);

    /// <summary>Whether <paramref name="signature"/> is that of an identity over this very content.</summary>
    /// <param name="identity">Its public half; one that is no Ed25519 key has signed nothing.</param>
    /// <param name="content">What was signed.</param>
    /// <param name="signature">Of any length; another one than <see cref="SignatureSize"/> is no signature.</param>
    public static bool Verify(IdentityKey identity, ReadOnlySpan<byte> content, ReadOnlySpan<byte> signature)
    {
        Span<byte> raw = stackalloc byte[IdentityKey.Size];
        identity.CopyTo(raw);
        return signature.Length == SignatureSize
            && NSecPublicKey.TryImport(Algorithm, raw, KeyBlobFormat.RawPublicKey, out var key)
            && Algorithm.Verify(key!, content, signature);
    }

    /// <inheritdoc/>
    public void Dispose() => _key.Dispose();
}
