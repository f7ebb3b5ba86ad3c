using System.Globalization;
using Orleans.WireGuard.Grains.Reasons;

namespace Orleans.WireGuard.Silo.Cli;

/// <summary>What <c>owg doctor</c> tells of one node.</summary>
/// <param name="NodeName">The node; empty if it is this one and has no name.</param>
/// <param name="TakenAt">When it was told.</param>
/// <param name="Findings">The worst first.</param>
/// <param name="Witness">What was counted at the wire; <see langword="null"/> if nothing can be counted.</param>
/// <param name="Note">What has to be known beside it, such as that there is no silo; <see langword="null"/> if nothing.</param>
internal sealed record Diagnosis(
    string NodeName, DateTimeOffset TakenAt, IReadOnlyList<DiagnosedFinding> Findings, WitnessStatus? Witness, string? Note)
{
    /// <summary>Whether strict mode is configured and withheld.</summary>
    public bool IsStrictWithheld { get; init; }

    /// <summary>Whether the node could not be asked.</summary>
    public bool IsUnanswered { get; init; }

    /// <summary>How bad it is; <see langword="null"/> if nothing was found.</summary>
    public FindingSeverity? Worst => Findings.Count == 0 ? null : Findings.Max(finding => finding.Severity);

    /// <summary>Whether somebody has to do something.</summary>
    public bool IsWell => !IsUnanswered && Worst is null or FindingSeverity.Notice;

    /// <summary>Makes it of what a node says of itself.</summary>
    public static Diagnosis Of(NodeStatus status) =>
        new(status.NodeName, status.TakenAt, DiagnosedFinding.Of(
            status.Findings), status.Witness, NodeProblemText.Describe(status.Problems))
        { IsStrictWithheld = status.IsStrictWithheld };

    /// <summary>What is printed for people: nodes and findings, the worst first.</summary>
    public static IEnumerable<string> Lines(IEnumerable<Diagnosis> diagnoses)
    {
        var all = diagnoses.OrderByDescending(diagnosis => diagnosis.Worst)
            .ThenBy(diagnosis => diagnosis.NodeName, StringComparer.Ordinal).ToList();
        foreach (var (diagnosis, finding) in all.SelectMany(diagnosis => diagnosis.Findings.Select(finding => (diagnosis, finding)))
            .OrderByDescending(found => found.finding.Severity))
        {
            var since = Format.Duration(diagnosis.TakenAt - finding.Since);
            yield return $"{finding.Code} {finding.Severity.ToString().ToUpperInvariant()} {diagnosis.NodeName}, for {since}: {finding.Sentence}";
            yield return $"    seen: {finding.Evidence}";
            yield return $"    do:   {finding.Remedy}";
        }

        foreach (var diagnosis in all)
        {
            foreach (var line in diagnosis.Rest())
            {
                yield return $"{(diagnosis.NodeName.Length > 0 ? diagnosis.NodeName : "this node")}: {line}";
            }
        }
    }

    private IEnumerable<string> Rest()
    {
        if (Findings.Count == 0 && !IsUnanswered)
        {
            yield return "nothing found.";
        }

        if (Note is not null)
        {
            yield return Note;
        }

        if (Witness is { } counted)
        {
            yield return string.Create(
                CultureInfo.InvariantCulture,
                $"witness{(counted.IsPartial ? " (partial: what BPF sends past netfilter is not counted)" : "")}: {counted.Clear + counted.ClearEncapsulated} packets left in clear, "
                + $"{counted.ArrivedClear + counted.ArrivedClearEncapsulated} arrived in clear, {counted.Tunnel} left and {counted.ArrivedTunnel} arrived through tunnels.");
        }
        else if (!IsUnanswered)
        {
            yield return "witness: nothing is counted at the wire, so nobody knows what leaves in clear.";
        }
    }
}

/// <summary>A finding with its code, such as <c>OWG301</c>, and the words for it.</summary>
internal sealed record DiagnosedFinding(
    string Code, FindingCode Name, FindingSeverity Severity, string Subject,
    DateTimeOffset Since, string Sentence, string Evidence, string Remedy)
{
    /// <summary>Puts findings into words.</summary>
    public static IReadOnlyList<DiagnosedFinding> Of(IEnumerable<Finding> findings) =>
    [
        .. findings.Select(finding => new DiagnosedFinding(
            FindingText.CodeOf(finding.Code),
            finding.Code,
            finding.Severity,
            finding.Subject,
            finding.Since,
            FindingText.Describe(finding),
            FindingText.Evidence(finding),
            FindingText.Remedy(finding))),
    ];
}
