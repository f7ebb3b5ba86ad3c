using System.Net;
using System.Net.Sockets;
using Orleans.WireGuard.Silo.Findings;

namespace Orleans.WireGuard.Silo.Nodes.Prefixes;

/// <summary>Which prefixes of a CiliumNode are believed. Pure.</summary>
/// <remarks>
/// Agents up to Cilium 1.14 write one of their own invention where somebody else assigns the addresses, 10.&lt;last octet of the node's
/// address&gt;.0.0/16 (pkg/node, <c>DefaultIPv4Prefix</c>), and later ones leave it there. It may be true by chance, so a pod inside proves
/// it.
/// </remarks>
internal static class CiliumBelief
{
    /// <summary>Judges what the object has.</summary>
    /// <param name="prefixes">All of its prefixes.</param>
    /// <param name="nodeAddresses">Addresses of this node.</param>
    /// <param name="pods">The pods of this node that the kernel shows; <see langword="null"/> if it could not be asked.</param>
    public static PrefixAnswer Judge(
        IEnumerable<IPPrefix> prefixes, IReadOnlyCollection<IPAddress> nodeAddresses, IReadOnlyList<LocalPod>? pods)
    {
        var listed = PrefixSet.Merge(prefixes);
        if (listed.Count == 0)
        {
            return PrefixAnswer.Without(PrefixSource.CiliumNode, "its CiliumNode object has no pod CIDR");
        }

        List<string> faults = [];
        var believed = listed.ToList();
        foreach (var prefix in listed.Where(prefix => IsMadeUp(prefix, nodeAddresses) && !HasPod(prefix, pods)))
        {
            believed.Remove(prefix);
            faults.Add($"has {prefix}, which old agents of Cilium make up from the node's address, and no pod of this node is inside");
        }

        foreach (var family in believed.GroupBy(prefix => prefix.IsIPv6).ToList())
        {
            if (PrefixChoice.FindContradiction(family.ToEquatableArray(), [.. (pods ?? []).Where(pod => pod.Prefix.IsIPv6 == family.Key)])
                is { } shown)
            {
                believed.RemoveAll(prefix => prefix.IsIPv6 == family.Key);
                faults.Add($"has {string.Join(", ", family.Take(2))}, but {shown}");
            }
        }

        return believed.Count == 0
            ? PrefixAnswer.Without(PrefixSource.CiliumNode, $"its CiliumNode object {string.Join(" and ", faults)}") with
            {
                Faults = faults.ToEquatableArray(),
            }
            : new(PrefixSource.CiliumNode) { Prefixes = believed.ToEquatableArray(), Faults = faults.ToEquatableArray() };
    }

    /// <summary>Whether a prefix has the form of what old agents make up.</summary>
    public static bool IsMadeUp(IPPrefix prefix, IEnumerable<IPAddress> nodeAddresses) =>
        prefix is { IsIPv6: false, Length: 16 } && prefix.Address.GetAddressBytes() is [10, var octet, ..]
        && nodeAddresses.Any(address => address.AddressFamily == AddressFamily.InterNetwork && address.GetAddressBytes()[3] == octet);

    private static bool HasPod(IPPrefix prefix, IReadOnlyList<LocalPod>? pods) => pods?.Any(pod => prefix.Overlaps(pod.Prefix)) == true;
}
