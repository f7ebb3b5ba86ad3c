using System.Diagnostics.CodeAnalysis;
using System.Text.RegularExpressions;

namespace Orleans.WireGuard.Silo.Nodes;

/// <summary>
/// A label selector as <c>kubectl get --selector</c> takes it: <c>a=b</c>, <c>a!=b</c>, <c>a in (b,c)</c>, <c>a notin (b)</c>, <c>a</c>,
/// <c>!a</c>, several of them separated by commas. Immutable.
/// </summary>
/// <remarks>
/// https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#label-selectors. As there, <c>a!=b</c> and <c>a notin (b)</c>
/// match what has no label <c>a</c>.
/// </remarks>
internal sealed partial class LabelSelector
{
    private readonly List<Func<IReadOnlyDictionary<string, string>, bool>> _terms;

    private LabelSelector(List<Func<IReadOnlyDictionary<string, string>, bool>> terms) => _terms = terms;

    /// <summary>The selectors of the nodes on which no silo can run, unless others are configured.</summary>
    public static IReadOnlyList<string> DefaultExempt { get; } = ["kubernetes.io/os=windows", "type=virtual-kubelet"];

    /// <summary>Reads one.</summary>
    /// <returns>Whether it is one.</returns>
    public static bool TryParse([NotNullWhen(true)] string? text, [NotNullWhen(true)] out LabelSelector? selector)
    {
        selector = null;
        if (string.IsNullOrWhiteSpace(text))
        {
            return false;
        }

        List<Func<IReadOnlyDictionary<string, string>, bool>> terms = [];
        foreach (var part in Comma().Split(text))
        {
            var match = Term().Match(part);
            if (!match.Success)
            {
                return false;
            }

            terms.Add(Read(match));
        }

        selector = new LabelSelector(terms);
        return true;
    }

    /// <summary>The configured ones, as the validator has let them pass.</summary>
    public static IReadOnlyList<LabelSelector> Of(NodesOptions nodes) =>
        [.. (nodes.Exempt ?? [.. DefaultExempt]).Select(text => TryParse(text, out var selector) ? selector : null)
            .OfType<LabelSelector>()];

    /// <summary>Whether labels fit all of it.</summary>
    public bool Matches(IReadOnlyDictionary<string, string>? labels) => _terms.TrueForAll(term => term(labels ?? NoLabels));

    private static Dictionary<string, string> NoLabels { get; } = [];

    private static Func<IReadOnlyDictionary<string, string>, bool> Read(Match term)
    {
        var key = term.Groups["key"].Value;
        if (term.Groups["set"].Success)
        {
            var values = term.Groups["set"].Value.Split(',', StringSplitOptions.TrimEntries).ToHashSet(StringComparer.Ordinal);
            var isAmong = term.Groups["in"].Value == "in";
            return labels => (labels.TryGetValue(key, out var value) && values.Contains(value)) == isAmong;
        }

        if (term.Groups["value"].Success)
        {
            var wanted = term.Groups["value"].Value;
            var isEqual = term.Groups["operator"].Value != "!=";
            return labels => (labels.TryGetValue(key, out var value) && value == wanted) == isEqual;
        }

        var isThere = !term.Groups["not"].Success;
        return labels => labels.ContainsKey(key) == isThere;
    }

    // A comma inside the parentheses of a set does not end a term.
    [GeneratedRegex(@",(?![^(]*\))")]
    private static partial Regex Comma();

    [GeneratedRegex(
        @"^\s*(?:(?<not>!)\s*(?<key>[A-Za-z0-9][A-Za-z0-9._/-]*)"
        + @"|(?<key>[A-Za-z0-9][A-Za-z0-9._/-]*)(?:\s*(?<operator>==|=|!=)\s*(?<value>[A-Za-z0-9._-]*)"
        + @"|\s+(?<in>in|notin)\s*\((?<set>[A-Za-z0-9._,\s-]*)\))?)\s*$",
        RegexOptions.ExplicitCapture)]
    private static partial Regex Term();
}
