using Orleans.WireGuard.Grains.Reasons;

namespace Orleans.WireGuard.Tests.Support;

/// <summary>What people read of a value; <see langword="null"/> of none.</summary>
internal static class ProblemText
{
    public static string? ToText(this NodeProblem? problem) => problem is null ? null : NodeProblemText.Describe(problem);

    public static string? ToText(this EquatableArray<NodeProblem> problems) => NodeProblemText.Describe(problems);

    public static string? ToText(this RotationProblem? problem) => problem is null ? null : RotationReasonText.Describe(problem);
}
