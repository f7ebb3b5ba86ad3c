namespace Orleans.WireGuard.Silo.Findings;

/// <summary>Whether strict mode may come into force. Pure.</summary>
/// <remarks>
/// Strict mode that begins with a wrong idea of the pods' addresses cuts a healthy cluster, so it waits for a finding to go, or to be
/// accepted. Once it was in force on a node no finding takes it away: what fails closed must not be talked open.
/// <code>
/// never strict ──finding that cuts pods──▶ withheld, not ready, said loudly ──gone or accepted──▶ in force
///                                                                            in force ──any finding──▶ in force, reported
/// </code>
/// </remarks>
internal static class StrictGate
{
    /// <summary>Whether it is to be withheld.</summary>
    /// <param name="wasInForce">
    /// Whether it ever was in force on this node, by this process or a former one: its refusals or its table are there.
    /// </param>
    /// <param name="findings">What was found.</param>
    /// <param name="accepted">What the operator accepts.</param>
    public static bool IsWithheld(bool wasInForce, IEnumerable<Finding> findings, IReadOnlySet<FindingCode> accepted) =>
        !wasInForce && findings.Any(finding => FindingCatalogue.CutsPods(finding.Code) && !accepted.Contains(finding.Code));

    /// <summary>The finding for which a strict node is not ready; <see langword="null"/> if there is none.</summary>
    /// <param name="isWithheld">Whether strict mode is withheld.</param>
    /// <param name="findings">What was found, the worst first.</param>
    /// <param name="accepted">What the operator accepts.</param>
    public static Finding? FindProblem(bool isWithheld, IEnumerable<Finding> findings, IReadOnlySet<FindingCode> accepted) =>
        findings.FirstOrDefault(finding => !accepted.Contains(finding.Code)
            && (finding.Severity == FindingSeverity.Error || FindingCatalogue.HidesPods(finding.Code)
                || (isWithheld && FindingCatalogue.CutsPods(finding.Code))));
}
