using System.Text.Json;
using System.Text.Json.Nodes;
using Orleans.WireGuard.Silo.Hosting;

namespace Orleans.WireGuard.Tests.Support;

/// <summary>
/// What settings may become from one release to the next, so that the file of either starts the program of the other. Pure.
/// </summary>
internal static class SettingHistory
{
    private static readonly JsonDocumentOptions WithComments = new() { CommentHandling = JsonCommentHandling.Skip };

    /// <summary>What is wrong.</summary>
    /// <param name="before">The settings file of the last release.</param>
    /// <param name="now">The settings file of this tree.</param>
    /// <param name="catalogue">The settings that this tree knows.</param>
    /// <param name="last">The last release.</param>
    public static IEnumerable<string> FindFaults(string before, string now, SettingCatalogue catalogue, ReleaseVersion last)
    {
        var (former, present) = (Keys(before).ToHashSet(StringComparer.OrdinalIgnoreCase), Keys(now).ToList());
        foreach (var key in former.Where(key => !catalogue.TryFind(key, out _, out _)).Order(StringComparer.Ordinal))
        {
            yield return $"{key} was a setting of {last} and is not known any more, so that version's file would not start this one.";
        }

        foreach (var key in present.Where(key => !former.Contains(key)).Order(StringComparer.Ordinal))
        {
            if (catalogue.TryFind(key, out var since, out _) && since <= last)
            {
                yield return $"{key} says that {since} brought it, and {last} did not have it.";
            }
        }
    }

    private static IEnumerable<string> Keys(string file) =>
        Keys(JsonNode.Parse(file, documentOptions: WithComments)!.AsObject(), "").Where(key => key != SettingRules.VersionKey);

    private static IEnumerable<string> Keys(JsonObject json, string prefix) => json.SelectMany(pair =>
        pair.Value is JsonObject { Count: > 0 } inner ? Keys(inner, $"{prefix}{pair.Key}:") : [prefix + pair.Key]);
}
