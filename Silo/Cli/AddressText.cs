using System.Globalization;

namespace Orleans.WireGuard.Silo.Cli;

/// <summary>What nodes have for their pods, in lines for people. Pure.</summary>
internal static class AddressText
{
    /// <summary>The lines of all nodes: where their prefixes come from, and what does not count or has not arrived.</summary>
    public static IEnumerable<string> Lines(MeshSnapshot snapshot)
    {
        var known = snapshot.Nodes.Where(node => node.Status?.Addresses is { Source.Length: > 0 }).ToList();

        // One line for all nodes that have the same source, since they mostly do.
        foreach (var source in known.GroupBy(node => (node.Status!.Addresses!.Source, node.Status.Addresses.Because)))
        {
            var prefixes = source.Sum(node => node.Status!.Addresses!.PrefixCount);
            var names = source.Count() == snapshot.Nodes.Count ? "all nodes" : string.Join(", ", source.Select(node => node.NodeName));
            yield return string.Create(
                CultureInfo.InvariantCulture,
                $"addresses: {prefixes} prefixes of {names} from {source.Key.Source}{(source.Key.Because.Length > 0 ? $" ({source.Key.Because})" : "")}");
        }

        foreach (var heldBack in known.SelectMany(node => node.Status!.Addresses!.HeldBack).Distinct()
            .OrderBy(heldBack => heldBack.Prefix).ThenBy(heldBack => heldBack.NodeName, StringComparer.Ordinal))
        {
            yield return $"{heldBack.NodeName} announces {heldBack.Prefix}, which does not count: {Describe(heldBack)}";
        }

        foreach (var (name, addresses) in known.Select(node => (node.NodeName, node.Status!.Addresses!)))
        {
            if (addresses.BehindCount > 0)
            {
                yield return string.Create(
                    CultureInfo.InvariantCulture,
                    $"{addresses.BehindCount} silos have not applied the addresses of {name} yet: {string.Join(", ", addresses.BehindNodes)}");
            }
        }

        // Each node tells of all of them; for a moment one that is gone may be among them.
        var told = snapshot.Nodes.Select(node => node.Status?.Addresses).OfType<AddressStatus>().MaxBy(addresses => addresses.ExemptCount);
        if (told is { ExemptCount: > 0 })
        {
            var more = told.ExemptCount - told.ExemptNodes.Count;
            yield return string.Create(
                CultureInfo.InvariantCulture,
                $"exempt, in clear: {string.Join(", ", told.ExemptNodes)}{(more > 0 ? $" and {more} more" : "")}: no silo can run there (Nodes:Exempt)");
        }

        var old = known.SelectMany(node => node.Status!.Addresses!.OldNodes).Distinct().Order(StringComparer.Ordinal).ToList();
        if (old.Count > 0)
        {
            yield return $"{string.Join(", ", old)} know of others' pods what the list of nodes says and nothing else: their version takes "
                + "addresses with keys only; finish the upgrade";
        }
    }

    /// <summary>Why a prefix does not count, and what to do.</summary>
    public static string Describe(HeldBackPrefix heldBack) => heldBack.Reason switch
    {
        HeldBackReason.HeldByAnotherNode =>
            $"{heldBack.OtherNode} has {heldBack.OtherPrefix} and has not given it back; if that node is gone, delete its Node object",
        HeldBackReason.InBlockOfAnotherNode =>
            $"it lies in {heldBack.OtherPrefix} of {heldBack.OtherNode}; a network plugin that borrows addresses from the blocks of other "
            + "nodes has to stop (Calico: strictAffinity of its IPAM configuration)",
        HeldBackReason.AddressOfNode => $"{heldBack.OtherPrefix} is the address of {heldBack.OtherNode} itself",
        HeldBackReason.OutsidePodRanges => "it lies outside of the pod ranges; correct Nodes:PodRanges if pods have it",
        HeldBackReason.NotInRoster =>
            "the list of nodes tells what pods have, and does not give it to that node; set Nodes:PodRanges if nodes have more than it says",
        HeldBackReason.TooWide => "it is too wide for the pods of one node",
        _ => "for a reason that this version does not know",
    };
}
