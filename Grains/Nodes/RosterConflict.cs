namespace Orleans.WireGuard.Grains.Nodes;

/// <summary>Two nodes of a roster of which both claim an address.</summary>
/// <param name="Keeper">The node that keeps it.</param>
/// <param name="Kept">Its pod CIDR, or an address of it.</param>
/// <param name="Loser">The node that does not get it.</param>
/// <param name="Lost">Its pod CIDR, or an address of it.</param>
internal sealed record RosterConflict(RosterNode Keeper, IPPrefix Kept, RosterNode Loser, IPPrefix Lost)
{
    private const int MaxTold = 3;

    /// <summary>What an operator has to know of a node that lost, naming both objects; <see langword="null"/> if it lost nothing.</summary>
    public static string? FindProblem(NodeRoster roster, string nodeName) => Tell(
        roster,
        conflict => conflict.Loser.NodeName == nodeName,
        conflict =>
            $"{conflict.Lost} of {conflict.Loser.Describe()} overlaps {conflict.Kept} of {conflict.Keeper.Describe()}, which keeps it");

    /// <summary>
    /// The same for a node that goes on as if nothing were: which object claims what it has; <see langword="null"/> if none does.
    /// </summary>
    public static string? FindNote(NodeRoster roster, string nodeName) => Tell(
        roster,
        conflict => conflict.Keeper.NodeName == nodeName,
        conflict =>
            $"{conflict.Keeper.Describe()} keeps its {conflict.Kept}, which {conflict.Loser.Describe()} claims too with {conflict.Lost}");

    private static string? Tell(NodeRoster roster, Func<RosterConflict, bool> isAboutIt, Func<RosterConflict, string> describe)
    {
        var conflicts = roster.Conflicts.Where(isAboutIt).ToList();
        if (conflicts.Count == 0)
        {
            return null;
        }

        // Whoever lists a CIDR of the whole cluster has a conflict with each of its nodes.
        var more = conflicts.Count > MaxTold ? $"; and {conflicts.Count - MaxTold} more" : "";
        return string.Join("; ", conflicts.Take(MaxTold).Select(describe)) + more;
    }
}
