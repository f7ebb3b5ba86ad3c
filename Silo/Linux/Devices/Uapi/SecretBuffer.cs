using System.Buffers;
using System.Security.Cryptography;

namespace Orleans.WireGuard.Linux.Devices.Uapi;

/// <summary>
/// A growing buffer for text that carries a private key. It is zeroed when it grows and when it is disposed, and it is pinned, so that the
/// garbage collector leaves no copy of it behind when it compacts.
/// </summary>
/// <param name="maxSize">Most bytes it ever holds.</param>
internal sealed class SecretBuffer(int maxSize) : IBufferWriter<byte>, IDisposable
{
    // A device of thirty peers fits, so that an ordinary read allocates nothing.
    private const int InitialSize = 16 * 1024;

    // One buffer is kept for the next reader. Without it every poll of a device would leave a pinned array to a full collection.
    private static byte[]? _spare;

    private byte[] _bytes = Interlocked.Exchange(ref _spare, null) ?? Allocate(InitialSize);

    /// <summary>How many bytes were written.</summary>
    public int Length { get; private set; }

    /// <summary>What was written; valid until the next write or <see cref="Dispose"/>.</summary>
    public ReadOnlySpan<byte> WrittenSpan => _bytes.AsSpan(0, Length);

    /// <inheritdoc cref="WrittenSpan"/>
    public ReadOnlyMemory<byte> WrittenMemory => _bytes.AsMemory(0, Length);

    /// <inheritdoc/>
    public void Advance(int count)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(count);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(count, _bytes.Length - Length);
        Length += count;
    }

    /// <inheritdoc/>
    /// <exception cref="InvalidDataException">The buffer would hold more than it may.</exception>
    public Memory<byte> GetMemory(int sizeHint = 0)
    {
        Reserve(Math.Max(sizeHint, 1));
        return _bytes.AsMemory(Length);
    }

    /// <inheritdoc/>
    /// <exception cref="InvalidDataException">The buffer would hold more than it may.</exception>
    public Span<byte> GetSpan(int sizeHint = 0) => GetMemory(sizeHint).Span;

    /// <summary>Zeroes what was written. Reading afterwards gives nothing.</summary>
    public void Dispose()
    {
        var bytes = _bytes;
        _bytes = [];
        Length = 0;

        // All of it, not only what was written: a socket may have put bytes behind the last Advance.
        CryptographicOperations.ZeroMemory(bytes);
        if (bytes.Length == InitialSize)
        {
            Volatile.Write(ref _spare, bytes);
        }
    }

    private static byte[] Allocate(int size) => GC.AllocateArray<byte>(size, pinned: true);

    private void Reserve(int size)
    {
        if (size <= _bytes.Length - Length)
        {
            return;
        }

        if (size > maxSize - Length)
        {
            throw new InvalidDataException($"more than {maxSize} bytes");
        }

        var old = _bytes;
        _bytes = Allocate((int)Math.Clamp(old.Length * 2L, Length + size, maxSize));
        old.AsSpan(0, Length).CopyTo(_bytes);
        CryptographicOperations.ZeroMemory(old);
    }
}
