using System.Globalization;
using System.Text.RegularExpressions;

namespace Orleans.WireGuard.Tests.Support;

/// <summary>An entry of <c>DECISIONS.md</c>.</summary>
/// <param name="Number">Counts from 1 over all entries.</param>
/// <param name="Title">Without what it says of earlier entries.</param>
/// <param name="Date">Of which day it is.</param>
/// <param name="Code">Where it is to be seen: a type, a member of one, a file or a folder.</param>
/// <param name="Changes">The earlier entries that do not hold any more, or not by themselves.</param>
/// <param name="Announced">The earlier entries that its text says it changes.</param>
internal sealed record DecisionEntry(
    int Number, string Title, DateOnly Date, IReadOnlyList<string> Code, IReadOnlyList<int> Changes, IReadOnlyList<int> Announced);

/// <summary>Reads <c>DECISIONS.md</c>, makes its table, and finds what cites it. Pure.</summary>
internal static partial class DecisionLog
{
    /// <summary>Where it is.</summary>
    public const string FileName = "DECISIONS.md";

    /// <summary>Reads the entries.</summary>
    /// <exception cref="FormatException">A heading is not that of an entry, or an entry lacks its line; the message says which.</exception>
    public static IReadOnlyList<DecisionEntry> Parse(string text) => [.. Section().Split(text).Skip(1).Select(ParseEntry)];

    /// <summary>What is wrong with the order, the dates and the numbers of entries, a sentence each.</summary>
    public static IEnumerable<string> FindFaults(IReadOnlyList<DecisionEntry> entries)
    {
        for (var i = 0; i < entries.Count; i++)
        {
            var entry = entries[i];
            if (entry.Number != i + 1)
            {
                yield return $"Entry {i + 1} has the number {entry.Number}.";
            }

            if (i > 0 && entry.Date < entries[i - 1].Date)
            {
                yield return $"Entry {entry.Number} is older than the one before it.";
            }

            foreach (var changed in entry.Changes.Where(changed => changed < 1 || changed >= entry.Number))
            {
                yield return $"Entry {entry.Number} changes {changed}, which is not an earlier one.";
            }

            foreach (var announced in entry.Announced.Except(entry.Changes))
            {
                yield return $"Entry {entry.Number} says that it changes {announced}, and its line does not.";
            }
        }
    }

    /// <summary>The table on top.</summary>
    public static string Table(IReadOnlyList<DecisionEntry> entries)
    {
        var rows = entries.Select(entry =>
        {
            var later = entries.Where(other => other.Changes.Contains(entry.Number)).Select(other => other.Number).ToList();
            var status = later.Count > 0 ? $"changed by {string.Join(", ", later)}" : "stands";
            return $"| {entry.Number} | {entry.Title} | {status} | {string.Join(", ", entry.Code.Select(name => $"`{name}`"))} |\n";
        });
        return "\n| Number | Decision | State | Where |\n|---|---|---|---|\n" + string.Concat(rows) + "\n";
    }

    /// <summary>The numbers of the entries that a text of the project cites, as in "decisions 6 and 31".</summary>
    /// <param name="text">A file.</param>
    /// <param name="isLog">Whether it is <c>DECISIONS.md</c>, in which "entry" means one of its own.</param>
    public static IEnumerable<int> FindCitations(string text, bool isLog = false) =>
        NumbersOf((isLog ? CitationInLog() : Citation()).Matches(RepositoryFiles.JoinLines(text)));

    private static DecisionEntry ParseEntry(string section)
    {
        var heading = section.Split('\n')[0];
        if (Heading().Match(heading) is not { Success: true } head
            || !DateOnly.TryParseExact(
                head.Groups["date"].Value, "yyyy-MM-dd", CultureInfo.InvariantCulture, DateTimeStyles.None, out var date))
        {
            throw new FormatException($"Expected a heading '## NUMBER. TITLE (YYYY-MM-DD)' in {FileName}, came '## {heading}'.");
        }

        if (Line().Match(section) is not { Success: true } line)
        {
            throw new FormatException(
                $"Expected '*Code:* `NAME`.' or '*Code:* `NAME`, `NAME`. *Changes:* 8, 11.' as the paragraph below '## {heading}'.");
        }

        return new DecisionEntry(
            int.Parse(head.Groups["number"].Value, CultureInfo.InvariantCulture),
            head.Groups["title"].Value,
            date,
            [.. line.Groups["code"].Value.Split(", ").Select(name => name.Trim('`'))],
            [.. Numbers(line.Groups["changes"].Value)],
            [.. Numbers(head.Groups["announced"].Value), .. NumbersOf(Supersedes().Matches(section[heading.Length..]))]);
    }

    private static IEnumerable<int> NumbersOf(MatchCollection matches) =>
        matches.SelectMany(match => Numbers(match.Groups["numbers"].Value));

    private static IEnumerable<int> Numbers(string text) =>
        Number().Matches(text).Select(match => int.Parse(match.Value, CultureInfo.InvariantCulture));

    private const string NumberList = @"(?<numbers>\d+(?:(?:, and | and | to |, |–)\d+)*)\b";

    [GeneratedRegex("^## ", RegexOptions.Multiline)]
    private static partial Regex Section();

    [GeneratedRegex(@"^(?<number>\d+)\. (?<title>.+?)(?:; (?<announced>(?:supersedes|changes|adds to) .+))? \((?<date>[\d-]+)\)$")]
    private static partial Regex Heading();

    [GeneratedRegex(@"^.*\n\n\*Code:\* (?<code>`[^`\n]+`(?:, `[^`\n]+`)*)\.(?: \*Changes:\* (?<changes>\d+(?:, \d+)*)\.)?\n\n")]
    private static partial Regex Line();

    [GeneratedRegex(@"\b(?:supersedes?|changes|adds to)\b[^.;:\n]*\b(?:entry|entries|decisions?) " + NumberList, RegexOptions.IgnoreCase)]
    private static partial Regex Supersedes();

    [GeneratedRegex(@"\bdecisions?(?:\.md)?(?:,? (?:entry|entries))? " + NumberList, RegexOptions.IgnoreCase)]
    private static partial Regex Citation();

    [GeneratedRegex(@"\b(?:decision|decisions|entry|entries) " + NumberList, RegexOptions.IgnoreCase)]
    private static partial Regex CitationInLog();

    [GeneratedRegex(@"\d+")]
    private static partial Regex Number();
}
