using System.Collections.Immutable;

namespace Orleans.WireGuard.Silo.Hosting;

/// <summary>
/// What a silo does with the keys of its settings file. A key that it does not know is a mistake, and refused, unless the file was written
/// for a newer version: whoever rolls the program back must not have to edit its settings as well. Pure.
/// </summary>
/// <remarks>
/// Below <c>Encryption</c> nothing is ever ignored. A silo that ignored a setting there would let travel in clear what its operator has
/// forbidden, and would seem to be well.
/// </remarks>
internal static class SettingRules
{
    /// <summary>The key of a settings file that says for which version it was written.</summary>
    public const string VersionKey = "$version";

    /// <summary>Where what means safety stands.</summary>
    public const string SafetySection = "Encryption";

    /// <summary>Judges a file.</summary>
    /// <param name="settings">What is in it.</param>
    /// <param name="catalogue">What this version knows.</param>
    /// <param name="own">This version.</param>
    public static SettingVerdict Judge(
        IReadOnlyDictionary<string, string?> settings, SettingCatalogue catalogue, ReleaseVersion own)
    {
        var written = settings.FirstOrDefault(setting => IsVersion(setting.Key));
        var version = ReleaseVersion.TryParse(written.Value);
        if (written.Key is not null && version is null)
        {
            return new(null, [], [], [
                $"{written.Key} is '{written.Value}'; expected the version for which the file was written, such as 0.1 or 0.1.2"]);
        }

        var unknown = new SortedSet<string>(StringComparer.OrdinalIgnoreCase);
        var ahead = new SortedDictionary<string, ReleaseVersion>(StringComparer.OrdinalIgnoreCase);
        var shapeless = new SortedSet<string>(StringComparer.OrdinalIgnoreCase);
        foreach (var (key, value) in settings.Where(setting => !IsVersion(setting.Key)))
        {
            if (FindShapeFault(key, value, catalogue) is { } fault)
            {
                shapeless.Add(fault);
            }

            if (!catalogue.TryFind(key, out var since, out var part))
            {
                unknown.Add(part);
            }
            else if (since > version)
            {
                ahead[key] = since;
            }
        }

        var isNewer = version > own;
        return new(
            version,
            isNewer ? [.. unknown.Where(key => !IsSafety(key))] : [],
            [.. ahead.Select(setting => new NewSetting(setting.Key, setting.Value))],
            [.. Refuse([.. unknown], version, own), .. shapeless]);
    }

    /// <summary>
    /// What is wrong with variables, which have no version: one that no setting can be is refused by whoever reads it, but some would be
    /// nothing without a word.
    /// </summary>
    /// <param name="variables">By name, without the prefix.</param>
    /// <param name="catalogue">What this version knows.</param>
    /// <param name="prefix">The prefix, for what is said.</param>
    public static IReadOnlyList<string> JudgeVariables(
        IEnumerable<KeyValuePair<string, string?>> variables, SettingCatalogue catalogue, string prefix) =>
        [.. variables.OrderBy(variable => variable.Key, StringComparer.Ordinal).Select(variable =>
        {
            var (section, setting) = (variable.Key.Split('_')[0], variable.Key[(variable.Key.IndexOf('_') + 1)..]);
            return !variable.Key.Contains("__", StringComparison.Ordinal) && variable.Key.Contains('_') && catalogue.HasSection(section)
                ? $"{prefix}{variable.Key}: sets nothing; write {prefix}{section}__{setting}, with two underscores"
                : FindShapeFault(
                    variable.Key.Replace("__", ConfigurationPath.KeyDelimiter, StringComparison.Ordinal), variable.Value, catalogue);
        }).OfType<string>()];

    // The binder takes nothing from one value where it expects several, and says nothing.
    private static string? FindShapeFault(string key, string? value, SettingCatalogue catalogue) =>
        !string.IsNullOrEmpty(value) && catalogue.FindParts(key) is { } parts
            ? $"{key} is one value, '{value}'; expected {parts}"
                + (parts == "a list" ? $", such as [\"{value}\"] or, as a variable, with __0 behind its name" : "")
            : null;

    /// <summary>Whether a key, or a part of it, is among those that nobody reads.</summary>
    public static bool IsAmong(IEnumerable<string> ignored, string key) => ignored.Any(part =>
        key.StartsWith(part, StringComparison.OrdinalIgnoreCase)
        && (key.Length == part.Length || key.AsSpan(part.Length).StartsWith(ConfigurationPath.KeyDelimiter)));

    // Those of a section that is never ignored say so, where the file would otherwise have been accepted.
    private static IEnumerable<string> Refuse(IReadOnlyList<string> unknown, ReleaseVersion? version, ReleaseVersion own)
    {
        var isNewer = version > own;
        var mistakes = unknown.Where(key => !isNewer).ToList();
        if (mistakes.Count > 0)
        {
            yield return $"{string.Join(", ", mistakes)}: not known to this owg ({own}); correct the name or remove it. Only a file that says "
                + $"with {VersionKey} that it is of a newer version may have what is not known; this one says {version?.ToString() ?? "none"}";
        }

        var safety = unknown.Where(key => isNewer && IsSafety(key)).ToList();
        if (safety.Count > 0)
        {
            yield return $"{string.Join(", ", safety)}: not known to this owg ({own}), the file is of {version}. What stands below "
                + $"{SafetySection} decides what may travel in clear, so it is never ignored; remove it, or run a version that knows it";
        }
    }

    private static bool IsVersion(string key) => key.Equals(VersionKey, StringComparison.OrdinalIgnoreCase);

    private static bool IsSafety(string key) => IsAmong([SafetySection], key);
}

/// <summary>What becomes of a settings file.</summary>
/// <param name="Version">For which version it was written; null if it does not say.</param>
/// <param name="Ignored">What it has that this version does not know, and does without.</param>
/// <param name="Ahead">What it has that is newer than the version for which it says to be written, in the order of the keys.</param>
/// <param name="Faults">Why it cannot be used; empty if it can.</param>
internal sealed record SettingVerdict(
    ReleaseVersion? Version, ImmutableArray<string> Ignored, ImmutableArray<NewSetting> Ahead, ImmutableArray<string> Faults);

/// <summary>A setting and the release that brought it.</summary>
/// <param name="Key">As the configuration has it.</param>
/// <param name="Since">The release.</param>
internal readonly record struct NewSetting(string Key, ReleaseVersion Since);
