namespace Orleans.WireGuard.Grains.Nodes;

/// <summary>What there is to say of a node's entry in the roster, whichever source it came from. Pure.</summary>
internal static class RosterRemarks
{
    /// <summary>What costs a node something in a roster that <see cref="RosterShares"/> has divided.</summary>
    public static EquatableArray<NodeProblem> FindProblems(NodeRoster? roster, string nodeName) =>
        Find(roster, nodeName, RosterConflict.FindProblems, static announceable => announceable.Problem);

    /// <summary>What costs it nothing and should be put right all the same.</summary>
    /// <inheritdoc cref="FindProblems"/>
    public static EquatableArray<NodeProblem> FindNotes(NodeRoster? roster, string nodeName) =>
        Find(roster, nodeName, RosterConflict.FindNotes, static announceable => announceable.Note);

    private static EquatableArray<NodeProblem> Find(
        NodeRoster? roster,
        string nodeName,
        Func<NodeRoster, string, EquatableArray<NodeProblem>> findConflicts,
        Func<AnnounceableNode, NodeProblem?> findLeftOut)
    {
        if (roster?.Find(nodeName) is not { } node)
        {
            return [];
        }

        var conflicts = findConflicts(roster, nodeName);
        return findLeftOut(AnnounceableNode.Of(node)) is { } left ? [.. conflicts, left] : conflicts;
    }
}
