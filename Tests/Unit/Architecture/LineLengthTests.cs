using System.Text.RegularExpressions;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.Unit.Architecture;

/// <summary>
/// A line of code has 140 characters at most, as the settings of the editor say. The text of a literal does not count: it can be found
/// whole.
/// </summary>
public sealed partial class LineLengthTests
{
    private const int Max = 140;

    [Fact]
    public void Lines_OfAllSources_AreNotTooLong() => Assert.Equal(
        "",
        string.Join('\n', RepositoryFiles.ReadTexts().Where(file => file.Path.EndsWith(".cs", StringComparison.Ordinal))
            .SelectMany(file => TooLong(file.Text).Select(line => $"{file.Path}:{line}"))));

    [Fact]
    public void EditorSettings_SayTheSame() => Assert.Contains(
        $"max_line_length = {Max}", File.ReadAllText(RepositoryFiles.Find(".editorconfig")).ReplaceLineEndings());

    [Theory]
    [InlineData(Max, "", 0)]
    [InlineData(Max + 1, "", 1)]
    [InlineData(Max - 2, "\"\"", 0)]
    [InlineData(Max - 2, "\"a text that is as long as it has to be\"", 0)]
    [InlineData(Max - 1, "\"a text that is as long as it has to be\"", 1)]
    [InlineData(Max - 2, "\"with \\\" in it\"", 0)]
    public void TooLong_Golden_DoesNotCountTexts(int others, string text, int expected) =>
        Assert.Equal(expected, TooLong($"first\n{new string('─', others)}{text}\nlast").Count());

    private static IEnumerable<int> TooLong(string text) =>
        text.Split('\n').Index().Where(line => line.Item.Length > Max && Literal().Replace(line.Item, "\"\"").Length > Max)
            .Select(line => line.Index + 1);

    [GeneratedRegex("\"(?:\\\\.|[^\"\\\\])*\"")]
    private static partial Regex Literal();
}
