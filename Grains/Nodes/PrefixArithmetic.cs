namespace Orleans.WireGuard.Grains.Nodes;

/// <summary>Prefixes as sets of addresses. Pure.</summary>
internal static class PrefixArithmetic
{
    // The widest prefix that anybody has for the pods of one node; what is wider is a slip of the pen, such as 0.0.0.0/0.
    private const int ShortestIPv4 = 8;
    private const int ShortestIPv6 = 16;

    /// <summary>Whether a prefix may be what a node has for its pods. One that holds most of the internet may not.</summary>
    public static bool IsPodCIDR(IPPrefix prefix) => prefix.Length >= (prefix.IsIPv6 ? ShortestIPv6 : ShortestIPv4);

    /// <summary>What of a prefix is in none of some others: as few prefixes as it takes, sorted, none of which overlap.</summary>
    public static IEnumerable<IPPrefix> Subtract(IPPrefix prefix, IReadOnlyCollection<IPPrefix> others)
    {
        var near = others.Where(prefix.Overlaps).ToList();
        return near.Count == 0 ? [prefix]
            : near.Exists(other => other.Contains(prefix)) ? []
            : Halves(prefix).SelectMany(half => Subtract(half, near));
    }

    /// <summary>What of some prefixes is also in some others, sorted.</summary>
    /// <param name="prefixes">None of them overlap.</param>
    /// <param name="others">None of them overlap.</param>
    public static EquatableArray<IPPrefix> Intersect(EquatableArray<IPPrefix> prefixes, EquatableArray<IPPrefix> others)
    {
        if (prefixes == others)
        {
            return prefixes;
        }

        // Two prefixes that share an address lie one inside the other.
        var common =
            from prefix in prefixes
            from other in others
            where prefix.Overlaps(other)
            select prefix.Length > other.Length ? prefix : other;
        return common.Distinct().Order().ToEquatableArray();
    }

    private static IPPrefix[] Halves(IPPrefix prefix)
    {
        var (lower, upper) = prefix.Split();
        return [lower, upper];
    }
}
