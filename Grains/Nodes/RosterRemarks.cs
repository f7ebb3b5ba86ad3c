namespace Orleans.WireGuard.Grains.Nodes;

/// <summary>What there is to say of a node's entry in the roster, whichever source it came from. Pure.</summary>
internal static class RosterRemarks
{
    /// <summary>
    /// What costs a node something in a roster that <see cref="RosterShares"/> has divided, in a sentence; <see langword="null"/> if
    /// nothing does.
    /// </summary>
    public static string? FindProblem(NodeRoster? roster, string nodeName) =>
        Find(roster, nodeName, RosterConflict.FindProblem, static announceable => announceable.Problem);

    /// <summary>What costs it nothing and should be put right all the same; <see langword="null"/> if nothing should.</summary>
    /// <inheritdoc cref="FindProblem"/>
    public static string? FindNote(NodeRoster? roster, string nodeName) =>
        Find(roster, nodeName, RosterConflict.FindNote, static announceable => announceable.Note);

    private static string? Find(
        NodeRoster? roster, string nodeName, Func<NodeRoster, string, string?> findConflict, Func<AnnounceableNode, string?> findLeftOut)
    {
        if (roster?.Find(nodeName) is not { } node)
        {
            return null;
        }

        string?[] remarks = [findConflict(roster, nodeName), findLeftOut(AnnounceableNode.Of(node))];
        return remarks.Any(remark => remark is not null) ? string.Join("; ", remarks.Where(remark => remark is not null)) : null;
    }
}
