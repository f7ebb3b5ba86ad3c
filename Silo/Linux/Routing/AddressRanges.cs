using System.Buffers.Binary;

namespace Orleans.WireGuard.Linux.Routing;

/// <summary>
/// Prefixes of both families, for the question whether any address of a range lies in one. Immutable; asking allocates nothing.
/// </summary>
internal sealed class AddressRanges
{
    private const int IPv6Bits = 128;

    // Left-aligned; sorted and apart from each other.
    private readonly UInt128[] _firstIPv4;
    private readonly UInt128[] _lastIPv4;
    private readonly UInt128[] _firstIPv6;
    private readonly UInt128[] _lastIPv6;

    /// <summary>Takes prefixes, which may hold each other.</summary>
    public AddressRanges(IEnumerable<IPPrefix> prefixes)
    {
        var merged = PrefixSet.Merge(prefixes).ToLookup(prefix => prefix.IsIPv6);
        (_firstIPv4, _lastIPv4) = ([.. merged[false].Select(First)], [.. merged[false].Select(Last)]);
        (_firstIPv6, _lastIPv6) = ([.. merged[true].Select(First)], [.. merged[true].Select(Last)]);
    }

    /// <summary>
    /// Whether any address from <paramref name="first"/> to <paramref name="last"/>, left-aligned, lies in one of the prefixes.
    /// </summary>
    public bool Overlap(bool isIPv6, UInt128 first, UInt128 last)
    {
        var (firsts, lasts) = isIPv6 ? (_firstIPv6, _lastIPv6) : (_firstIPv4, _lastIPv4);

        // Of ranges that are apart, the last one that does not begin behind the range reaches furthest.
        var at = Array.BinarySearch(firsts, last);
        at = at < 0 ? ~at - 1 : at;
        return at >= 0 && lasts[at] >= first;
    }

    private static UInt128 First(IPPrefix prefix)
    {
        Span<byte> address = stackalloc byte[IPv6Bits / 8];
        address.Clear();
        prefix.Address.TryWriteBytes(address, out _);
        return BinaryPrimitives.ReadUInt128BigEndian(address);
    }

    private static UInt128 Last(IPPrefix prefix) => First(prefix) + (prefix.Length < IPv6Bits ? UInt128.MaxValue >> prefix.Length : 0);
}
