using System.Globalization;

namespace Orleans.WireGuard.Grains.Reasons;

/// <summary>What is wrong with a node, in words. Pure.</summary>
internal static class NodeProblemText
{
    // Said with and without the reason.
    private const string NotAnnounced = "has not announced its key yet";

    /// <summary>All of them in one line; <see langword="null"/> if there are none.</summary>
    public static string? Describe(EquatableArray<NodeProblem> problems) =>
        problems.Count == 0 ? null : string.Join("; ", problems.Select(Describe));

    /// <summary>One of them in a sentence that follows the node's name.</summary>
    /// <remarks>Who made it may be of another version, so an argument that is missing is a question mark.</remarks>
    public static string Describe(NodeProblem problem) => problem.Code switch
    {
        NodeProblemCode.NotReconciled => "has not reconciled its device yet",
        NodeProblemCode.WaitsForNodes => "waits for the first answer of the node source",
        NodeProblemCode.WaitsForSilo => "waits for the first answer of another silo",
        NodeProblemCode.HasNoKey => "has no key yet",
        NodeProblemCode.DevicesFailed or NodeProblemCode.RoutedByOthers => Argument(problem, 0),
        NodeProblemCode.StrictWithheld or NodeProblemCode.StrictBroken => DescribeStrict(problem),
        NodeProblemCode.TunnelsSilent => DescribeSilent(problem),
        NodeProblemCode.ClockWrong => Clock(problem) + "nobody of the mesh could be asked for the time; set the clock",
        NodeProblemCode.ClocksWrong => Clock(problem) + "no other clock of the mesh is any better; set the clocks",
        NodeProblemCode.NotAnnounced => problem.Arguments.Count == 0 ? NotAnnounced : $"{NotAnnounced}: {Argument(problem, 0)}",
        NodeProblemCode.TurnsFail => $"cannot rotate or announce: {Argument(problem, 0)}",
        NodeProblemCode.NoSilo => "no active silo; its tunnels keep the last key",
        NodeProblemCode.NoAnswer => $"no answer within {Argument(problem, 0)} s",
        NodeProblemCode.CallFailed => Argument(problem, 0),
        NodeProblemCode.NoObject => $"has no {Argument(problem, 0)} object",
        NodeProblemCode.ObjectWrong => $"its {Argument(problem, 0)} object {Argument(problem, 1)}",
        NodeProblemCode.AnnotationWrong => $"its annotation {Argument(problem, 0)} shows "
            + $"{(Argument(problem, 1) is { Length: > 0 } shown ? shown : "no key at all")}, not the announced {Argument(problem, 2)}",
        NodeProblemCode.OverlapLost =>
            $"{Argument(problem, 0)} of {Argument(problem, 1)} overlaps {Argument(problem, 2)} of {Argument(problem, 3)}, which keeps it",
        NodeProblemCode.OverlapKept =>
            $"{Argument(problem, 0)} keeps its {Argument(problem, 1)}, which {Argument(problem, 2)} claims too with {Argument(problem, 3)}",
        NodeProblemCode.MoreOverlaps => $"and {Argument(problem, 0)} more",
        NodeProblemCode.PodCIDRsLeftOut => DescribeLeftOut(
            problem, "pod CIDRs",
            $"the widest {Argument(problem, 2)} are announced, and the pods of the others are reached by no other node"),
        NodeProblemCode.AddressesLeftOut => DescribeLeftOut(
            problem, "addresses",
            $"the first {Argument(problem, 2)} without a zone are announced, at least half of them of each IP family that has so many"),
        NodeProblemCode.NotAccepted =>
            $"{Argument(problem, 0)} of {Argument(problem, 1)} active silos have not accepted its announcement (it is version "
            + $"{Argument(problem, 2)}): {DescribeSilos(problem)}",
        NodeProblemCode.RefusesOthers =>
            $"it refuses the announcements of {Argument(problem, 0)} of {Argument(problem, 1)} active silos (it is version "
            + $"{Argument(problem, 2)}): {DescribeSilos(problem)}",
        NodeProblemCode.PrefixesLeftOut =>
            $"it has {Argument(problem, 0)} prefixes for its pods; the widest {Argument(problem, 1)} are announced, and the pods of the "
            + $"other {Argument(problem, 2)} are reached by no other node; have the network plugin assign blocks",
        NodeProblemCode.NoPrefixes =>
            $"nothing tells what its pods have, so none of them is encrypted: {Argument(problem, 0)}. Set Nodes:PodRanges to the ranges of "
            + "the cluster's pods, so that the node's kernel can tell, or Nodes:Prefixes to the source that is right",
        NodeProblemCode.PrefixesOutdated => $"what its pods have may be outdated ({Argument(problem, 0)}): {Argument(problem, 1)}",
        NodeProblemCode.PodsNotSteered =>
            $"{Argument(problem, 0)} of its pod prefixes are outside of every range of pods, and of such no more than {Argument(problem, 1)} "
            + "rules are made, so their packets take no tunnel; name the ranges in Nodes:PodRanges: "
            + $"{string.Join(", ", problem.Arguments.Skip(2))}{More(Argument(problem, 0), problem.Arguments.Count - 2)}",
        var code => Unknown("problem", (int)code),
    };

