using System.Collections.Immutable;

namespace Orleans.WireGuard.Grains.Nodes;

/// <summary>
/// Prefixes and the nodes that they belong to, in an order in which an overlap is found without looking at all of them. Immutable.
/// </summary>
internal sealed class PrefixIndex
{
    private static readonly Comparer<(IPPrefix Prefix, string NodeName)> Order = Comparer<(IPPrefix Prefix, string NodeName)>.Create(
        static (left, right) => left.Prefix.CompareTo(right.Prefix) is not 0 and var order
            ? order
            : string.CompareOrdinal(left.NodeName, right.NodeName));

    // A prefix sorts right before all that lie inside it.
    private readonly ImmutableSortedSet<(IPPrefix Prefix, string NodeName)> _entries;

    // Of every prefix that ever was here. One that none has any more costs a look that finds nothing.
    private readonly ImmutableHashSet<(bool IsIPv6, int Length)> _lengths;

    private PrefixIndex(
        ImmutableSortedSet<(IPPrefix Prefix, string NodeName)> entries, ImmutableHashSet<(bool IsIPv6, int Length)> lengths) =>
        (_entries, _lengths) = (entries, lengths);

    /// <summary>No prefixes.</summary>
    public static PrefixIndex Empty { get; } = new(ImmutableSortedSet.Create<(IPPrefix Prefix, string NodeName)>(Order), []);

    /// <summary>The index of some prefixes.</summary>
    public static PrefixIndex Of(IEnumerable<(IPPrefix Prefix, string NodeName)> prefixes)
    {
        var entries = prefixes.ToImmutableSortedSet(Order);
        return new PrefixIndex(entries, [.. entries.Select(entry => (entry.Prefix.IsIPv6, entry.Prefix.Length))]);
    }

    /// <summary>The index with prefixes of a node added.</summary>
    public PrefixIndex Add(string nodeName, IEnumerable<IPPrefix> prefixes)
    {
        var (entries, lengths) = (_entries, _lengths);
        foreach (var prefix in prefixes)
        {
            (entries, lengths) = (entries.Add((prefix, nodeName)), lengths.Add((prefix.IsIPv6, prefix.Length)));
        }

        return new PrefixIndex(entries, lengths);
    }

    /// <summary>The index without prefixes of a node.</summary>
    public PrefixIndex Remove(string nodeName, IEnumerable<IPPrefix> prefixes) =>
        new(_entries.Except(prefixes.Select(prefix => (prefix, nodeName))), _lengths);

    /// <summary>A prefix of another node that shares an address with <paramref name="prefix"/>.</summary>
    /// <param name="prefix">What to look for.</param>
    /// <param name="nodeName">The node whose own prefixes do not count.</param>
    /// <returns>It and its node; <see langword="null"/> if there is none.</returns>
    public (IPPrefix Prefix, string NodeName)? FindOverlap(IPPrefix prefix, string nodeName)
    {
        // Two prefixes that share an address lie one inside the other.
        foreach (var (isIPv6, length) in _lengths)
        {
            if (isIPv6 == prefix.IsIPv6 && length < prefix.Length
                && FindFrom(prefix.Shorten(length), isNestedToo: false, nodeName) is { } holder)
            {
                return holder;
            }
        }

        return FindFrom(prefix, isNestedToo: true, nodeName);
    }

    /// <summary>Whether all of a prefix lies in one that a node has.</summary>
    public bool IsHeldBy(IPPrefix prefix, string nodeName)
    {
        foreach (var (isIPv6, length) in _lengths)
        {
            if (isIPv6 == prefix.IsIPv6 && length <= prefix.Length && _entries.Contains((prefix.Shorten(length), nodeName)))
            {
                return true;
            }
        }

        return false;
    }

    private (IPPrefix Prefix, string NodeName)? FindFrom(IPPrefix prefix, bool isNestedToo, string nodeName)
    {
        // No node has an empty name, so this is where those of the prefix would begin.
        var index = _entries.IndexOf((prefix, ""));
        for (index = index < 0 ? ~index : index; index < _entries.Count; index++)
        {
            var entry = _entries[index];
            if (isNestedToo ? !prefix.Contains(entry.Prefix) : prefix != entry.Prefix)
            {
                break;
            }

            if (entry.NodeName != nodeName)
            {
                return entry;
            }
        }

        return null;
    }
}
