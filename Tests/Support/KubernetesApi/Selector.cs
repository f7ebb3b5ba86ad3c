using System.Text.Json.Nodes;

namespace Orleans.WireGuard.Tests.Support.KubernetesApi;

/// <summary>
/// The part of label and field selectors that clients of ours use: equality, sets and existence; metadata.name and metadata.namespace.
/// </summary>
internal sealed class Selector
{
    private readonly List<Func<JsonObject, bool>> _terms = [];

    public Selector(string? labels, string? fields)
    {
        foreach (var term in Split(labels))
        {
            _terms.Add(Label(term));
        }

        foreach (var term in Split(fields))
        {
            var parts = term.Split('=', 2);
            var value = parts[^1].TrimStart('=');
            _terms.Add(parts[0] switch
            {
                "metadata.name" => item => Metadata.Name(item) == value,
                "metadata.namespace" => item => Metadata.Namespace(item) == value,
                var other => throw ApiException.BadRequest($"field label not supported: {other}"),
            });
        }
    }

    public bool Matches(JsonObject item) => _terms.TrueForAll(term => term(item));

    private static Func<JsonObject, bool> Label(string term)
    {
        if (term.Contains(" in (", StringComparison.Ordinal) || term.Contains(" notin (", StringComparison.Ordinal))
        {
            var negated = term.Contains(" notin (", StringComparison.Ordinal);
            var key = term[..term.IndexOf(' ', StringComparison.Ordinal)];
            var values = term[(term.IndexOf('(', StringComparison.Ordinal) + 1)..].TrimEnd(')').Split(',', StringSplitOptions.TrimEntries);
            return item => values.Contains(Value(item, key)) != negated;
        }

        if (term.Contains("!=", StringComparison.Ordinal))
        {
            var parts = term.Split("!=", 2);
            return item => Value(item, parts[0]) != parts[1];
        }

        if (term.Contains('=', StringComparison.Ordinal))
        {
            var parts = term.Split('=', 2);
            var value = parts[1].TrimStart('=');
            return item => Value(item, parts[0]) == value;
        }

        return term[0] == '!' ? item => Value(item, term[1..]) is null : item => Value(item, term) is not null;
    }

    private static string? Value(JsonObject item, string key) => (string?)item["metadata"]?["labels"]?[key];

    // A comma inside the parentheses of a set does not end a term.
    private static IEnumerable<string> Split(string? selector)
    {
        var depth = 0;
        var start = 0;
        for (var index = 0; index <= (selector?.Length ?? -1); index++)
        {
            if (index == selector!.Length || (selector[index] == ',' && depth == 0))
            {
                if (index > start)
                {
                    yield return selector[start..index].Trim();
                }

                start = index + 1;
            }
            else
            {
                depth += selector[index] switch { '(' => 1, ')' => -1, _ => 0 };
            }
        }
    }
}
