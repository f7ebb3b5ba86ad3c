using System.Collections.Immutable;

namespace Orleans.WireGuard.Tests.Support;

/// <summary>A version's section of the changelog.</summary>
/// <param name="Version">The first word of its heading: <c>Unreleased</c>, or such as <c>0.1.0</c>.</param>
/// <param name="Parts">What stands below each of its headings, without empty lines.</param>
internal sealed record ReleaseSection(string Version, ImmutableDictionary<string, string> Parts);

/// <summary>What the changelog has to say of every version, so that an operator can go there and back. Pure.</summary>
internal static class ReleaseNotes
{
    /// <summary>What is written where there is nothing to say: it was thought of, and not forgotten.</summary>
    public const string Nothing = "Nothing.";

    /// <summary>The headings of every section.</summary>
    public static readonly ImmutableArray<string> Headings = ["Upgrade", "Roll back", Wire];

    private const string Wire = "Wire";

    /// <summary>Reads the sections, the newest first.</summary>
    public static IReadOnlyList<ReleaseSection> Parse(string changelog)
    {
        var sections = new List<ReleaseSection>();
        var heading = "";
        foreach (var line in changelog.Split('\n').Select(line => line.TrimEnd()).Where(line => line.Length > 0))
        {
            if (line.StartsWith("## ", StringComparison.Ordinal))
            {
                sections.Add(new(line.Split(' ')[1].Trim('[', ']'), ImmutableDictionary<string, string>.Empty));
                heading = "";
            }
            else if (sections.Count > 0)
            {
                heading = line.StartsWith("### ", StringComparison.Ordinal) ? line[4..] : heading;
                var text = line == $"### {heading}" ? "" : line + "\n";
                var section = sections[^1];
                sections[^1] = section with { Parts = section.Parts.SetItem(heading, section.Parts.GetValueOrDefault(heading, "") + text) };
            }
        }

        return sections;
    }

    /// <summary>What is wrong with the changelog of a tree.</summary>
    /// <param name="sections">The changelog.</param>
    /// <param name="last">The version of the last release before this tree; null if there was none.</param>
    /// <param name="own">The version as which this tree is released; null if it is on its way.</param>
    /// <param name="changed">The contracts that are others than in the last release.</param>
    public static IEnumerable<string> FindFaults(
        IReadOnlyList<ReleaseSection> sections, string? last, string? own, IReadOnlyCollection<string> changed)
    {
        if (last is not null && sections.All(section => section.Version != last))
        {
            yield return $"The changelog has no section for {last}, the last release.";
        }

        var since = sections.TakeWhile(section => section.Version != last).ToList();
        if (own is not null && since.FirstOrDefault()?.Version != own)
        {
            var first = since.FirstOrDefault()?.Version ?? last ?? "nothing";
            yield return $"This is {own}, and the first section of the changelog is of {first}.";
        }

        foreach (var section in since)
        {
            foreach (var heading in Headings.Where(heading => section.Parts.GetValueOrDefault(heading, "").Trim().Length == 0))
            {
                yield return $"{section.Version} says nothing below '### {heading}'; if there is nothing to say, that is '{Nothing}'";
            }
        }

        if (last is not null && changed.Count > 0 && !since.Any(section => Says(section, Wire)))
        {
            yield return $"Contracts are others than in {last}, and '### {Wire}' does not say what that means between the two: "
                + $"{string.Join(", ", changed)}.";
        }
    }

    private static bool Says(ReleaseSection section, string heading) =>
        section.Parts.GetValueOrDefault(heading, "").Trim() is { Length: > 0 } text && text != Nothing;
}
