namespace Orleans.WireGuard.Silo.Cli;

/// <summary>How a verb went on one of several nodes.</summary>
internal enum NodeOutcomeKind
{
    /// <summary>Done.</summary>
    Done,

    /// <summary>The node could not, or did not answer in time.</summary>
    Failed,

    /// <summary>The node has no active silo, so there was nobody to ask.</summary>
    NoSilo,

    /// <summary>The node refused, and nothing was changed.</summary>
    Refused,
}

/// <summary>What a verb did on one of several nodes, or why it did not, in a sentence.</summary>
internal sealed record NodeOutcome(string NodeName, NodeOutcomeKind Outcome, string Detail)
{
    /// <summary>What the node's rotation did; <see langword="null"/> if it was not asked for one, or did none.</summary>
    public RotationReceipt? Receipt { get; init; }

    /// <summary>Until when the node is frozen now; <see langword="null"/> if it is not, or that is unknown.</summary>
    public DateTimeOffset? FrozenUntil { get; init; }

    /// <summary>Why the node refused; <see langword="null"/> if it did not, or said it in words only.</summary>
    public RotationRefusal? Refusal { get; init; }

    /// <summary>A line for people.</summary>
    public override string ToString() => Outcome switch
    {
        NodeOutcomeKind.Done => $"{NodeName}: {Detail}",
        NodeOutcomeKind.NoSilo => $"{NodeName}: NO SILO: {Detail}",
        NodeOutcomeKind.Refused => $"{NodeName}: REFUSED: {Detail}",
        _ => $"{NodeName}: FAILED: {Detail}",
    };

    /// <summary>The exit code: a refusal or a failure counts more than an absent silo, which counts more than success.</summary>
    public static int ExitCodeOf(IReadOnlyCollection<NodeOutcome> outcomes) =>
        outcomes.Count == 0 || outcomes.Any(outcome => outcome.Outcome is NodeOutcomeKind.Failed or NodeOutcomeKind.Refused)
            ? ExitCode.Failed
        : outcomes.Any(outcome => outcome.Outcome == NodeOutcomeKind.NoSilo) ? ExitCode.Unhealthy
        : ExitCode.Success;
}
