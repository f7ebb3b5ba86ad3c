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
