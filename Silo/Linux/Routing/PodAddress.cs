using System.Net;
using System.Numerics;

namespace Orleans.WireGuard.Linux.Routing;

/// <summary>Addresses that stand for the pods of a prefix where none is known. Pure.</summary>
public static class PodAddress
{
    /// <summary>
    /// An address that a pod may have as its own, and the node hardly has: the last but one, since the last may be the broadcast address.
    /// </summary>
    /// <param name="prefix">The pods' prefix.</param>
    /// <param name="taken">An address that is the node's; <see langword="null"/> if none is known.</param>
    public static IPAddress Of(IPPrefix prefix, IPAddress? taken = null)
    {
        var size = Size(prefix);
        var last = size - BigInteger.One;
        var chosen = At(prefix, size > 2 ? last - 1 : last);
        return chosen.Equals(taken) && size > 3 ? At(prefix, last - 2) : chosen;
    }

    /// <summary>An address that a pod of another node may have: behind the network's and that of the gateway on many nodes.</summary>
    public static IPAddress Remote(IPPrefix prefix) => At(prefix, BigInteger.Min(2, Size(prefix) - 1));

    private static BigInteger Size(IPPrefix prefix) => BigInteger.One << ((prefix.IsIPv6 ? 128 : 32) - prefix.Length);

    private static IPAddress At(IPPrefix prefix, BigInteger offset)
    {
        var address = prefix.Address.GetAddressBytes();
        var sum = new BigInteger(address, isUnsigned: true, isBigEndian: true) + offset;
        Array.Clear(address);
        var bytes = sum.ToByteArray(isUnsigned: true, isBigEndian: true);
        bytes.CopyTo(address, address.Length - bytes.Length);
        return new IPAddress(address);
    }
}
