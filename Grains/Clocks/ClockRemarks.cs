using System.Globalization;

namespace Orleans.WireGuard.Grains.Clocks;

/// <summary>What there is to say of clocks: a wrong one shows as refusals and as silence otherwise. Pure.</summary>
internal static class ClockRemarks
{
    /// <summary>That this node's clock cannot be right and nobody has told it the time; <see langword="null"/> if it is not so.</summary>
    /// <param name="own">What it says.</param>
    /// <param name="others">What the clocks of the others say that could be asked.</param>
    /// <remarks>
    /// While one of the others can be right the node follows that, and shows how far it is off
    /// (<see cref="RotationStatus.ClockCorrection"/>).
    /// </remarks>
    public static NodeProblem? FindProblem(DateTimeOffset own, IReadOnlyCollection<DateTimeOffset> others) =>
        MeshClock.CanBeRight(own) || others.Any(MeshClock.CanBeRight) ? null
        : NodeProblem.Of(
            others.Count == 0 ? NodeProblemCode.ClockWrong : NodeProblemCode.ClocksWrong, own.ToString("O", CultureInfo.InvariantCulture));

    /// <summary>That an announcement is refused because by the time of this node it comes from the future, in a sentence.</summary>
    /// <param name="refused">The announcement.</param>
    /// <param name="own">What this node's clock says.</param>
    /// <param name="isAnybodyKnown">Whether another clock could be asked.</param>
    public static string DescribeRefused(RefusedAhead refused, DateTimeOffset own, bool isAnybodyKnown) =>
        $"announcements of '{refused.NodeName}' are refused, the last one {SequenceBounds.DescribeTime(refused.Sequence)}, "
        + $"and the clock of this node says {own:u}; one of these two times is wrong"
        + (isAnybodyKnown ? "" : ", and nobody of the mesh could be asked for the time");
}
