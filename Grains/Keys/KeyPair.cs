using System.Security.Cryptography;
using NSec.Cryptography;
using NSecPublicKey = NSec.Cryptography.PublicKey;

namespace Orleans.WireGuard.Keys;

/// <summary>
/// An X25519 key pair of a node. The private half lives in memory that libsodium guards, locks and overwrites when this is disposed; it has
/// no serializer, is never printed, and leaves only through <see cref="ExportPrivateKey"/> towards a device.
/// </summary>
public sealed class KeyPair : IDisposable
{
    /// <summary>Length of the raw private key in bytes: 32.</summary>
    public const int PrivateKeySize = 32;

    private static readonly X25519 Algorithm = KeyAgreementAlgorithm.X25519;

    private static KeyCreationParameters Exportable => new() { ExportPolicy = KeyExportPolicies.AllowPlaintextExport };

    private readonly Key _key;

    private KeyPair(Key key)
    {
        _key = key;
        PublicKey = ToPublicKey(key.PublicKey);
    }

    /// <summary>The public half.</summary>
    public PublicKey PublicKey { get; }

    /// <summary>Makes a new pair from the system's random source.</summary>
    public static KeyPair Create() => new(Key.Create(Algorithm, Exportable));

    /// <summary>
    /// Makes the pair of a raw private key, such as one read from a device. The caller zeroes <paramref name="privateKey"/>.
    /// </summary>
    /// <param name="privateKey">Exactly <see cref="PrivateKeySize"/> bytes.</param>
    /// <exception cref="FormatException">The length is wrong.</exception>
    public static KeyPair Import(ReadOnlySpan<byte> privateKey) =>
        new(Key.Import(Algorithm, privateKey, KeyBlobFormat.RawPrivateKey, Exportable));

    /// <summary>Writes the raw private key. The caller zeroes <paramref name="destination"/> as soon as the device has it.</summary>
    /// <param name="destination">Exactly <see cref="PrivateKeySize"/> bytes.</param>
    /// <exception cref="ObjectDisposedException">The pair was disposed.</exception>
    public void ExportPrivateKey(Span<byte> destination)
    {
        if (destination.Length != PrivateKeySize || !_key.TryExport(KeyBlobFormat.RawPrivateKey, destination, out var written)
            || written != PrivateKeySize)
        {
            CryptographicOperations.ZeroMemory(destination);
            throw new ArgumentException($"A private key needs exactly {PrivateKeySize} bytes.", nameof(destination));
        }
    }

    /// <summary>Overwrites and frees the private half.</summary>
    public void Dispose() => _key.Dispose();

    /// <summary>Names the pair by its public half only.</summary>
    public override string ToString() => $"(key pair of {PublicKey.ToShortString()})";

    private static PublicKey ToPublicKey(NSecPublicKey key)
    {
        Span<byte> bytes = stackalloc byte[PublicKey.Size];
        _ = key.TryExport(KeyBlobFormat.RawPublicKey, bytes, out _);
        return new PublicKey(bytes);
    }
}
