using Orleans.WireGuard.Silo.Findings;

namespace Orleans.WireGuard.Silo.Nodes.Prefixes;

/// <summary>Chooses the source that tells what this node has for its pods. Pure.</summary>
/// <remarks>
/// <code>
/// Static               if the nodes are listed there: what the operator has written is taken, and findings say if it is wrong
/// NodeNetworkConfig    where Azure assigns the addresses, the other two are empty, made up or about something else
/// CiliumNode, Node     first the one that lists the nodes, then the other one
/// Kernel               what pods use, not what they may use; needs the ranges of pods
/// </code>
/// The first one that tells something and that no local pod speaks against. A node without pods has nothing that could.
/// </remarks>
internal static class PrefixChoice
{
    // How many pods a sentence shows.
    private const int MaxExamples = 2;

    /// <summary>Which sources are asked, the first one first.</summary>
    /// <param name="configured">What is configured.</param>
    /// <param name="isKubernetes">Whether the nodes come from Kubernetes.</param>
    /// <param name="rosterKind">The kind of objects that lists them; <see langword="null"/> while that is not known.</param>
    /// <param name="hasRanges">Whether the ranges of pods are configured.</param>
    public static IReadOnlyList<PrefixSource> Order(PrefixSource configured, bool isKubernetes, string? rosterKind, bool hasRanges)
    {
        if (configured != PrefixSource.Auto)
        {
            return [configured];
        }

        if (!isKubernetes)
        {
            return [PrefixSource.Static];
        }

        PrefixSource[] lists = rosterKind == nameof(PrefixSource.Node)
            ? [PrefixSource.Node, PrefixSource.CiliumNode]
            : [PrefixSource.CiliumNode, PrefixSource.Node];
        return [PrefixSource.NodeNetworkConfig, .. lists, .. hasRanges ? [PrefixSource.Kernel] : (PrefixSource[])[]];
    }

    /// <summary>Chooses.</summary>
    /// <param name="isConfigured">Whether a source is configured, which is then the only one and taken whatever the kernel shows.</param>
    /// <param name="answers">What the sources tell, in their order.</param>
    /// <param name="pods">The pods of this node that the kernel shows; <see langword="null"/> if it could not be asked.</param>
    public static PrefixDecision Choose(bool isConfigured, IReadOnlyList<PrefixAnswer> answers, IReadOnlyList<LocalPod>? pods)
    {
        List<string> reasons = [];
        List<PrefixSource> contradicted = [];
        foreach (var answer in answers)
        {
            if (answer.IsPending || answer.IsUnasked)
            {
                return new(null, $"{answer.Source} has not answered yet")
                {
                    WaitsFor = answer.Source,
                    Contradicted = contradicted.ToEquatableArray(),
                };
            }

            if (answer.Absence is { } absence)
            {
                reasons.Add(absence);
            }
            else if (!isConfigured && answer.Source != PrefixSource.Static && FindContradiction(answer.Prefixes, pods ?? []) is { } shown)
            {
                contradicted.Add(answer.Source);
                reasons.Add($"{answer.Source} has {Names(answer.Prefixes)}, but {shown}");
            }
            else
            {
                return new(answer, isConfigured ? "Nodes:Prefixes names it" : reasons.Count == 0
                    ? "it is asked first" : string.Join("; ", reasons))
                {
                    Contradicted = contradicted.ToEquatableArray(),
                };
            }
        }

        return new(null, string.Join("; ", reasons)) { Contradicted = contradicted.ToEquatableArray() };
    }

    /// <summary>
    /// What the kernel shows that prefixes cannot be true with; <see langword="null"/> if nothing does: local pods of a family of the
    /// prefixes, and none of them inside, or local pods and none inside at all.
    /// </summary>
    public static string? FindContradiction(EquatableArray<IPPrefix> prefixes, IReadOnlyList<LocalPod> pods)
    {
        var merged = PrefixSet.Merge(prefixes);
        if (merged.Count == 0 || pods.Count == 0)
        {
            return null;
        }

        // A bridge's network and a pod CIDR may be the wider one, either of them.
        var inside = pods.ToLookup(pod => PrefixSet.Overlaps(merged, pod.Prefix));
        foreach (var isIPv6 in merged.Select(prefix => prefix.IsIPv6).Distinct())
        {
            var strangers = inside[false].Where(pod => pod.Prefix.IsIPv6 == isIPv6).ToList();
            if (strangers.Count > 0 && !inside[true].Any(pod => pod.Prefix.IsIPv6 == isIPv6))
            {
                return Describe(strangers);
            }
        }

        return inside[true].Any() ? null : Describe([.. inside[false]]);
    }

    private static string Describe(List<LocalPod> pods) =>
        $"the kernel shows pods elsewhere ({string.Join(", ", pods.Take(MaxExamples).Select(pod => $"{pod.Prefix} at {pod.LinkName}"))}"
        + $"{(pods.Count > MaxExamples ? FormattableString.Invariant($" and {pods.Count - MaxExamples} more") : "")})";

    private static string Names(EquatableArray<IPPrefix> prefixes) =>
        string.Join(", ", prefixes.Take(MaxExamples))
        + (prefixes.Count > MaxExamples ? FormattableString.Invariant($" and {prefixes.Count - MaxExamples} more") : "");
}
