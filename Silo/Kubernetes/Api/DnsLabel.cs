namespace Orleans.WireGuard.Api;

/// <summary>A DNS label (RFC 1123): what a namespace must be, and what the value of a label may be.</summary>
internal static class DnsLabel
{
    /// <summary>Characters that it has at most.</summary>
    public const int MaxLength = 63;

    /// <summary>Whether <paramref name="text"/> is one.</summary>
    public static bool IsValid(string text) =>
        text.Length is > 0 and <= MaxLength
        && text[0] != '-' && text[^1] != '-'
        && text.All(character => char.IsAsciiLetterLower(character) || char.IsAsciiDigit(character) || character == '-');
}
