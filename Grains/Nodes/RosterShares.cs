namespace Orleans.WireGuard.Grains.Nodes;

/// <summary>Divides a roster in which nodes claim each other's addresses, so that every address has one owner. Pure.</summary>
/// <remarks>
/// One object that is wrong must not cut nodes that are right, so an address goes to the node that is there and works with it:
/// <code>
/// announced ─▶ a silo runs there ─▶ nothing is there          of two alike: older object, narrower claim, name
/// </code>
/// A claim is a pod CIDR or an address of the node itself. The loser loses the common part and nothing else. All of this is known to every
/// node, so all come to the same result, in whichever order the objects came. While they do not yet hold the same announcements they may
/// not, and then a receiver refuses what it sees otherwise and is asked again.
/// </remarks>
internal static class RosterShares
{
    /// <summary>Gives every node its share.</summary>
    /// <param name="listed">As the source has it.</param>
    /// <param name="findPresence">What speaks for the node of a name.</param>
    /// <returns>The very roster if nobody claims what another has.</returns>
    public static NodeRoster Divide(NodeRoster listed, Func<string, NodePresence> findPresence)
    {
        var disputes = FindDisputes(listed.Nodes.Values, findPresence);
        if (disputes.Count == 0)
        {
            return listed;
        }

        // The longer one of two that overlap is what they have in common.
        var lost = disputes.Where(dispute => !dispute.Loser.IsAddress).ToLookup(
            dispute => (dispute.Loser.Node.NodeName, dispute.Loser.Listed),
            dispute => dispute.Loser.Part.Length > dispute.Keeper.Part.Length ? dispute.Loser.Part : dispute.Keeper.Part);
        var nodes = listed.Nodes.Values.Select(node => node with
        {
            PodCIDRs = node.PodCIDRs.SelectMany(cidr => PrefixArithmetic.Subtract(cidr, [.. lost[(node.NodeName, cidr)]]))
                .Distinct().Order().ToEquatableArray(),
            ListedPodCIDRs = node.PodCIDRs,
        });
        var conflicts = disputes.Select(
            dispute => new RosterConflict(dispute.Keeper.Node, dispute.Keeper.Listed, dispute.Loser.Node, dispute.Loser.Listed));
        return NodeRoster.Of(nodes) with
        {
            Conflicts = conflicts.Distinct().ToEquatableArray(),
        };
    }

    private static List<(Claim Keeper, Claim Loser)> FindDisputes(IEnumerable<RosterNode> nodes, Func<string, NodePresence> findPresence)
    {
        // Sorted, a prefix comes right behind those that hold it, so these are a stack. An address holds nothing, so it comes last of its
        // like.
        var claims = nodes.SelectMany(node => ClaimsOf(node, findPresence(node.NodeName)))
            .OrderBy(claim => claim.Part).ThenBy(claim => claim.IsAddress)
            .ThenBy(claim => claim.Node.NodeName, StringComparer.Ordinal).ThenBy(claim => claim.Listed);
        var disputes = new List<(Claim, Claim)>();
        var holders = new List<Claim>();
        foreach (var claim in claims)
        {
            while (holders.Count > 0 && !holders[^1].Part.Contains(claim.Part))
            {
                holders.RemoveAt(holders.Count - 1);
            }

            disputes.AddRange(holders.Where(holder => holder.Node.NodeName != claim.Node.NodeName)
                .Select(holder => Compare(holder, claim) < 0 ? (holder, claim) : (claim, holder)));
            if (!claim.IsAddress)
            {
                holders.Add(claim);
            }
        }

        return disputes;
    }

    // A CIDR of which one part is announced and the other is not is a claim for each.
    private static IEnumerable<Claim> ClaimsOf(RosterNode node, NodePresence presence)
    {
        foreach (var cidr in node.PodCIDRs)
        {
            IReadOnlyCollection<IPPrefix> rest = [cidr];
            foreach (var announced in presence.Announced)
            {
                var parts = rest.SelectMany(part => PrefixArithmetic.Intersect([part], announced.AllowedIPs)).ToList();
                foreach (var part in parts)
                {
                    yield return new Claim(node, cidr, part, announced.Rank, false);
                }

                rest = [.. rest.SelectMany(part => PrefixArithmetic.Subtract(part, parts))];
            }

            foreach (var part in rest)
            {
                yield return new Claim(node, cidr, part, presence.Otherwise, false);
            }
        }

        foreach (var address in node.Addresses)
        {
            var announced = presence.Announced.FirstOrDefault(announced => announced.Endpoints.Contains(address));
            yield return new Claim(node, IPPrefix.Host(address), IPPrefix.Host(address), announced?.Rank ?? presence.Otherwise, true);
        }
    }

    private static int Compare(Claim left, Claim right)
    {
        return Rank(left).CompareTo(Rank(right)) is not 0 and var order
            ? order
            : string.CompareOrdinal(left.Node.NodeName, right.Node.NodeName);

        static (int, DateTimeOffset, int) Rank(Claim claim) =>
            (-(int)claim.Rank, claim.Node.CreatedAt ?? DateTimeOffset.MaxValue, -claim.Listed.Length);
    }

    private readonly record struct Claim(RosterNode Node, IPPrefix Listed, IPPrefix Part, ClaimRank Rank, bool IsAddress);
}
