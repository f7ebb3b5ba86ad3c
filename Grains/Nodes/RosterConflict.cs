using System.Globalization;

namespace Orleans.WireGuard.Grains.Nodes;

/// <summary>Two nodes of a roster of which both claim an address.</summary>
/// <param name="Keeper">The node that keeps it.</param>
/// <param name="Kept">Its pod CIDR, or an address of it.</param>
/// <param name="Loser">The node that does not get it.</param>
/// <param name="Lost">Its pod CIDR, or an address of it.</param>
internal sealed record RosterConflict(RosterNode Keeper, IPPrefix Kept, RosterNode Loser, IPPrefix Lost)
{
    private const int MaxTold = 3;

    /// <summary>What an operator has to know of a node that lost, naming both objects; empty if it lost nothing.</summary>
    public static EquatableArray<NodeProblem> FindProblems(NodeRoster roster, string nodeName) => Tell(
        roster,
        conflict => conflict.Loser.NodeName == nodeName,
        conflict => NodeProblem.Of(
            NodeProblemCode.OverlapLost,
            conflict.Lost.ToString(), conflict.Loser.Describe(), conflict.Kept.ToString(), conflict.Keeper.Describe()));

    /// <summary>The same for a node that goes on as if nothing were: which object claims what it has; empty if none does.</summary>
    public static EquatableArray<NodeProblem> FindNotes(NodeRoster roster, string nodeName) => Tell(
        roster,
        conflict => conflict.Keeper.NodeName == nodeName,
        conflict => NodeProblem.Of(
            NodeProblemCode.OverlapKept,
            conflict.Keeper.Describe(), conflict.Kept.ToString(), conflict.Loser.Describe(), conflict.Lost.ToString()));

    private static EquatableArray<NodeProblem> Tell(
        NodeRoster roster, Func<RosterConflict, bool> isAboutIt, Func<RosterConflict, NodeProblem> describe)
    {
        var conflicts = roster.Conflicts.Where(isAboutIt).ToList();

        // Whoever lists a CIDR of the whole cluster has a conflict with each of its nodes.
        return [
            .. conflicts.Take(MaxTold).Select(describe),
            .. conflicts.Skip(MaxTold).Take(1).Select(_ => NodeProblem.Of(
                NodeProblemCode.MoreOverlaps, (conflicts.Count - MaxTold).ToString(CultureInfo.InvariantCulture)))];
    }
}
