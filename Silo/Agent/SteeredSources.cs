namespace Orleans.WireGuard.Silo.Agent;

/// <summary>Of which sources packets are looked up in our table: a few, however many pods there are. Pure.</summary>
/// <remarks>
/// Every packet of the node is compared with every rule, some 20 ns each, so there is one for each range of pods, and no more than
/// <see cref="Max"/>. This node's prefixes that no range holds are put together to what holds them, as long as nobody else has any of that.
/// What is still too many has no rule, and its node a problem: its pods' packets to other nodes' are dropped in strict mode.
/// </remarks>
internal static class SteeredSources
{
    /// <summary>How many there are at most.</summary>
    public const int Max = 32;

    // The widest prefixes that anybody has for pods.
    private const int ShortestIPv4 = 8;
    private const int ShortestIPv6 = 32;

    /// <summary>Chooses them.</summary>
    /// <param name="ranges">Prefixes that hold pods of the cluster, merged.</param>
    /// <param name="own">This node's prefixes, sorted.</param>
    /// <param name="isTaken">Whether somebody else has an address of a prefix.</param>
    /// <returns>The sources, sorted; and this node's prefixes that none of them holds.</returns>
    public static (EquatableArray<IPPrefix> Sources, EquatableArray<IPPrefix> LeftOut) Build(
        EquatableArray<IPPrefix> ranges, EquatableArray<IPPrefix> own, Func<IPPrefix, bool> isTaken)
    {
        var sources = PrefixSet.Merge(ranges.Concat(own));
        if (sources.Count <= Max)
        {
            return (sources, []);
        }

        var room = Math.Max(0, Max - ranges.Count);
        var outside = sources.Where(source => !PrefixSet.Covers(ranges, source)).ToList();
        for (var length = 128; length >= ShortestIPv4 && outside.Count > room; length--)
        {
            outside = Widen(outside, length, isTaken);
        }

        var chosen = outside.OrderBy(source => source.Length).ThenBy(source => source).Take(room);
        sources = PrefixSet.Merge(ranges.Concat(chosen));
        return (sources, own.Where(prefix => !PrefixSet.Covers(sources, prefix)).ToEquatableArray());
    }

    private static List<IPPrefix> Widen(List<IPPrefix> prefixes, int length, Func<IPPrefix, bool> isTaken)
    {
        var widened = new List<IPPrefix>();
        foreach (var group in prefixes.GroupBy(prefix => IsWidened(prefix, length) ? prefix.Shorten(length) : prefix))
        {
            var members = group.ToList();
            if (members.Count > 1 && !isTaken(group.Key))
            {
                widened.Add(group.Key);
            }
            else
            {
                widened.AddRange(members);
            }
        }

        return widened;
    }

    private static bool IsWidened(IPPrefix prefix, int length) =>
        prefix.Length > length && (!prefix.IsIPv6 || length >= ShortestIPv6);
}
