using System.Net;

namespace Orleans.WireGuard.Linux.Routing.Nftables;

/// <summary>Prefixes as the intervals of addresses that a set of nftables holds. Pure.</summary>
internal static class PrefixInterval
{
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
        foreach (var (address, isEnd) in ends.OrderBy(end => new IPPrefix(new IPAddress(end.Address), end.Address.Length * 8))
            .ThenByDescending(end => end.IsEnd))
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
            if ((behind is null ? !exists : exists && moved.SequenceEqual(behind))
                && IPPrefix.TryParse($"{new IPAddress(first)}/{length}", out var prefix))
            {
                return prefix;
            }
        }

        return null;
    }
}
