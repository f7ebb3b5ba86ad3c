using System.Buffers;
using System.Globalization;
using System.Text;

namespace Orleans.WireGuard.Supervision;

/// <summary>
/// Makes text harmless to show: what is printed, logged or answered may hold names and messages that came from elsewhere, and a terminal
/// obeys what it is sent. Pure.
/// </summary>
/// <remarks>
/// What no reader can see is written as what it is, <c>\u001b</c>: control characters (of which ESC and U+009B begin commands of a
/// terminal), line ends, formats such as those that turn the direction of the text around, and what is no character at all.
/// </remarks>
internal static class Printable
{
    /// <summary>The longest text that is shown whole: a screen full. The rest of it is only counted.</summary>
    public const int MaxLength = 4_096;

    private static readonly SearchValues<char> Plain = SearchValues.Create([.. Enumerable.Range(' ', '~' - ' ' + 1).Select(c => (char)c)]);

    /// <summary>The text as one line, no longer than a limit and a remark about the rest.</summary>
    /// <param name="text">Anything; <see langword="null"/> counts as empty.</param>
    /// <param name="maxLength">Characters of it that are shown.</param>
    public static string Line(string? text, int maxLength = MaxLength)
    {
        text ??= "";
        var rest = text.Length - maxLength;
        return rest <= 0
            ? Escape(text, "")
            : string.Create(CultureInfo.InvariantCulture, $"{Escape(text[..maxLength], "")}… ({rest} more characters)");
    }

    /// <summary>JSON in which what is no harmless character is escaped, as JSON may be. Its own line ends stay.</summary>
    /// <param name="json">Valid JSON, whose strings are escaped as far as JSON has to be.</param>
    public static string Json(string json) => Escape(json, "\r\n");

    private static string Escape(string text, string allowed)
    {
        if (!text.AsSpan().ContainsAnyExcept(Plain))
        {
            return text;
        }

        var result = new StringBuilder(text.Length + 16);
        for (var rest = text.AsSpan(); !rest.IsEmpty;)
        {
            var isCharacter = Rune.DecodeFromUtf16(rest, out var rune, out var length) == OperationStatus.Done;
            if (isCharacter && (IsHarmless(rune) || (rune.IsBmp && allowed.Contains((char)rune.Value))))
            {
                result.Append(rest[..length]);
            }
            else
            {
                foreach (var unit in rest[..length])
                {
                    result.Append(CultureInfo.InvariantCulture, $"\\u{(int)unit:x4}");
                }
            }

            rest = rest[length..];
        }

        return result.ToString();
    }

    private static bool IsHarmless(Rune rune) => Rune.GetUnicodeCategory(rune) is not (
        UnicodeCategory.Control or UnicodeCategory.Format or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator
        or UnicodeCategory.PrivateUse or UnicodeCategory.OtherNotAssigned or UnicodeCategory.Surrogate);
}