    /// <summary>What to say of a code of another version.</summary>
    public static string Unknown(string what, int code) => string.Create(
        CultureInfo.InvariantCulture, $"a {what} that this version does not know ({code})");

    private static string DescribeStrict(NodeProblem problem) => problem.Finding is { } finding
        ? FindingText.Problem(finding, problem.Code == NodeProblemCode.StrictWithheld)
        : "strict mode does not hold what it promises; see owg doctor";

    private static string DescribeSilent(NodeProblem problem)
    {
        var named = problem.Arguments.Skip(1).Chunk(3).Where(peer => peer.Length == 3).Select(
            peer => $"{peer[0]} since {TimeOfDay(peer[1])} UTC (tried {(peer[2].Length > 0 ? peer[2] : "no address")})").ToList();
        return $"no tunnel works to {string.Join("; ", named)}{More(Argument(problem, 0), named.Count)}, although the silos answer";
    }

    private static string DescribeSilos(NodeProblem problem)
    {
        var named = problem.Arguments.Skip(3).Chunk(3).Where(silo => silo.Length == 3).Select(silo =>
            $"{silo[0]}{(silo[1].Length > 0 ? $" (version {silo[1]})" : "")}: {(silo[2].Length > 0 ? silo[2] : "no answer")}").ToList();
        return string.Join(", ", named) + More(Argument(problem, 0), named.Count);
    }

    private static string DescribeLeftOut(NodeProblem problem, string what, string rule)
    {
        var (left, told) = (Argument(problem, 3), problem.Arguments.Skip(4).ToList());
        return $"{Argument(problem, 0)} has {Argument(problem, 1)} {what}; {rule}; {left} left out: {string.Join(", ", told)}{More(left, told.Count)}";
    }

    private static string More(string count, int told) => int.TryParse(count, CultureInfo.InvariantCulture, out var all) && all > told
        ? string.Create(CultureInfo.InvariantCulture, $" and {all - told} more")
        : "";

    private static string Clock(NodeProblem problem)
    {
        var said = Argument(problem, 0);
        var time = TryParseTime(said)?.ToString("u", CultureInfo.InvariantCulture) ?? said;
        return $"the clock of this node says {time}, which cannot be, and ";
    }

    private static string TimeOfDay(string text) =>
        TryParseTime(text) is { } time ? time.UtcDateTime.ToString("HH:mm:ss", CultureInfo.InvariantCulture) : text;

    private static DateTimeOffset? TryParseTime(string text) =>
        DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var time) ? time : null;

    private static string Argument(NodeProblem problem, int index) => index < problem.Arguments.Count ? problem.Arguments[index] : "?";
}
