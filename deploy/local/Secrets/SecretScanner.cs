using System.Buffers.Binary;

namespace Orleans.WireGuard.LocalMesh.Secrets;

/// <summary>A place where a private key was found.</summary>
/// <param name="Place">File, or key of the membership store.</param>
/// <param name="Form">How it was written there; never the key itself.</param>
internal sealed record SecretFinding(string Place, string Form);

/// <summary>Searches streams for many private keys in all their forms at once.</summary>
internal sealed class SecretScanner
{
    private const int ChunkLength = 1 << 20;
    private const int IndexLength = sizeof(uint);

    private readonly Dictionary<uint, List<(string Form, byte[] Bytes)>> _byStart = [];

    // Nearly every position is decided by this table alone, which fits into the first-level cache.
    private readonly bool[] _firstTwo = new bool[1 << 16];
    private readonly int _longest;

    /// <summary>Prepares the search.</summary>
    public SecretScanner(IEnumerable<byte[]> keys)
    {
        foreach (var (form, bytes) in keys.SelectMany(k => SecretForms.Of(k)))
        {
            var start = BinaryPrimitives.ReadUInt32LittleEndian(bytes);
            _firstTwo[start & 0xFFFF] = true;
            if (!_byStart.TryGetValue(start, out var list))
            {
                _byStart[start] = list = [];
            }

            list.Add((form, bytes));
            _longest = Math.Max(_longest, bytes.Length);
        }
    }

    /// <summary>The forms of keys found in a stream, each named once.</summary>
    public IReadOnlyCollection<string> Search(Stream stream)
    {
        var found = new HashSet<string>();
        var buffer = new byte[ChunkLength + _longest];
        var kept = 0;
        int read;
        while ((read = stream.ReadAtLeast(buffer.AsSpan(kept), buffer.Length - kept, throwOnEndOfStream: false)) > 0)
        {
            var filled = kept + read;
            Search(buffer.AsSpan(0, filled), found);

            // A key that straddles two chunks is whole again when the end of one stands before the next.
            kept = Math.Min(_longest, filled);
            buffer.AsSpan(filled - kept, kept).CopyTo(buffer);
        }

        return found;
    }

    /// <inheritdoc cref="Search(Stream)"/>
    public IReadOnlyCollection<string> Search(byte[] bytes)
    {
        var found = new HashSet<string>();
        Search(bytes, found);
        return found;
    }

    /// <summary>Searches files; one that vanishes or that cannot be read like a file is passed over.</summary>
    public IEnumerable<SecretFinding> SearchFiles(IEnumerable<string> files)
    {
        // A file without length has nothing to find, and opening the runtime's debugger pipes would block for ever.
        foreach (var file in files.Where(f => new FileInfo(f) is { Exists: true, Length: > 0 }))
        {
            IReadOnlyCollection<string> forms;
            try
            {
                using var stream = new FileStream(
                    file, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, bufferSize: 0);
                forms = Search(stream);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                // A socket, or a file that was removed since it was listed.
                continue;
            }

            foreach (var form in forms)
            {
                yield return new SecretFinding(file, form);
            }
        }
    }

    private void Search(ReadOnlySpan<byte> bytes, HashSet<string> found)
    {
        for (var i = 0; i + IndexLength <= bytes.Length; i++)
        {
            if (!_firstTwo[BinaryPrimitives.ReadUInt16LittleEndian(bytes[i..])]
                || !_byStart.TryGetValue(BinaryPrimitives.ReadUInt32LittleEndian(bytes[i..]), out var candidates))
            {
                continue;
            }

            foreach (var (form, candidate) in candidates)
            {
                if (bytes[i..].StartsWith(candidate))
                {
                    found.Add(form);
                }
            }
        }
    }
}
