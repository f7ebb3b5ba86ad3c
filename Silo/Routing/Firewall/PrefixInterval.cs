using System.Net;

namespace Orleans.WireGuard.Silo.Routing.Firewall;

/// <summary>Prefixes as the intervals of addresses that a set of nftables holds. Pure.</summary>
internal static class PrefixInterval
{
    /// <summary>Drops every prefix that another one holds: intervals of a set must not overlap. Sorted.</summary>
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

    /// <summary>Whether one of some prefixes holds <paramref name="prefix"/>.</summary>
    /// <param name="merged">What <see cref="Merge"/> returned.</param>
    /// <param name="prefix">Which one to look for.</param>
    public static bool Covers(EquatableArray<IPPrefix> merged, IPPrefix prefix)
    {
        var index = merged.AsSpan().BinarySearch(prefix);

        // Of prefixes that do not overlap, only the last one before it can hold it.
        return index >= 0 || (~index > 0 && merged[~index - 1].Contains(prefix));
    }

    /// <summary>Whether one of some prefixes shares an address with <paramref name="prefix"/>.</summary>
    /// <param name="merged">What <see cref="Merge"/> returned.</param>
    /// <param name="prefix">Which one to look for.</param>
    public static bool Overlaps(EquatableArray<IPPrefix> merged, IPPrefix prefix)
    {
        var index = merged.AsSpan().BinarySearch(prefix);

        // What it holds sorts right behind it.
        return index >= 0 || (~index > 0 && merged[~index - 1].Contains(prefix)) || (~index < merged.Count && prefix.Contains(merged[~index]));
    }

    /// <summary>Moves from the first address of a prefix to the first one behind it.</summary>
    /// <param name="address">In network byte order; changed.</param>
    /// <param name="length">Length of the prefix.</param>
    /// <returns><see langword="false"/> if there is none: the prefix is the last one.</returns>
    public static bool TryMoveBehind(Span<byte> address, int length)
    {
        if (length == 0)
        {
            return false;
        }

        var carry = 1 << ((8 - (length % 8)) % 8);
        for (var i = (length - 1) / 8; i >= 0 && carry > 0; i--)
        {
            var sum = address[i] + carry;
            address[i] = (byte)sum;
            carry = sum >> 8;
        }

        return carry == 0;
    }

    /// <summary>Puts prefixes together from the ends of intervals.</summary>
    /// <param name="ends">Addresses of one family, in any order; an end is the first address behind an interval.</param>
    /// <returns>Sorted; <see langword="null"/> if an interval is no prefix, so that it is not ours.</returns>
    public static List<IPPrefix>? TryJoin(IEnumerable<(byte[] Address, bool IsEnd)> ends)
    {
        var prefixes = new List<IPPrefix>();
        byte[]? first = null;

        // Where one interval ends another one may begin, with the same address.
        foreach (var (address, isEnd) in ends.OrderBy(end => new IPPrefix(new IPAddress(end.Address), end.Address.Length * 8)).ThenByDescending(end => end.IsEnd))
        {
            if (isEnd != first is not null)
            {
                // nft writes an end at address zero before everything else.
                if (isEnd && address.All(part => part == 0))
                {
                    continue;
                }

                return null;
            }

            if (!isEnd)
            {
                first = address;
                continue;
            }

            if (TryFind(first!, address) is not { } prefix)
            {
                return null;
            }

            prefixes.Add(prefix);
            first = null;
        }

        if (first is not null)
        {
            if (TryFind(first, null) is not { } last)
            {
                return null;
            }

            prefixes.Add(last);
        }

        return prefixes;
    }

    private static IPPrefix? TryFind(byte[] first, byte[]? behind)
    {
        Span<byte> moved = stackalloc byte[first.Length];
        for (var length = 0; length <= first.Length * 8; length++)
        {
            first.CopyTo(moved);
            var exists = TryMoveBehind(moved, length);
            if ((behind is null ? !exists : exists && moved.SequenceEqual(behind)) && IPPrefix.TryParse($"{new IPAddress(first)}/{length}", out var prefix))
            {
                return prefix;
            }
        }

        return null;
    }
}
