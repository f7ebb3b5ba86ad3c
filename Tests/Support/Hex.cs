// Bytes as people write them down.
namespace Orleans.WireGuard.Tests.Support;

/// <summary>Reads hexadecimal text with blanks and line breaks.</summary>
internal static class Hex
{
    /// <summary>The bytes that <paramref name="text"/> spells.</summary>
    public static byte[] Bytes(string text) => Convert.FromHexString(string.Concat(text.Where(c => !char.IsWhiteSpace(c))));

    /// <summary>Lower-case digits without blanks, which is what a failed comparison shows best.</summary>
    public static string Text(ReadOnlySpan<byte> bytes) => Convert.ToHexStringLower(bytes);

    /// <summary><paramref name="text"/> as <see cref="Text(ReadOnlySpan{byte})"/> would print it.</summary>
    public static string Text(string text) => Text(Bytes(text));
}
