namespace Orleans.WireGuard;

/// <summary>A set of prefixes as a sorted list in which none holds another. Pure.</summary>
public static class PrefixSet
{
    /// <summary>Makes one: drops every prefix that another one holds, and sorts the rest.</summary>
    public static EquatableArray<IPPrefix> Merge(IEnumerable<IPPrefix> prefixes)
    {
        var merged = new List<IPPrefix>();
        foreach (var prefix in prefixes.Order())
        {
            // In this order a prefix comes right behind the one that holds it, and behind what that one holds.
            if (merged.Count == 0 || !merged[^1].Contains(prefix))
            {
                merged.Add(prefix);
            }
        }

        return merged.ToEquatableArray();
    }

    /// <summary>
    /// The same addresses in as few prefixes as there can be: drops what others hold, and makes one of two neighbours that fill a shorter
    /// prefix. Sorted.
    /// </summary>
    public static EquatableArray<IPPrefix> Aggregate(IEnumerable<IPPrefix> prefixes)
    {
        var merged = new List<IPPrefix>();
        foreach (var prefix in Merge(prefixes))
        {
            var last = prefix;

            // In sorted order a neighbour comes right behind the other one, and what the two make may have a neighbour in turn.
            while (merged.Count > 0 && last.Length > 0 && merged[^1].Length == last.Length && merged[^1].IsIPv6 == last.IsIPv6
                && last.Shorten(last.Length - 1) is var both && both == merged[^1].Shorten(last.Length - 1))
            {
                merged.RemoveAt(merged.Count - 1);
                last = both;
            }

            merged.Add(last);
        }

        return merged.ToEquatableArray();
    }

    /// <summary>Whether a prefix of the set holds <paramref name="prefix"/>.</summary>
    /// <param name="merged">What <see cref="Merge"/> returned.</param>
    /// <param name="prefix">Which one to look for.</param>
    public static bool Covers(EquatableArray<IPPrefix> merged, IPPrefix prefix)
    {
        var index = merged.AsSpan().BinarySearch(prefix);

        // Of prefixes that do not overlap, only the last one before it can hold it.
        return index >= 0 || (~index > 0 && merged[~index - 1].Contains(prefix));
    }

    /// <summary>Whether a prefix of the set shares an address with <paramref name="prefix"/>.</summary>
    /// <param name="merged">What <see cref="Merge"/> returned.</param>
    /// <param name="prefix">Which one to look for.</param>
    public static bool Overlaps(EquatableArray<IPPrefix> merged, IPPrefix prefix)
    {
        var index = merged.AsSpan().BinarySearch(prefix);

        // What it holds sorts right behind it.
        return index >= 0 || (~index > 0 && merged[~index - 1].Contains(prefix))
            || (~index < merged.Count && prefix.Contains(merged[~index]));
    }
}
