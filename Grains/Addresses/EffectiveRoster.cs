using System.Net;
using Orleans.WireGuard.Grains.Nodes;

namespace Orleans.WireGuard.Grains.Addresses;

/// <summary>The roster with what the nodes really have for their pods. Pure.</summary>
/// <remarks>
/// Who the nodes are is the roster's answer; what their pods have is their own:
/// <code>
/// this node      its own source, but for what another node was granted before
/// another one    what it announced and was granted
///                it has announced nothing: what the list of nodes says, if that tells of pods here or no silo can run there; else nothing
/// </code>
/// </remarks>
internal static class EffectiveRoster
{
    /// <summary>Puts it together.</summary>
    /// <param name="divided">Who the nodes are.</param>
    /// <param name="book">What they announced.</param>
    /// <param name="policy">By what prefixes are judged.</param>
    /// <param name="own">What this node has.</param>
    /// <param name="localName">This node.</param>
    /// <param name="former">The one before this: what has not changed of it is taken over as it is.</param>
    public static NodeRoster Build(
        NodeRoster divided, AddressBook book, AddressPolicy policy, OwnPrefixes own, string localName, NodeRoster? former)
    {
        var nodes = divided.Nodes;
        foreach (var node in divided.Nodes.Values)
        {
            var effective = node.NodeName == localName ? OfThisNode(node, book, own)
                : book.Announcements.TryGetValue(node.NodeName, out var announcement)
                    ? OfAnother(node, announcement, book, policy, former?.Find(node.NodeName))
                : own.IsRosterBelieved || node.IsExempt ? node
                : node with { PodCIDRs = [], ListedPodCIDRs = [] };
            if (!ReferenceEquals(effective, node))
            {
                nodes = nodes.SetItem(node.NodeName, effective);
            }
        }

        return new NodeRoster(nodes) { Conflicts = [.. divided.Conflicts, .. FindConflicts(divided, book)], PodRanges = own.PodRanges };
    }

    private static RosterNode OfThisNode(RosterNode node, AddressBook book, OwnPrefixes own)
    {
        // The part that another one has had before is not ours to route, and is refused to our own pods too: they fail closed. Where the
        // list of nodes tells of pods, it has been divided already.
        var mine = own.IsRosterBelieved && own.Prefixes == node.ListedPodCIDRs ? node.PodCIDRs
            : own.Prefixes.All(prefix => book.FindHolder(prefix, node.NodeName) is null) ? own.Prefixes
            : own.Prefixes.SelectMany(prefix => Subtract(prefix, book, node.NodeName)).Order().ToEquatableArray();
        var announced = book.Announcements.GetValueOrDefault(node.NodeName);
        var effective = mine == node.PodCIDRs && own.Prefixes == node.ListedPodCIDRs
            ? node
            : node with { PodCIDRs = mine, ListedPodCIDRs = own.Prefixes };
        return announced is null ? effective : effective with
        {
            AnnouncedAddresses = announced.NodeAddresses,
            Encapsulations = announced.Encapsulations,
        };
    }

    private static IEnumerable<IPPrefix> Subtract(IPPrefix prefix, AddressBook book, string nodeName)
    {
        if (book.FindHolder(prefix, nodeName) is not var (held, _))
        {
            return [prefix];
        }

        if (held.Contains(prefix))
        {
            return [];
        }

        var (lower, upper) = prefix.Split();
        return [.. Subtract(lower, book, nodeName), .. Subtract(upper, book, nodeName)];
    }

    private static RosterNode OfAnother(
        RosterNode node, AddressAnnouncement announcement, AddressBook book, AddressPolicy policy, RosterNode? former)
    {
        // Thousands of prefixes are compared here with every change of any node; the same set is the same object.
        var granted = book.Granted.GetValueOrDefault(node.NodeName) ?? [];
        var prefixes = former is { } known && known.PodCIDRs.Count == granted.Count && known.PodCIDRs.SequenceEqual(granted)
            ? known.PodCIDRs
            : granted.ToEquatableArray();
        return node with
        {
            PodCIDRs = prefixes,
            ListedPodCIDRs = prefixes,
            AnnouncedAddresses = announcement.NodeAddresses.Where(IsItsOwn).ToEquatableArray(),
            Encapsulations = announcement.Encapsulations,
        };

        // Packets for it take the node's tunnel, so it must be nobody else's: no pod of another node, no other node, nothing outside.
        bool IsItsOwn(IPAddress address)
        {
            var host = IPPrefix.Host(address.Unmap());
            return PrefixSet.Covers(prefixes, host)
                || (policy.IsInPodRanges(host) && policy.FindFault(node.NodeName, host) is null
                    && book.FindHolder(host, node.NodeName) is null);
        }
    }

    // What is nobody else's is no conflict, but this node's problem, which it tells itself.
    private static IEnumerable<RosterConflict> FindConflicts(NodeRoster roster, AddressBook book) =>
        from heldBack in book.HeldBack
        where heldBack.OtherNode is not null
        let keeper = roster.Find(heldBack.OtherNode!)
        let loser = roster.Find(heldBack.NodeName)
        where keeper is not null && loser is not null
        orderby heldBack.Prefix, heldBack.NodeName
        select new RosterConflict(keeper, heldBack.OtherPrefix!.Value, loser, heldBack.Prefix);
}
