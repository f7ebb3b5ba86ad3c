using Orleans.WireGuard.Grains.Delivery;
using Orleans.WireGuard.Grains.Nodes;

namespace Orleans.WireGuard.Grains.Addresses;

/// <summary>What is known of this node's addresses, as it crosses the wire.</summary>
internal sealed class AddressReport(
    AddressStore addresses,
    OwnAddresses own,
    IOwnPrefixSource source,
    INodeRosterSource roster,
    MeshMembers members,
    MeshProtocol protocol)
{
    /// <summary>The public form.</summary>
    public AddressStatus ToStatus()
    {
        var (current, latest, book) = (source.Current, own.Latest, addresses.Book);
        var behind = new List<string>();
        var old = new List<string>();
        foreach (var (silo, nodeName) in members.Others)
        {
            if (protocol.Of(silo, nodeName) is { Max: < OwnProtocol.WithAddresses })
            {
                old.Add(nodeName);
            }
            else if (!own.HasApplied(silo))
            {
                behind.Add(nodeName);
            }
        }

        var exempt = (roster.Current?.Nodes.Values ?? []).Where(node => node.IsExempt).Select(node => node.NodeName)
            .Order(StringComparer.Ordinal).ToList();
        return new AddressStatus
        {
            Source = current?.Source ?? "",
            Because = current?.Because ?? "",
            Prefixes = (latest?.Prefixes ?? []).Take(AddressStatus.MaxListed).ToEquatableArray(),
            PrefixCount = latest?.Prefixes.Count ?? 0,
            LeftOut = own.LeftOut,
            PodRanges = current?.PodRanges ?? [],
            HeldBack = book.HeldBack.OrderBy(heldBack => heldBack.Prefix).ThenBy(heldBack => heldBack.NodeName, StringComparer.Ordinal)
                .Take(AddressStatus.MaxListed).ToEquatableArray(),
            HeldBackCount = book.HeldBackCount,
            BehindNodes = behind.Take(AddressStatus.MaxListed).ToEquatableArray(),
            BehindCount = behind.Count,
            OldNodes = old.Take(AddressStatus.MaxListed).ToEquatableArray(),
            NodeAddresses = latest?.NodeAddresses ?? [],
            Encapsulations = latest?.Encapsulations ?? [],
            ExemptNodes = exempt.Take(AddressStatus.MaxListed).ToEquatableArray(),
            ExemptCount = exempt.Count,
        };
    }

    /// <summary>Why this node is not ready as far as its addresses go; empty if it is.</summary>
    public EquatableArray<NodeProblem> FindProblems() => own.LeftOut == 0
        ? source.Problems
        : [.. source.Problems, NodeProblem.Of(
            NodeProblemCode.PrefixesLeftOut,
            Text(own.LeftOut + AddressAnnouncement.MaxPrefixes), Text(AddressAnnouncement.MaxPrefixes), Text(own.LeftOut))];

    private static string Text(int number) => number.ToString(System.Globalization.CultureInfo.InvariantCulture);
}
