using System.Globalization;
using System.Text;

namespace Orleans.WireGuard.LocalMesh.Secrets;

/// <summary>The ways in which a private key can show in a file: raw, hexadecimal, base64, numbers.</summary>
internal static class SecretForms
{
    /// <summary>Bytes of a key.</summary>
    public const int KeyLength = 32;

    // A device stores a key clamped (RFC 7748 section 5): five bits of the first and the last byte may differ from what was
    // generated. Looking for the bytes between them finds both.
    private const int FirstByte = 1;
    private const int LastByte = KeyLength - 1;

    /// <summary>All forms of a key as byte strings to search for.</summary>
    public static IEnumerable<(string Form, byte[] Bytes)> Of(ReadOnlySpan<byte> key)
    {
        if (key.Length != KeyLength)
        {
            throw new ArgumentException($"Expected a key of {KeyLength} bytes, got {key.Length}.", nameof(key));
        }

        var core = key[FirstByte..LastByte].ToArray();
        var forms = new List<(string, byte[])> { ("raw bytes", core) };
        Add("hexadecimal", Convert.ToHexStringLower(core));
        Add("hexadecimal", Convert.ToHexString(core));
        Add("hexadecimal with dashes", BitConverter.ToString(core));
        Add("hexadecimal with colons", BitConverter.ToString(core).Replace('-', ':').ToLowerInvariant());
        foreach (var separator in (string[])[",", ", ", " "])
        {
            Add("list of numbers", string.Join(separator, core.Select(b => b.ToString(CultureInfo.InvariantCulture))));
        }

        // In a longer base64 text the key can start at any of the three places of a group.
        for (var place = 0; place < 3; place++)
        {
            var start = place == 0 ? 3 : 3 - place;
            var text = Convert.ToBase64String(key.Slice(start, (LastByte - start) / 3 * 3));
            Add("base64", text);
            Add("base64 for URLs", text.Replace('+', '-').Replace('/', '_'));
            Add("base64 in JSON", text.Replace("+", "\\u002B", StringComparison.Ordinal));
            Add("base64 in JSON", text.Replace("/", "\\/", StringComparison.Ordinal));
        }

        return forms.DistinctBy(f => Convert.ToBase64String(f.Item2));

        void Add(string form, string text) => forms.Add((form, Encoding.ASCII.GetBytes(text)));
    }
}
