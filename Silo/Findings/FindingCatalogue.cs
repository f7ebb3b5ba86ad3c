using Orleans.WireGuard.Grains.Reasons;

namespace Orleans.WireGuard.Silo.Findings;

/// <summary>What is known of each finding before it is found. Pure.</summary>
/// <remarks>Sentences for people are made by <see cref="FindingText"/>: what travels is the code and what was seen.</remarks>
internal static class FindingCatalogue
{
    private static readonly Dictionary<FindingCode, Entry> Entries = new()
    {
        [FindingCode.PacketsInClear] = new(FindingSeverity.Error),
        [FindingCode.PodsOutsidePrefixes] =
            new(FindingSeverity.Error, CutsPods: true, Explains: [FindingCode.PacketsInClear, FindingCode.PrefixWithoutPods]),
        [FindingCode.PrefixWithoutPods] = new(FindingSeverity.Warning),
        [FindingCode.PrefixOfAnotherNode] = new(
            FindingSeverity.Error, CutsPods: true, Explains: [FindingCode.PacketsInClear, FindingCode.PrefixWithoutPods]),
        [FindingCode.EncapsulatedByOthers] = new(FindingSeverity.Warning, Explains: [FindingCode.PacketsInClear]),
        [FindingCode.RuleBeforeOurs] = new(FindingSeverity.Error, Explains: [FindingCode.PacketsInClear]),
        [FindingCode.CiliumAgentDeletesDevice] = new(FindingSeverity.Notice),
        [FindingCode.PodMtuTooLarge] = new(FindingSeverity.Warning, Explains: [FindingCode.BpfHostRouting]),
        [FindingCode.BpfHostRouting] = new(FindingSeverity.Notice),
        [FindingCode.RangeHoldsNodes] = new(FindingSeverity.Error, CutsPods: true),
        [FindingCode.NodeAddressInPodRange] = new(FindingSeverity.Warning, CutsPods: true),
        [FindingCode.ForwardingOff] = new(FindingSeverity.Error),
        [FindingCode.SourceCheckStrict] = new(FindingSeverity.Warning),
        [FindingCode.SentPastNetfilter] = new(FindingSeverity.Warning, HidesPods: true),
    };

    /// <summary>All codes there are.</summary>
    public static IReadOnlyCollection<FindingCode> Codes => Entries.Keys;

    /// <summary>How bad a finding of this code is.</summary>
    public static FindingSeverity SeverityOf(FindingCode code) => Entries[code].Severity;

    /// <summary>Whether strict mode would cut healthy traffic while there is such a finding.</summary>
    public static bool CutsPods(FindingCode code) => Entries.TryGetValue(code, out var entry) && entry.CutsPods;

    /// <summary>
    /// Whether pods' traffic could be in clear unseen while there is such a finding, so that strict mode promises what nobody sees.
    /// </summary>
    public static bool HidesPods(FindingCode code) => Entries.TryGetValue(code, out var entry) && entry.HidesPods;

    /// <summary>Makes a finding, seen now for the first time.</summary>
    public static Finding Make(
        FindingCode code, string subject, DateTimeOffset now, params IEnumerable<(string Name, string Value)> evidence) =>
        new(code, SeverityOf(code), subject, evidence.Select(item => new FindingEvidence(item.Name, item.Value)).ToEquatableArray(), now);

    /// <summary>
    /// Drops what other findings explain, which are then as bad as their effects and show their evidence; keeps since when each was there,
    /// and puts the worst first: within a severity the one that explains others, then by code and subject.
    /// </summary>
    /// <param name="found">What there is now.</param>
    /// <param name="before">What there was the last time.</param>
    public static EquatableArray<Finding> Settle(IEnumerable<Finding> found, IEnumerable<Finding> before)
    {
        var now = found.ToList();
        var explained = now.SelectMany(finding => Entries[finding.Code].Explains).ToHashSet();
        var since = before.DistinctBy(finding => (finding.Code, finding.Subject))
            .ToDictionary(finding => (finding.Code, finding.Subject), finding => finding.Since);
        return now.Where(finding => !explained.Contains(finding.Code))
            .Select(finding => now.Where(effect => Entries[finding.Code].Explains.Contains(effect.Code)).Aggregate(finding, WithEffect))
            .Select(finding => since.TryGetValue((finding.Code, finding.Subject), out var first) ? finding with { Since = first } : finding)
            .OrderByDescending(finding => finding.Severity)
            .ThenByDescending(finding => Entries[finding.Code].Explains.Length)
            .ThenBy(finding => finding.Code)
            .ThenBy(finding => finding.Subject, StringComparer.Ordinal)
            .ToEquatableArray();
    }

    private static Finding WithEffect(Finding cause, Finding effect) => effect.Severity > cause.Severity
        ? cause with { Severity = effect.Severity, Evidence = cause.Evidence.Concat(effect.Evidence).ToEquatableArray() }
        : cause;

    private sealed record Entry(FindingSeverity Severity, bool CutsPods = false, bool HidesPods = false)
    {
        public Entry(FindingSeverity severity, FindingCode[] Explains, bool CutsPods = false)
            : this(severity, CutsPods) => this.Explains = Explains;

        public FindingCode[] Explains { get; } = [];
    }
}
